"""The stream's protocol, without a connection: the messages that are sent, and how those that come are read.

    client:  start · text* · end
    service: started · release* · exactly one of done, cut, error

A text is sent as it is generated and comes back (`release`) once it is known to be safe enough. A cut ends the
stream: the text that was held back is never released, and at most `max_unsafe_chars` of the released are unsafe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prefilter_client.errors import ConnectionFailed, StreamRefused, UnexpectedAnswer
from prefilter_client.exchange import error_parts, read_json
from prefilter_client.values import Because, Outcome, PolicyVersion
from prefilter_client.wire import becauses, outcome_of, policy_version, to_json

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
END = '{"type":"end"}'


@dataclass(frozen=True, slots=True)
class Start:
    """The first message of a stream: its policy, and what is known of the text."""

    policy: str | None = None
    id: str | None = None
    language: str | None = None
    source: str | None = None
    context: str | None = field(default=None, repr=False)

    def to_message(self) -> str:
        """Write the first message."""
        known = {name: getattr(self, name) for name in ("policy", "id", "language", "source", "context")}
        return _message({"type": "start", **{name: value for name, value in known.items() if value is not None}})


@dataclass(frozen=True, slots=True)
class Started:
    """The stream is open. At most `max_unsafe_chars` of unsafe text will ever be released, under this policy."""

    max_unsafe_chars: int
    policy: PolicyVersion
    model_version: str


@dataclass(frozen=True, slots=True)
class Release:
    """The next piece of the text that may be shown."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamResult:
    """How a stream ended, without its text; `decision_id` is None where there was nothing to decide."""

    outcome: Outcome
    because: tuple[Because, ...]
    released_chars: int
    decision_id: str | None
    case_id: str | None
    enforced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(StreamResult):
    """The whole text was released."""

    total_chars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(StreamResult):
    """The text was cut: `unsafe_chars` of what was released are unsafe, as far as is known."""

    unsafe_chars: int


Event = Started | Release | Done | Cut


def text_message(text: str) -> str:
    """Write a piece of text."""
    return _message({"type": "text", "text": text})


class Transcript:
    """The messages received on one stream, read in order."""

    def __init__(self) -> None:
        """Begin before `started`."""
        self.started: Started | None = None
        self.result: Done | Cut | None = None

    def read(self, message: str | bytes) -> Event:
        """Read one message; raises StreamRefused for an error and UnexpectedAnswer for what is out of place."""
        event = _event(read_json(message))
        if isinstance(event, Started) != (self.started is None):
            raise UnexpectedAnswer("the stream did not start, or started twice")
        if isinstance(event, Started):
            self.started = event
        elif not isinstance(event, Release):
            self.result = event
        return event

    def broken(self, close_code: int | None) -> ConnectionFailed:
        """Return the error of a connection that ended before the stream did; nothing more may be shown."""
        known = f"close code {close_code}" if close_code is not None else "no close code"
        return ConnectionFailed(f"the stream broke off before its end ({known})")


def _event(body: Any) -> Event:
    if isinstance(body, dict) and body.get("type") == "error":
        parts = error_parts(body)
        raise StreamRefused(parts.pop("message", "the stream was refused"), **parts)
    try:
        return _READERS[body["type"]](body)
    except (KeyError, TypeError, ValueError, AttributeError):
        pass  # raised below, unchained: what failed may hold released text
    raise UnexpectedAnswer("the stream said something that this client does not understand")


def _started(body: Mapping[str, Any]) -> Started:
    return Started(int(body["max_unsafe_chars"]), policy_version(body["policy"]), str(body["model_version"]))


def _release(body: Mapping[str, Any]) -> Release:
    if not isinstance(body["text"], str):
        raise TypeError("not a string")
    return Release(body["text"])


def _done(body: Mapping[str, Any]) -> Done:
    return Done(total_chars=int(body["total_chars"]), **_ending(body))


def _cut(body: Mapping[str, Any]) -> Cut:
    return Cut(unsafe_chars=int(body["unsafe_chars"]), **_ending(body))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Event]] = {
    "started": _started,
    "release": _release,
    "done": _done,
    "cut": _cut,
}


def _ending(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "outcome": outcome_of(body["outcome"]),
        "because": becauses(body["because"]),
        "released_chars": int(body["released_chars"]),
        "decision_id": body["decision_id"],
        "case_id": body.get("case_id"),
        "enforced": bool(body["enforced"]),
    }


def _message(body: Mapping[str, Any]) -> str:
    return to_json(body).decode()
