"""One suite of a results document: what it is, how many rows were scored, and everything measured on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prefilter.eval.document.bias_measures import BiasMeasures
from prefilter.eval.document.category_measures import CategoryMeasures, Intervals, SliceMeasures
from prefilter.eval.document.curve_points import VerdictCurves
from prefilter.eval.document.hatecheck_measures import HatecheckMeasures
from prefilter.eval.document.json_parts import LEADING, Part
from prefilter.eval.document.operating_measures import OperatingMeasures, WithoutContext
from prefilter.eval.document.span_measures import ShownSpanMeasures
from prefilter.models.labels import ANY


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeclared(Part):
    """What the same rows meet when nobody declares their language."""

    n_unscored: int
    share_unscored: float | None
    ci95: Intervals
    unscored_reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged(Part):
    """What is measured on a suite by itself; `any` is the verdict of harm, the maps are by name or by head."""

    n: int
    available: int
    n_scored: int
    n_unscored: int
    n_errors: int
    unscored_reasons: Mapping[str, int]
    error_codes: Mapping[str, int]
    undeclared: Undeclared
    tokens: int
    categories: Mapping[str, CategoryMeasures]
    any: CategoryMeasures
    slices: Mapping[str, Mapping[str, SliceMeasures]]
    operating: Mapping[str, OperatingMeasures]
    hatecheck: Mapping[str, HatecheckMeasures] | None = None
    bias: Mapping[str, BiasMeasures] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult(Judged):
    """A suite in its role; `context` says whether it was scored as pairs, None for a suite without contexts."""

    role: str = field(metadata=LEADING)
    split: str | None = field(metadata=LEADING)
    about: str = field(metadata=LEADING)
    curves: VerdictCurves | None = None
    context: bool | None = None
    without_context: WithoutContext | None = None
    spans: ShownSpanMeasures | None = None
    span_heads: tuple[str, ...] | None = None

    def leaves_out(self, name: str) -> bool:
        """Spans are written, null or not, wherever heads were asked for them."""
        return self.span_heads is None if name == "spans" else Part.leaves_out(self, name)

    def heads(self) -> Iterator[tuple[str, CategoryMeasures]]:
        """The verdict, then the categories, by head."""
        yield ANY, self.any
        yield from self.categories.items()
