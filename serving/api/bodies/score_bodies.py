"""What `POST /v1/score` reads and answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from prefilter.serving.api.bodies.item_body import ItemBody, read_items
from prefilter.serving.errors import Unprocessable
from prefilter.serving.http.answers import OutcomeWord, PolicyName, Span, Stage, Tokens
from prefilter.serving.http.body_reader import CLOSED, BodyReader, DescribedAs, Storable
from prefilter.serving.policy.decide import Ground
from prefilter.serving.screening.item import BadRow, Item


@with_config(CLOSED)
class ScoreBody(TypedDict):
    """A batch of items, and the policy that decides (the server's own where none is named)."""

    items: Annotated[list[object], DescribedAs(Annotated[list[ItemBody], Field(min_length=1)])]
    policy: NotRequired[Storable | None]
    explain: NotRequired[bool | None]
    exact: NotRequired[bool | None]


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A batch as it is screened, rows in request order."""

    rows: tuple[Item | BadRow, ...]
    policy: str | None
    explain: bool
    exact: bool


class PlacedScore(TypedDict):
    """Where one category's score fell: the outcome, and the band [low, high]."""

    outcome: OutcomeWord
    band: list[float]


class ScoredRow(TypedDict):
    """An item's decision."""

    id: str
    outcome: OutcomeWord
    because: list[Ground]
    scores: dict[str, float]
    tokens: Tokens
    windows: int
    stage: Stage
    evidence: list[Span]
    decision_id: str
    enforced: bool
    context: NotRequired[Tokens]
    case_id: NotRequired[str]
    bands: NotRequired[dict[str, PlacedScore]]


class RowFault(TypedDict):
    """Why a row breaks the contract."""

    code: str
    message: str


class FailedRow(TypedDict):
    """An item that breaks the contract: it has no outcome, and is not allowed."""

    id: str | None
    error: RowFault


class ScoreAnswer(TypedDict):
    """The rows in request order, and who decided."""

    results: list[ScoredRow | FailedRow]
    model_version: str
    policy: PolicyName
    uncalibrated: list[str]


_BODY = BodyReader(ScoreBody)


def read_score_request(raw: bytes, *, max_items: int, max_text_chars: int, max_id_chars: int) -> ScoreRequest:
    """Read the body of `POST /v1/score`; raises BadRequest, or Unprocessable for 0 or too many items."""
    body = _BODY.read(raw)
    items = body["items"]
    if not items:
        raise Unprocessable("at least one item is needed", code="no_items", field="items")
    if len(items) > max_items:
        raise Unprocessable(f"at most {max_items} items in one request", code="too_many_items", field="items")
    return ScoreRequest(
        rows=read_items(items, max_text_chars=max_text_chars, max_id_chars=max_id_chars),
        policy=body.get("policy"),
        explain=bool(body.get("explain")),
        exact=bool(body.get("exact")),
    )
