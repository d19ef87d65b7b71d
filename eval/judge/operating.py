"""What a policy would do with a suite: shares allowed, reviewed, blocked; harm missed, benign text blocked.

The policy's own rule decides, on the scores as a stream meets them (no declared language), so nothing here can
disagree with serving. It proves nothing about a future stream: a certified miss rate needs labels drawn from
that stream.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.document import RATES, HeldByLength, Interval, OutcomeShares
from prefilter.eval.metrics import wilson
from prefilter.eval.scoring.suite_scores import ERROR, UNSCORED, Pass
from prefilter.models.labels import HEADS
from prefilter.serving.policy.columns import ScoreColumns, decide_columns
from prefilter.serving.policy.policy import OUTCOMES, Outcome, Policy

NO_OUTCOME = -1


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A policy's answer per row: the outcome's severity [n], or NO_OUTCOME for a row that broke the contract.

    `uncalibrated` are the categories that were not allowed to block alone.
    """

    policy: Policy
    index: NDArray[np.int8]
    first_cause: NDArray[np.str_]
    uncalibrated: Collection[str] = ()

    def is_(self, outcome: Outcome) -> NDArray[np.bool_]:
        """Return True [n] where the policy answered `outcome`."""
        return np.asarray(self.index == outcome.severity)

    @property
    def held(self) -> NDArray[np.bool_]:
        """True [n] where the row was not allowed: reviewed, blocked or in error."""
        return ~self.is_(Outcome.ALLOW)


def decide_all(part: Pass, policy: Policy, *, uncalibrated: Collection[str] = ()) -> Outcomes:
    """Apply a policy to every row of a pass."""
    unscored = np.full(part.status.size, None, dtype=np.object_)
    unscored[part.status == UNSCORED] = [reason.decode() for reason in part.reason[part.status == UNSCORED]]
    columns = ScoreColumns(
        scores={head: part.scores[:, place] for place, head in enumerate(HEADS)},
        sources=np.full(part.status.size, None, dtype=np.object_),
        unscored=unscored,
    )
    decided = decide_columns(columns, policy, uncalibrated=uncalibrated)
    leading = [ground.category or ground.reason or "" for ground in decided.grounds().leading()]
    broken = part.status == ERROR
    allowed = decided.codes == Outcome.ALLOW.severity
    index = np.where(broken, np.int8(NO_OUTCOME), decided.codes)
    cause = np.where(broken | allowed, "", np.array(leading, dtype="U40"))
    return Outcomes(policy, index, cause, uncalibrated)


def operating_point(
    outcomes: Outcomes, *, known: NDArray[np.bool_] | None, harmful: NDArray[np.bool_] | None
) -> OutcomeShares:
    """Return shares and, where labels are known, the rates with their 95 % intervals.

    `miss_rate` = harmful rows allowed; `overblock_rate` = benign rows blocked; `held_benign_rate` =
    benign rows not allowed (review or block). Error rows have no outcome: callers treat them as not
    allowed, and they are counted in `errors`, outside every share.
    """
    decided = outcomes.index != NO_OUTCOME
    n = int(decided.sum())
    allow, review, block = (_share(int(outcomes.is_(outcome).sum()), n)[0] for outcome in OUTCOMES)
    point = OutcomeShares(n=n, errors=int((~decided).sum()), allow=allow, review=review, block=block)
    if known is None or harmful is None:
        return point
    bad, good = decided & known & harmful, decided & known & ~harmful
    events = (bad & outcomes.is_(Outcome.ALLOW), good & outcomes.is_(Outcome.BLOCK), good & outcomes.held)
    miss, overblock, held = (
        _share(int(event.sum()), int(rows.sum())) for rows, event in zip((bad, good, good), events, strict=True)
    )
    return replace(
        point,
        harmful=int(bad.sum()),
        benign=int(good.sum()),
        ci95=dict(zip(RATES, (miss[1], overblock[1], held[1]), strict=True)),
        miss_rate=miss[0],
        overblock_rate=overblock[0],
        held_benign_rate=held[0],
    )


def causes(outcomes: Outcomes, rows: NDArray[np.bool_]) -> dict[str, int]:
    """Return what held the given rows back first, most frequent first."""
    names, counts = np.unique(outcomes.first_cause[rows & outcomes.held], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(names[i]) or "error": int(counts[i]) for i in order}


def held_by_length(
    outcomes: Outcomes, lengths: NDArray[np.int64], *, parts: int = 10
) -> tuple[HeldByLength, ...]:
    """Return, for each part (decile) of length in code points, the shares not allowed and blocked."""
    table = []
    for low, high, rows in length_parts(lengths, parts=parts):
        n = int(rows.sum())
        held, ci95 = _share(int((rows & outcomes.held).sum()), n)
        blocked = _share(int((rows & outcomes.is_(Outcome.BLOCK)).sum()), n)[0]
        table.append(HeldByLength(chars=(low, high), n=n, held=held, blocked=blocked, ci95={"held": ci95}))
    return tuple(table)


def length_parts(lengths: NDArray[np.int64], *, parts: int = 10) -> list[tuple[int, int, NDArray[np.bool_]]]:
    """Cut rows [n] by length into at most `parts` groups of like size: (shortest, longest, its rows [n]).

    Rows of one length are never torn apart, so many equal lengths give fewer groups.
    """
    if not lengths.size:
        return []
    ordered = np.sort(lengths)
    edges = np.unique(
        ordered[np.minimum((np.arange(1, parts + 1) * lengths.size) // parts - 1, lengths.size - 1)]
    )
    group = np.searchsorted(edges, lengths, side="left")
    found = []
    for number in np.unique(group):
        rows = group == number
        found.append((int(lengths[rows].min()), int(lengths[rows].max()), rows))
    return found


def _share(events: int, n: int) -> tuple[float | None, Interval | None]:
    return (events / n if n else None), wilson(events, n)
