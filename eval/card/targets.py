"""Targets: what the model was meant to reach, against what the results document says it reached.

The targets are data (`targets.toml`), each with a path into the document and a bound; the worst value under a
path counts. It measures nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from prefilter.eval.judge.metrics import wilson

TARGETS_FILE = Path(__file__).parent / "targets.toml"
ANY_KEY = "*"
SHARES = ("allow", "review", "block", "flips")
"""Plain shares that carry no interval of their own; the count beside them gives it."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The worst value found for a target: where, and its 95 % interval where it has one."""

    value: float
    where: str
    ci95: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Target:
    """One target: `least` or `most` is its bound; `tried` is for people to read."""

    what: str
    path: str
    least: float | None = None
    most: float | None = None
    tried: str = ""

    @property
    def bound(self) -> float:
        """The bound, whichever way it points."""
        value = self.least if self.least is not None else self.most
        if value is None:
            raise ValueError(f"{self.what}: a target needs least or most")
        return value

    def reached(self, document: Mapping[str, Any]) -> Reached | None:
        """Return the worst value in the document, None where it was not measured."""
        found = list(_found(document, self.path.split("."), ()))
        worst = min if self.least is not None else max
        return worst(found, key=lambda own: own.value, default=None)

    def missed_by(self, value: float) -> float:
        """Return how far a value falls short of the bound, zero or less where it is met."""
        return self.bound - value if self.least is not None else value - self.bound


@lru_cache(maxsize=1)
def targets() -> tuple[Target, ...]:
    """Return the targets of `targets.toml` in order."""
    raw = tomllib.loads(TARGETS_FILE.read_text(encoding="utf-8"))
    return tuple(Target(**entry) for entry in raw["target"])


def _found(table: Any, parts: list[str], named: tuple[str, ...]) -> Iterator[Reached]:
    """Every number under a path; what a `*` stood for is named."""
    first, *rest = parts
    if not isinstance(table, Mapping):
        return
    for key in list(table) if first == ANY_KEY else [first] if first in table else []:
        name = (*named, key) if first == ANY_KEY else named
        value = table[key]
        if rest:
            yield from _found(value, rest, name)
        elif key != "ci95" and isinstance(value, int | float) and not isinstance(value, bool):
            yield Reached(float(value), ", ".join(name), _interval(table, key, float(value)))


def _interval(table: Mapping[str, Any], key: str, value: float) -> tuple[float, float] | None:
    bounds = (table.get("ci95") or {}).get(key)
    if bounds:
        return float(bounds[0]), float(bounds[1])
    n = table.get("n", table.get("texts"))
    return wilson(round(value * n), n) if key in SHARES and isinstance(n, int) else None
