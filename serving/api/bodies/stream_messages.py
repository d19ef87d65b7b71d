"""The messages of a stream, in and out, whichever transport carries them."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from prefilter.serving.admission.refusal import NativeError, native_body
from prefilter.serving.errors import BadRequest, PrefilterError
from prefilter.serving.http.answers import OutcomeWord, PolicyName, grounds_of, named, scores_of
from prefilter.serving.http.body_reader import CLOSED, BodyReader, hint
from prefilter.serving.http.json_reader import read_json
from prefilter.serving.policy.decide import Ground
from prefilter.serving.policy.policy import Outcome
from prefilter.serving.stream.streaming import Broken, Ended, Released, Streaming


@with_config(CLOSED)
class StartMessage(TypedDict):
    """The first message: the fields of an item, whose text follows, and the policy."""

    policy: NotRequired[str | None]
    id: NotRequired[str | None]
    language: NotRequired[str | None]
    source: NotRequired[str | None]
    context: NotRequired[str | None]
    type: Annotated[str, hint(const="start")]


@with_config(CLOSED)
class TextMessage(TypedDict):
    """More of the text, cut anywhere."""

    type: Annotated[str, hint(const="text")]
    text: str


@with_config(CLOSED)
class EndMessage(TypedDict):
    """Nothing follows."""

    type: Annotated[str, hint(const="end")]


class StartedEvent(TypedDict):
    """The first event: what the policy promises of this stream."""

    type: Annotated[str, hint(const="started")]
    max_unsafe_chars: int
    enforced: bool
    policy: PolicyName
    model_version: str


class ReleaseEvent(TypedDict):
    """Text that may be shown; all of them together are the text up to there."""

    type: Annotated[str, hint(const="release")]
    text: str


class EndedEvent(TypedDict):
    """The last event of a text that was released whole, or cut."""

    type: Annotated[str, hint(enum=["done", "cut"])]
    outcome: OutcomeWord
    because: list[Ground]
    enforced: bool
    released_chars: int
    total_chars: int
    unsafe_chars: int
    windows_run: int
    decision_id: str | None
    case_id: NotRequired[str]
    scores: NotRequired[dict[str, float]]


class FailedEvent(NativeError):
    """The last event of a stream that could not go on: what has not gone out stays held back."""

    type: Annotated[str, hint(const="error")]
    released_chars: NotRequired[int]


MESSAGES = (StartMessage, TextMessage, EndMessage)
EVENTS = (StartedEvent, ReleaseEvent, EndedEvent, FailedEvent)
StreamEvent = StartedEvent | ReleaseEvent | EndedEvent | FailedEvent
_START, _TEXT, _END = BodyReader(StartMessage), BodyReader(TextMessage), BodyReader(EndMessage)


def read_start(raw: str | bytes) -> StartMessage:
    """Read the first message; raises BadRequest where it is none."""
    value = _value(raw)
    _check_kind(value, "start")
    return _START.check(value)


def read_piece(raw: str | bytes) -> str | None:
    """Read a later message: the text it adds, None where it ends the text. Raises BadRequest where it is neither."""
    value = _value(raw)
    if _check_kind(value, "text", "end") == "text":
        return _TEXT.check(value)["text"]
    _END.check(value)
    return None


def started_event(streaming: Streaming) -> StartedEvent:
    """Return what the policy promises of a stream."""
    policy = streaming.policy
    return {
        "type": "started",
        "max_unsafe_chars": policy.max_unsafe_chars,
        "enforced": policy.enforced,
        "policy": named(policy),
        "model_version": streaming.model_version,
    }


def release_event(event: Released) -> ReleaseEvent:
    """Return text that may be shown."""
    return {"type": "release", "text": event.text}


def ended_event(event: Ended) -> EndedEvent:
    """Return how a stream ended, and why."""
    decision, screened = event.decision, event.screened
    body: EndedEvent = {
        "type": "cut" if event.cut else "done",
        "outcome": Outcome.ALLOW.value if decision is None else decision.outcome.value,
        "because": [] if decision is None else grounds_of(decision.because),
        "enforced": decision is None or decision.enforced,
        "released_chars": event.released_chars,
        "total_chars": event.total_chars,
        "unsafe_chars": event.unsafe_chars,
        "windows_run": event.windows_run,
        "decision_id": None if screened is None else screened.decision_id,
    }
    if screened is not None and screened.case_id is not None:
        body["case_id"] = screened.case_id
    if screened is not None and screened.scored is not None:
        body["scores"] = scores_of(screened.scored)
    return body


def failed_event(error: PrefilterError, request_id: str | None) -> FailedEvent:
    """Return why a stream cannot go on."""
    return {"type": "error", "error": native_body(error, request_id)["error"]}


def broken_event(event: Broken, request_id: str | None) -> FailedEvent:
    """Return what is wrong with the text, and how much of it has gone out."""
    error = BadRequest(event.error.message, code=event.error.code, field="text")
    failed = failed_event(error, request_id)
    failed["released_chars"] = event.released_chars
    return failed


def _value(raw: str | bytes) -> object:
    return read_json(raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw)


def _check_kind(value: object, *expected: str) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in expected:
        raise BadRequest(f"a message of type {' or '.join(expected)} must come now", code="wrong_message", field="type")
    return kind
