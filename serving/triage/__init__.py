"""Triage: how a deferred decision reaches a person and what the person makes of it.

`triage.py` has the use cases, `claimed.py` a case as its reviewer sees it, `judgement.py` what a review may say.
"""

from prefilter.serving.triage.claimed_case import MASK, ClaimedCase, Lease, NewCase, QueueView, Revealed, mask
from prefilter.serving.triage.judgement import ReviewReceipt
from prefilter.serving.triage.triage import QUEUES, SEVERITY_BANDS, UNSCORED_QUEUE, Triage

__all__ = [
    "MASK",
    "QUEUES",
    "SEVERITY_BANDS",
    "UNSCORED_QUEUE",
    "ClaimedCase",
    "Lease",
    "NewCase",
    "QueueView",
    "Revealed",
    "ReviewReceipt",
    "Triage",
    "mask",
]
