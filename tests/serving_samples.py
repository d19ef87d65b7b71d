"""Samples the serving tests share: an instant, a clock that can be moved, a decision, principals, OpenAI's 13 names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from prefilter.serving.auth import Principal
from prefilter.serving.store import new_id
from prefilter.serving.store.decision_rows import DecisionRow

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ANN, BEN = Principal("key_a", "ann", "reviewer"), Principal("key_b", "ben", "reviewer")
LEE, SAM = Principal("key_l", "lee", "lead"), Principal("key_s", "sam", "safety")
PIPE, ADA = Principal("key_p", "pipe", "pipeline"), Principal("key_x", "ada", "admin")
OPENAI_NAMES = {
    "hate", "hate/threatening", "harassment", "harassment/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
}  # fmt: skip


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


def a_decision(**changes: Any) -> DecisionRow:
    """A REVIEW decision in the middle of its band, changed as asked."""
    values: dict[str, Any] = {
        "id": new_id("dec"),
        "item_id": new_id("itm"),
        "text_digest": "d" * 64,
        "outcome": "review",
        "because": [{"category": "insult", "score": 0.5, "band": [0.3, 0.7]}],
        "scores": {},
        "enforced": True,
        "policy_name": "model-output",
        "policy_version": 1,
        "model_version": "test-1",
        "key_name": "pipe",
        "created_at": NOW,
    }
    return DecisionRow(**{**values, **changes})
