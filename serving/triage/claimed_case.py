"""A case as its reviewer first sees it: masked, without a score, leased; and its text once revealed.

Scores are not shown at all, so that they do not lead. Frozen values; knows neither SQL nor who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prefilter.serving.store.case_rows import CaseRow, Span

MASK = "█"


@dataclass(frozen=True, slots=True)
class RevealedText:
    """The whole text and its context, to the reviewer who asked for them."""

    text: str
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive claim on a case."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedCase:
    """A case as its reviewer first sees it: masked, without a score."""

    case_id: str
    category: str | None  # None: the item could not be scored
    severity_band: str  # low | medium | high | unknown
    text_masked: str  # as long as the text, in code points
    context_masked: str | None  # all of it masked; None where there is none
    spans: tuple[Span, ...]
    words: int  # of the whole text: how much there is to read, before a word of it is seen
    language: str | None
    source: str | None
    unscored: str | None  # the reason code, where the text could not be scored
    escalated_by: str | None
    queue: str
    created_at: datetime
    lease: Lease


def mask(text: str, spans: Sequence[Span]) -> str:
    """Return `text` with the characters of the spans replaced one by one; all where there is no span."""
    if not spans:
        return MASK * len(text)
    characters = list(text)
    for span in spans:
        start, end = max(0, span.start), min(len(text), span.end)
        characters[start:end] = MASK * max(0, end - start)
    return "".join(characters)


def claimed(row: CaseRow) -> ClaimedCase:
    """The leased row as its reviewer sees it."""
    assert row.lease_token is not None
    assert row.lease_expires_at is not None
    return ClaimedCase(
        case_id=row.id,
        category=row.category,
        severity_band=row.severity_band,
        text_masked=mask(row.text or "", row.spans),
        context_masked=None if row.context is None else mask(row.context, ()),
        spans=row.spans,
        words=len((row.text or "").split()),
        language=row.language,
        source=row.source,
        unscored=row.unscored,
        escalated_by=row.escalated_by,
        queue=row.queue,
        created_at=row.created_at,
        lease=Lease(row.lease_token, row.lease_expires_at),
    )
