"""What the modules of a case page send: the bodies of the API, and where to go from there."""

from __future__ import annotations

from typing import NotRequired

from pydantic import with_config

from prefilter.serving.api.bodies.case_bodies import LeaseBody, ReviewBody
from prefilter.serving.http.body_reader import CLOSED, BodyReader, Storable


@with_config(CLOSED)
class LeavingCall(LeaseBody):
    """Giving a case away, and the queue from which the next one comes."""

    queue: NotRequired[Storable | None]


@with_config(CLOSED)
class JudgementCall(ReviewBody):
    """A judgement, and whether another case follows, from which queue."""

    queue: NotRequired[Storable | None]
    stop: NotRequired[bool | None]


LEAVING, JUDGEMENT = BodyReader(LeavingCall), BodyReader(JudgementCall)
