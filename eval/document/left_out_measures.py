"""The leave-out measure of a recipe: by source and head, by head, the mean over heads, and its rivals' means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefilter.eval.document.category_measures import Intervals
from prefilter.eval.document.json_parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutMean(Part):
    """The mean over heads, or over the sources of one head."""

    ci95: Intervals
    auprc: float
    recall_at_1pct_fpr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutHead(LeftOutMean):
    """One head; `sources` is how many judge it."""

    sources: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutSource(Part):
    """One head on one source."""

    auprc: float
    recall_at_1pct_fpr: float
    auroc: float
    n: int
    positives: int

    @property
    def ranking(self) -> tuple[float, float, float]:
        """AUROC, AUPRC, recall at 1 % false positives."""
        return self.auroc, self.auprc, self.recall_at_1pct_fpr


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutRecipe(Part):
    """One recipe or rival in a line: its means are the numbers under all other keys (`mean_auprc`, `any_auprc` …)."""

    name: str
    ci95: Intervals | None = None

    @property
    def means(self) -> dict[str, float]:
        """The means by name, as far as they are defined."""
        return {key: value for key, value in self.unknown.items() if isinstance(value, int | float)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutMeasures(Part):
    """One recipe's measure; what follows `mean` is added when the rounds are over."""

    sources: Mapping[str, Mapping[str, LeftOutSource]]
    categories: Mapping[str, LeftOutHead]
    mean: LeftOutMean
    recipes: tuple[LeftOutRecipe, ...] | None = None
    recipe: str | None = None
    groups: Mapping[str, tuple[str, ...]] | None = None
    tokens: int | None = None
    rows_per_source: int | None = None
    least_of_a_kind: int | None = None
    date: str | None = None
    machine: Mapping[str, object] | None = None
    command: str | None = None
