"""A rival in short: the headline numbers of an earlier model or of a baseline, small enough to be kept.

A summary is made of any results document, also of an older one: only the keys that it needs are read (`Measured`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from prefilter.eval.document.bias_measures import WorstTerms
from prefilter.eval.document.category_measures import Estimated, Intervals
from prefilter.eval.document.hatecheck_measures import HatecheckHeadlines
from prefilter.eval.document.json_parts import LEADING, Part, stripped
from prefilter.eval.document.span_measures import ShownSpanMeasures
from prefilter.models.labels import ANY

POLICY = "model-output"
"""The policy whose shares are compared: the one that acts unless another is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSummary(Part):
    """One head on one suite."""

    n: int
    positives: int
    auprc: float | None
    recall_at_1pct_fpr: float | None
    ci95: Intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySummary(Part):
    """The default policy on one suite; without `miss_rate` where no label is known."""

    n: int
    review: float | None
    block: float | None
    miss_rate: float | None = None
    ci95: Intervals = field(default_factory=dict)

    def leaves_out(self, name: str) -> bool:
        """The miss rate is written, null or not, wherever it has an entry among the intervals."""
        return name not in self.ci95 if name == "miss_rate" else Part.leaves_out(self, name)

    @property
    def held(self) -> float | None:
        """The share not allowed, None of no rows."""
        return None if not self.n or self.review is None or self.block is None else self.review + self.block


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideHeads(Part):
    """What is known of a suite beside its heads, each by name and only where it was measured."""

    operating: Mapping[str, PolicySummary]
    hatecheck: Mapping[str, HatecheckHeadlines] | None = None
    bias: Mapping[str, WorstTerms] | None = None
    spans: ShownSpanMeasures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSummary(BesideHeads):
    """One suite in short: `heads` are those that were measured, the verdict among them."""

    n: int = field(metadata=LEADING)
    heads: Mapping[str, HeadSummary] = field(metadata=LEADING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalSummary(Part):
    """The summary of a document: `summary` is its name in a comparison, `about` how it was made."""

    summary: str
    about: str
    model_version: str
    created_at: str
    command: str
    suites: Mapping[str, SuiteSummary]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSuite(BesideHeads):
    """One suite of a results document, as far as a summary tells it."""

    n: int = field(metadata=LEADING)
    any: HeadSummary = field(metadata=LEADING)
    categories: Mapping[str, HeadSummary] = field(metadata=LEADING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Part):
    """A results document, as far as a summary tells it."""

    model_version: str
    created_at: str
    command: str
    suites: Mapping[str, MeasuredSuite]


def summarise(document: Measured, *, name: str = "", about: str = "") -> RivalSummary:
    """Return the headline numbers of a results document."""
    return RivalSummary(
        summary=name or document.model_version,
        about=about,
        model_version=document.model_version,
        created_at=document.created_at,
        command=document.command,
        suites={key: _suite(suite) for key, suite in document.suites.items()},
    )


def _suite(suite: MeasuredSuite) -> SuiteSummary:
    heads = {ANY: suite.any, **suite.categories}
    point = suite.operating.get(POLICY)
    return SuiteSummary(
        n=suite.n,
        heads={
            head: replace(stripped(row), ci95=_bounds(row, "auprc", "recall_at_1pct_fpr"))
            for head, row in heads.items()
            if row.auprc
        },
        operating={} if point is None else {POLICY: replace(stripped(point), ci95=_bounds(point, "miss_rate"))},
        hatecheck={head: stripped(own) for head, own in suite.hatecheck.items()} if suite.hatecheck else None,
        bias={head: stripped(own) for head, own in suite.bias.items()} if suite.bias else None,
        spans=suite.spans,
    )


def _bounds(row: Estimated, *names: str) -> Intervals:
    return {name: own for name, own in (row.ci95 or {}).items() if name in names}
