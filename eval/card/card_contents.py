"""The order of a card: every section on the page of plots, and the same sections as a few pages of tables by topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prefilter.eval.card import (
    comparison_sections,
    detail_sections,
    failure_sections,
    making_sections,
    suite_sections,
)
from prefilter.eval.card.table import Section
from prefilter.eval.document.results_document import ResultsDocument

Make = Callable[[ResultsDocument], Section | None]

READING_ORDER: Sequence[Make] = (
    making_sections.about,
    making_sections.meanings,
    detail_sections.derived,
    making_sections.limits,
    failure_sections.failures,
    comparison_sections.reached,
    comparison_sections.beside,
    comparison_sections.held_out,
    suite_sections.verdict,
    suite_sections.categories,
    detail_sections.slices,
    suite_sections.hatecheck,
    suite_sections.bias,
    detail_sections.spans,
    detail_sections.context,
    suite_sections.false_alarms,
    suite_sections.policies,
    suite_sections.languages,
    making_sections.calibration,
    making_sections.int8,
    comparison_sections.rivals,
    making_sections.data,
    making_sections.making,
    suite_sections.reading,
)


def sections(document: ResultsDocument) -> list[Section]:
    """Return every section that the document has numbers for, in reading order."""
    return [section for make in READING_ORDER if (section := make(document)) is not None]
