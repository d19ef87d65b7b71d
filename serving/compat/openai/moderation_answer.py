"""What `POST /v1/moderations` answers: OpenAI's fields, and ours under `x_prefilter`."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from prefilter.serving.compat.openai.openai_categories import CategoryNote
from prefilter.serving.http.answers import OutcomeWord, PolicyName, Span, Stage, Tokens
from prefilter.serving.policy.decide import Ground


class OwnResult(TypedDict):
    """The decision on one input."""

    outcome: OutcomeWord
    because: list[Ground]
    spans: list[Span]
    tokens: Tokens
    stage: Stage
    model_version: str
    policy: PolicyName
    enforced: bool
    decision_id: str
    scores: dict[str, float]
    case_id: NotRequired[str]


class ModerationResult(TypedDict):
    """What one input is flagged for, by OpenAI's 13 categories."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]
    x_prefilter: OwnResult


class OwnNotes(TypedDict):
    """What the categories are made of, and whose scores are not calibrated."""

    categories: dict[str, CategoryNote]
    uncalibrated: list[str]


class ModerationAnswer(TypedDict):
    """The results, in the order of the inputs."""

    id: str
    model: str
    results: list[ModerationResult]
    x_prefilter: OwnNotes
