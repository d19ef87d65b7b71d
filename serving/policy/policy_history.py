"""What is recorded of a policy: its versions and activations, which one decides, and where a roll-back leads.

Knows rows as the store returns them, and no SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefilter.serving.store.policy_rows import Activation, PolicyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySummary:
    """One policy: its active version (None before the first activation) and its newest one."""

    name: str
    active: PolicyRow | None
    newest: PolicyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyHistory:
    """All of one policy: versions and activations, newest first."""

    name: str
    active: PolicyRow | None
    versions: tuple[PolicyRow, ...]
    activations: tuple[Activation, ...]

    @property
    def earlier(self) -> int | None:
        """The version a roll-back returns to; None where there is none."""
        return earlier_version(self.activations)


def summaries_of(rows: Sequence[PolicyRow]) -> list[PolicySummary]:
    """Sum up the versions of all policies, each policy's newest first."""
    named: dict[str, list[PolicyRow]] = {}
    for row in rows:
        named.setdefault(row.name, []).append(row)
    return [
        PolicySummary(name=name, active=active_version(versions), newest=versions[0])
        for name, versions in named.items()
    ]


def active_version(versions: Sequence[PolicyRow]) -> PolicyRow | None:
    """Return the version that decides; None before the first activation."""
    return next((row for row in versions if row.status == "active"), None)


def earlier_version(activations: Sequence[Activation]) -> int | None:
    """Return the version under the present one; newest activation first.

    A roll-back takes steps off the pile, so that going back again never returns to what was left.
    """
    pile: list[int] = []
    for change in reversed(activations):
        while change.rolled_back and pile and pile[-1] != change.version:
            pile.pop()
        if not change.rolled_back or not pile:
            pile.append(change.version)
    return pile[-2] if len(pile) > 1 else None
