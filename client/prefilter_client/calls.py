"""The calls of the service, each as a flow: which request is made, and how its answer is read.

A flow sends nothing itself (see `exchange`), so both clients carry out the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prefilter_client.batches import Batch
from prefilter_client.errors import TooLarge, UnexpectedAnswer, Unprocessable
from prefilter_client.exchange import Answer, Flow, Lost, Request, Retries, exchange, failed, once, refused
from prefilter_client.values import Item, RecordedDecision, Row, RowError, ScoreResponse
from prefilter_client.wire import (
    Sendable,
    Submission,
    path_of,
    read,
    recorded_decision,
    score_body,
    score_response,
    sendable,
    to_json,
)

STREAM_PATH = "/v1/stream"


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """How items are to be screened: by which policy (None: the service's own), and how thoroughly."""

    policy: str | None = None
    explain: bool = False
    exact: bool = False


def as_batch(items: Submission | Iterable[Submission]) -> Batch:
    """Return the items of one request; a single text, Item or mapping is a batch of one."""
    if isinstance(items, (str, Item, Mapping)):
        return (sendable(items),)
    return tuple(sendable(item) for item in items)


def score(batch: Sequence[Sendable], options: ScoreOptions, retries: Retries) -> Flow[ScoreResponse]:
    """Screen a batch in one request."""
    body = score_body(batch, policy=options.policy, explain=options.explain, exact=options.exact)
    answer = yield from exchange(Request("POST", "/v1/score", body), retries)
    return read(answer, lambda found: score_response(found, rows=len(batch)))


def score_rows(batch: Sequence[Sendable], options: ScoreOptions, retries: Retries) -> Flow[tuple[Row, ...]]:
    """Screen a batch, in halves where it is over the service's limits; one item over them is that row's error."""
    try:
        response = yield from score(batch, options, retries)
    except (TooLarge, Unprocessable) as refusal:
        if not isinstance(refusal, TooLarge) and refusal.code != "too_many_items":
            raise
        code, message = refusal.code, refusal.message
    else:
        return response.rows
    if len(batch) == 1:
        return (RowError(batch[0].id, code, message),)
    middle = len(batch) // 2
    first = yield from score_rows(batch[:middle], options, retries)
    second = yield from score_rows(batch[middle:], options, retries)
    return first + second


def decision(decision_id: str, retries: Retries) -> Flow[RecordedDecision]:
    """Read a recorded decision."""
    request = Request("GET", path_of("/v1/decisions", decision_id))
    return read((yield from exchange(request, retries)), recorded_decision)


def appeal(decision_id: str, text: str, context: str | None, retries: Retries) -> Flow[str]:
    """Ask for a person; returns the id of the case, the same one however often it is asked."""
    body = {"text": text} if context is None else {"text": text, "context": context}
    request = Request("POST", path_of("/v1/decisions", decision_id, "appeal"), to_json(body))
    return read((yield from exchange(request, retries)), lambda found: str(found["case_id"]))


def erase(item_id: str, retries: Retries) -> Flow[int]:
    """Erase what is kept of an item; returns how many cases it had."""
    request = Request("DELETE", path_of("/v1/items", item_id))
    return read((yield from exchange(request, retries)), lambda found: int(found["erased_cases"]))


def ready() -> Flow[bool]:
    """Ask whether the service can screen now: False while it starts, and where nothing answers."""
    reply = yield from once(Request("GET", "/readyz"))
    if isinstance(reply, Lost):
        if not reply.passing:
            raise failed(reply)
        return False
    if reply.status in (502, 503, 504):
        return False
    if reply.status != 200:
        raise refused(reply) if reply.status >= 400 else UnexpectedAnswer(f"HTTP {reply.status}")
    return True


def open_stream(retries: Retries) -> Flow[Answer]:
    """Open a stream's connection; a refusal is retried like any other."""
    return (yield from exchange(Request("GET", STREAM_PATH), retries))
