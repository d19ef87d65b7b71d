"""The results document of `prefilter evaluate`: which model, by which command, on which suites, with what result.

It holds numbers, counts and names, never a text. None is a part that this run did not measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefilter.eval.document.category_measures import LengthMeasures, SubcategoryMeasures
from prefilter.eval.document.curve_points import ReliabilityBins
from prefilter.eval.document.json_parts import Part
from prefilter.eval.document.model_description import Int8Cost, ModelDescription
from prefilter.eval.document.operating_measures import FalseAlarms
from prefilter.eval.document.rival_summary import RivalSummary
from prefilter.eval.document.suite_result import SuiteResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine(Part):
    """The machine that measured."""

    cpu: str
    cores: int
    instructions: str
    system: str
    python: str
    onnxruntime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BandEdges(Part):
    """One category's edges in a policy, and why."""

    review: float | None
    block: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDescription(Part):
    """A policy as it judged."""

    version: int
    categories: Mapping[str, BandEdges]
    unreadable: str
    enforced: bool
    reason: str
    streaming: Mapping[str, int] | None = None
    sources: Mapping[str, Mapping[str, BandEdges]] | None = None

    @property
    def edges(self) -> Mapping[str, tuple[float | None, float | None]]:
        """(review, block) by category."""
        return {category: (band.review, band.block) for category, band in self.categories.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubcategoriesOf(Part):
    """The run that measured the sub-categories, where it was another than the document's."""

    model_version: str
    created_at: str
    command: str
    machine: Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsDocument(Part):
    """The whole document; the maps are by name."""

    model_version: str
    created_at: str
    command: str
    machine: Machine
    model: ModelDescription
    policies: Mapping[str, PolicyDescription]
    suites: Mapping[str, SuiteResult]
    int8: Int8Cost | None = None
    false_alarms: Mapping[str, FalseAlarms] | None = None
    by_length: tuple[LengthMeasures, ...] | None = None
    reliability: Mapping[str, ReliabilityBins] | None = None
    subcategories: tuple[SubcategoryMeasures, ...] | None = None
    beside: tuple[RivalSummary, ...] | None = None
    subcategories_of: SubcategoriesOf | None = None

    def of_roles(self, *roles: str) -> dict[str, SuiteResult]:
        """The suites in one of the roles, in order."""
        return {name: suite for name, suite in self.suites.items() if suite.role in roles}

    def distinct_policies(self) -> list[str]:
        """Name the policies that decide differently: one that only repeats another's edges is not named."""
        named: dict[str, Mapping[str, tuple[float | None, float | None]]] = {}
        for name, policy in self.policies.items():
            if policy.edges not in named.values():
                named[name] = policy.edges
        return list(named)
