"""Triage: how a deferred decision reaches a person and what the person makes of it.

`case_intake` opens cases, `triage` has the use cases of reviewers, `retention` forgets texts; beside them their values:
`new_case`, `queues`, `claimed_case` and `review`.
"""

from prefilter.serving.triage.claimed_case import MASK, ClaimedCase, Lease, RevealedText, mask
from prefilter.serving.triage.new_case import SEVERITY_BANDS, UNSCORED_QUEUE, NewCase
from prefilter.serving.triage.queues import QUEUES, QueueView
from prefilter.serving.triage.review import Judgement, ReviewReceipt
from prefilter.serving.triage.triage import Triage

__all__ = [
    "MASK",
    "QUEUES",
    "SEVERITY_BANDS",
    "UNSCORED_QUEUE",
    "ClaimedCase",
    "Judgement",
    "Lease",
    "NewCase",
    "QueueView",
    "RevealedText",
    "ReviewReceipt",
    "Triage",
    "mask",
]
