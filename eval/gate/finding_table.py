"""What the gates found, as a table: what fell is first, then of each gate the metric with least room.

It knows findings and words, no terminal: rows of short strings go out.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefilter.eval.card.table import NONE
from prefilter.eval.gate.findings import Finding, Verdict
from prefilter.eval.gate.metric_gate import Reading

HEADER = ("gate", "metric", "live", "candidate (95 % interval)", "bound", "verdict")


def fallen(findings: Sequence[Finding]) -> list[Finding]:
    """Return what refuses the candidate, in gate order."""
    return [finding for finding in findings if finding.fell]


def rows(findings: Sequence[Finding], *, every: bool = False) -> list[tuple[str, ...]]:
    """Return the table's rows; `every` names each metric that holds, not only the tightest of its gate."""
    held = [finding for finding in findings if not finding.fell]
    if not every:
        by_gate: dict[str, list[Finding]] = {}
        for finding in held:
            by_gate.setdefault(finding.gate.name, []).append(finding)
        return [
            *(_row(finding, finding.verdict.value) for finding in fallen(findings)),
            *(_row(min(own, key=lambda f: f.room), _count(own)) for own in by_gate.values()),
        ]
    return [_row(finding, finding.verdict.value) for finding in (*fallen(findings), *held)]


def _count(own: Sequence[Finding]) -> str:
    """Say of how many metrics that hold the shown one has the least room."""
    tightest = min(own, key=lambda f: f.room)
    if len(own) == 1 or tightest.verdict is Verdict.ABSENT:
        return tightest.verdict.value
    return f"{len(own)} hold, this one closest"


def _row(finding: Finding, verdict: str) -> tuple[str, ...]:
    live, ours, bound = finding.live, finding.candidate, finding.bound
    sign = "\N{GREATER-THAN OR EQUAL TO}" if finding.gate.higher_is_better else "\N{LESS-THAN OR EQUAL TO}"
    return (
        finding.gate.name,
        finding.metric.replace("suites.", ""),
        NONE if live is None else f"{live.value:.4f}",
        NONE if ours is None else _with_interval(ours),
        NONE if bound is None else f"{sign} {bound:.4f}",
        verdict,
    )


def _with_interval(reading: Reading) -> str:
    if reading.ci95 is None:
        return f"{reading.value:.4f}"
    return f"{reading.value:.4f} ({reading.ci95[0]:.4f}{NONE}{reading.ci95[1]:.4f})"
