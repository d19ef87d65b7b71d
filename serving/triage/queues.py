"""The queues: one for each category, one for what could not be scored, one for what a lead is to read.

Says which there are and what a reviewer sees of each; knows no SQL and no lease.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from prefilter.models.labels import HEADS
from prefilter.serving.store.queue_rows import ESCALATED_QUEUE, QueueCount
from prefilter.serving.triage.new_case import UNSCORED_QUEUE

QUEUES: tuple[str, ...] = (*HEADS, UNSCORED_QUEUE, ESCALATED_QUEUE)


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue as one reviewer sees it: how many cases wait for him, how many are being read, since when.

    `skipped`: how many wait for somebody else, because he skipped them.
    """

    name: str
    open: int
    leased: int
    oldest_at: datetime | None
    skipped: int = 0


def queue_views(counts: Iterable[QueueCount], *, escalated: bool) -> list[QueueView]:
    """Return every queue, empty ones too, in the order of the taxonomy; the `escalated` one only where asked for."""
    counted = {count.queue: count for count in counts}
    names = [name for name in QUEUES if escalated or name != ESCALATED_QUEUE]
    return [_view(name, counted.get(name)) for name in names]


def _view(name: str, count: QueueCount | None) -> QueueView:
    if count is None:
        return QueueView(name, 0, 0, None)
    return QueueView(name, count.open, count.leased, count.oldest_at, count.skipped)
