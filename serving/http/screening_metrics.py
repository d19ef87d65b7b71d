"""Screening metrics: what was answered of screened items, counted in the telemetry's words."""

from __future__ import annotations

from collections.abc import Sequence

from prefilter.serving.screening.screening import ScreenedItem
from prefilter.serving.telemetry import Telemetry


def count(telemetry: Telemetry, rows: Sequence[ScreenedItem]) -> None:
    """Count what was answered."""
    scored = [row.scored for row in rows if row.scored is not None]
    telemetry.screened(
        outcomes=["error" if row.decision is None else row.decision.outcome.value for row in rows],
        stages=[answer.stage for answer in scored if answer.scores],
        unscored=[answer.unscored for answer in scored if answer.unscored is not None],
    )
    telemetry.tokens.inc(sum(answer.tokens_seen for answer in scored))
    telemetry.cases.inc(sum(row.case_id is not None for row in rows))
