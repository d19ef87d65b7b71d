"""The service's JSON, both ways: items to bytes, answers to values.

Items are not validated here, the service does that: a text that is not a string is sent as another JSON type and
comes back as that row's error, so that one bad row does not fail a batch. Answers are read strictly: one that is
not understood is an UnexpectedAnswer, and never a row that looks allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from prefilter_client.errors import UnexpectedAnswer
from prefilter_client.exchange import Answer, read_json
from prefilter_client.values import (
    OUTCOMES,
    Because,
    Decision,
    Evidence,
    Item,
    Outcome,
    Placed,
    PolicyVersion,
    RecordedDecision,
    Row,
    RowError,
    ScoreResponse,
    Tokens,
)

Submission = str | Item | Mapping[str, Any]
"""What can be screened: a text, an Item, or a mapping with an Item's names."""

T = TypeVar("T")
_NO_STRING: list[str] = []
_FIELDS = ("id", "text", "language", "source", "context")


@dataclass(frozen=True, slots=True)
class Sendable:
    """An item as it goes out."""

    id: str | None
    body: bytes = field(repr=False)


def sendable(submission: Submission) -> Sendable:
    """Write one item; a value that should be a string and is not stays wrong, for the service to refuse."""
    if isinstance(submission, Mapping):
        given = {str(name): value for name, value in submission.items()}
    elif isinstance(submission, Item):
        given = {name: getattr(submission, name) for name in _FIELDS}
    else:
        given = {"text": submission}
    fields = {
        name: value if isinstance(value, str) else _NO_STRING
        for name, value in given.items()
        if value is not None or name == "text"
    }
    item_id = fields.get("id")
    return Sendable(item_id if isinstance(item_id, str) else None, to_json(fields))


def to_json(value: Any) -> bytes:
    """Write JSON in UTF-8; a lone surrogate, which UTF-8 has no bytes for, is escaped."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return written.encode()
    except UnicodeEncodeError:
        pass  # its message would quote the text
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def score_body(items: Sequence[Sendable], *, policy: str | None, explain: bool, exact: bool) -> bytes:
    """Write the body of `POST /v1/score`."""
    options: dict[str, Any] = {"explain": explain, "exact": exact}
    if policy is not None:
        options["policy"] = policy
    return b'{"items":[' + b",".join(item.body for item in items) + b"]," + to_json(options)[1:]


def path_of(folder: str, name: str, *more: str) -> str:
    """Return a path that holds an id; raises ValueError for an id that cannot exist."""
    if not name or any("\ud800" <= char <= "\udfff" for char in name):
        raise ValueError("an id is at least one character, without lone surrogates")
    quoted = quote(name, safe="").replace(".", "%2E") if name in (".", "..") else quote(name, safe="")
    return "/".join([folder, quoted, *more])


def read(answer: Answer, build: Callable[[dict[str, Any]], T]) -> T:
    """Build a value from an answer; raises UnexpectedAnswer where a part is missing or of the wrong type."""
    body = read_json(answer.body)
    try:
        return build(body)
    except (KeyError, TypeError, ValueError, AttributeError):
        pass  # raised below, unchained: what failed may hold the answer
    raise UnexpectedAnswer(f"the answer (HTTP {answer.status}) is not one that this client understands")


def score_response(body: dict[str, Any], *, rows: int) -> ScoreResponse:
    """Build the answer to so many items; raises ValueError where it has another number of rows."""
    model_version, policy = _text(body["model_version"]), policy_version(body["policy"])
    results = body["results"]
    if len(results) != rows:
        raise ValueError("another number of rows")
    return ScoreResponse(
        tuple(_row(row, model_version, policy) for row in results),
        model_version,
        policy,
        tuple(body["uncalibrated"]),
    )


def recorded_decision(body: dict[str, Any]) -> RecordedDecision:
    """Build the answer of `GET /v1/decisions/{id}`."""
    return RecordedDecision(
        decision_id=_text(body["decision_id"]),
        id=_text(body["id"]),
        outcome=outcome_of(body["outcome"]),
        because=becauses(body["because"]),
        scores=_scores(body["scores"]),
        tokens=_tokens(body["tokens"]),
        stage=_text(body["stage"]),
        enforced=_truth(body["enforced"]),
        language=body.get("language"),
        source=body.get("source"),
        policy=policy_version(body["policy"]),
        model_version=_text(body["model_version"]),
        created_at=_text(body["created_at"]),
    )


def outcome_of(value: Any) -> Outcome:
    """Return a known outcome; raises ValueError for any other."""
    if value not in OUTCOMES:
        raise ValueError("an unknown outcome")
    found: Outcome = value
    return found


def becauses(values: Sequence[Mapping[str, Any]]) -> tuple[Because, ...]:
    """Return the grounds of an outcome."""
    return tuple(
        Because(value.get("category"), value.get("score"), _band(value.get("band")), value.get("reason"))
        for value in values
    )


def policy_version(value: Mapping[str, Any]) -> PolicyVersion:
    """Build the name and version of a policy."""
    return PolicyVersion(_text(value["name"]), int(value["version"]))


def _row(value: dict[str, Any], model_version: str, policy: PolicyVersion) -> Row:
    if "error" in value:
        error = value["error"]
        return RowError(value.get("id"), _text(error["code"]), _text(error["message"]))
    context, bands = value.get("context"), value.get("bands")
    return Decision(
        id=_text(value["id"]),
        outcome=outcome_of(value["outcome"]),
        because=becauses(value["because"]),
        scores=_scores(value["scores"]),
        tokens=_tokens(value["tokens"]),
        windows=value["windows"],
        stage=_text(value["stage"]),
        evidence=tuple(
            Evidence(found["category"], found["start"], found["end"], found["score"]) for found in value["evidence"]
        ),
        decision_id=_text(value["decision_id"]),
        case_id=value.get("case_id"),
        enforced=_truth(value["enforced"]),
        model_version=model_version,
        policy=policy,
        context=None if context is None else _tokens(context),
        bands=None if bands is None else {name: _placed(place) for name, place in bands.items()},
    )


def _placed(value: Mapping[str, Any]) -> Placed:
    low, high = value["band"]
    return Placed(outcome_of(value["outcome"]), (float(low), float(high)))


def _band(value: Sequence[float] | None) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = value
    return float(low), float(high)


def _scores(value: Mapping[str, Any]) -> dict[str, float]:
    return {str(category): float(score) for category, score in value.items()}


def _tokens(value: Mapping[str, Any]) -> Tokens:
    return Tokens(int(value["seen"]), int(value["total"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value
