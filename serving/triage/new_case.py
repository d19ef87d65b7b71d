"""A case on its way in: a deferred decision with its text, and what the case is opened as.

The category that decided gives its queue and its severity band, the place of the score in its band its priority. Pure
values; knows neither the database nor who reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prefilter.models.labels import HEADS
from prefilter.serving.store import new_id
from prefilter.serving.store.case_rows import NewCaseRow, Span
from prefilter.serving.store.decision_rows import DecisionRow

UNSCORED_QUEUE = "unscored"
DUE_HOURS = 24
# What a category prepares a reviewer for; the score is not part of it, so that it gives nothing away.
SEVERITY_BANDS: Mapping[str, str] = {
    "profanity": "low",
    "toxicity": "low",
    "insult": "low",
    "harassment": "medium",
    "sexual": "medium",
    "illicit": "medium",
    "hate": "high",
    "threat": "high",
    "violence": "high",
    "self_harm": "high",
}


@dataclass(frozen=True, slots=True)
class NewCase:
    """What opens a case: a REVIEW decision, the item's text and context, the spans (code points) that speak for it."""

    decision: DecisionRow
    text: str
    spans: Sequence[Span] = ()
    language: str | None = None
    context: str | None = None


def new_row(new: NewCase, *, dedupe_key: str) -> NewCaseRow:
    """Return what is stored of a case when it is opened."""
    decision = new.decision
    category, priority = deciding(decision.because)
    return NewCaseRow(
        id=new_id("cas"),
        decision_id=decision.id,
        dedupe_key=dedupe_key,
        item_id=decision.item_id,
        key_name=decision.key_name,
        source=decision.source,
        language=new.language or decision.language,
        category=category,
        severity_band="unknown" if category is None else SEVERITY_BANDS.get(category, "unknown"),
        queue=category or UNSCORED_QUEUE,
        priority=priority,
        created_at=decision.created_at,
        due_at=decision.created_at + timedelta(hours=DUE_HOURS),
        text=new.text,
        spans=tuple(new.spans),
        context=new.context,
    )


def deciding(because: Sequence[Mapping[str, Any]]) -> tuple[str | None, float]:
    """Return the category that sent an item to review and its priority: 0, first, mid-band."""
    for ground in because:
        category = ground.get("category")
        if category in HEADS:
            score, band = ground.get("score"), ground.get("band")
            if score is None or not band or band[1] <= band[0]:
                return category, 0.5
            half = (band[1] - band[0]) / 2
            return category, min(1.0, abs(score - band[0] - half) / half)
    return None, 0.5
