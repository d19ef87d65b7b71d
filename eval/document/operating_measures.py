"""What a policy does with a suite: shares of outcomes, rates of error with intervals, both also by length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prefilter.eval.document.category_measures import CategoryMeasures, Intervals
from prefilter.eval.document.json_parts import LEADING, Part

RATES = ("miss_rate", "overblock_rate", "held_benign_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldByLength(Part):
    """Texts of `chars` code points (shortest, longest): the shares not allowed and blocked."""

    chars: tuple[int, int]
    n: int
    held: float | None
    blocked: float | None
    ci95: Intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeShares(Part):
    """Shares of the outcomes among `n` rows, and the rates of error where labels are known (`harmful` is there)."""

    n: int
    errors: int
    allow: float | None
    review: float | None
    block: float | None
    harmful: int | None = None
    benign: int | None = None
    ci95: Intervals | None = None
    miss_rate: float | None = None
    overblock_rate: float | None = None
    held_benign_rate: float | None = None

    def leaves_out(self, name: str) -> bool:
        """A rate is written, null or not, wherever labels are known."""
        return self.harmful is None if name in RATES else Part.leaves_out(self, name)

    @property
    def held(self) -> float | None:
        """The share not allowed, None of no rows."""
        return None if not self.n or self.review is None or self.block is None else self.review + self.block


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingMeasures(OutcomeShares):
    """A version of a policy on a suite; `held_first_by` counts what its benign rows were held by."""

    version: int = field(metadata=LEADING)
    enforced: bool = field(metadata=LEADING)
    held_first_by: Mapping[str, int]
    by_length: tuple[HeldByLength, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneRates(Part):
    """The rates of error of a policy when the model is not given the context."""

    miss_rate: float | None
    held_benign_rate: float | None
    ci95: Intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutContext(Part):
    """What a suite of pairs measures when the model is not given the context."""

    any: CategoryMeasures
    operating: Mapping[str, AloneRates]


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms(Part):
    """All suites that are benign by origin together, under one policy."""

    suites: tuple[str, ...]
    n: int
    held: float
    blocked: float
    ci95: Intervals
    by_length: tuple[HeldByLength, ...]
