"""What the routes on decisions read and answer."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from prefilter.serving.http.answers import OutcomeWord, PolicyName, Stage, Tokens
from prefilter.serving.http.body_reader import CLOSED, BodyReader, hint
from prefilter.serving.policy.decide import Ground


@with_config(CLOSED)
class AppealBody(TypedDict):
    """The text that was decided and its context, which were not kept."""

    text: Annotated[str, hint(minLength=1)]
    context: NotRequired[str | None]


APPEAL = BodyReader(AppealBody)


class AppealAnswer(TypedDict):
    """The case in which a person looks at the decision."""

    decision_id: str
    case_id: str


class DecisionAnswer(TypedDict):
    """A decision as it was recorded."""

    decision_id: str
    id: str | None
    outcome: OutcomeWord
    because: list[Ground]
    scores: dict[str, float]
    tokens: Tokens
    stage: Stage
    enforced: bool
    language: str | None
    source: str | None
    policy: PolicyName
    model_version: str
    created_at: str
