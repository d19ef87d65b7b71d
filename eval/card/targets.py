"""Targets: what the model was meant to reach, against what the results document says it reached.

The targets are data (`targets.toml`), each with a path into the document and a bound; the worst value under a
path counts. It measures nothing.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from prefilter.eval.document import find

TARGETS_FILE = Path(__file__).parent / "targets.toml"


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

    def reached(self, document: object) -> Reached | None:
        """Return the worst value in the document (its plain form), None where it was not measured."""
        found = (Reached(own.value, ", ".join(own.stars), own.ci95) for own in find(document, self.path))
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
