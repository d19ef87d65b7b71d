"""The order of a card: every section on the page of plots, and the same sections as a few pages of tables by topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prefilter.eval.card.sections import (
    comparison_sections,
    detail_sections,
    failure_sections,
    making_sections,
    suite_sections,
)
from prefilter.eval.card.table import Section
from prefilter.eval.document import ResultsDocument

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


@dataclass(frozen=True, slots=True)
class TablesPage:
    """A page of tables behind the card: its file, its title, what is in it, and its sections."""

    name: str
    title: str
    about: str
    makers: Sequence[Make]

    def sections(self, document: ResultsDocument) -> list[Section]:
        """Return its sections that the document has numbers for."""
        return [section for make in self.makers if (section := make(document)) is not None]


TABLES_PAGES: Sequence[TablesPage] = (
    TablesPage(
        "definitions",
        "Categories and sub-categories",
        "every category with its boundary, and what has no head of its own",
        (making_sections.meanings, detail_sections.derived),
    ),
    TablesPage(
        "failures",
        "Limits, failures and targets",
        "all known failures, and for each missed target what was tried",
        (making_sections.limits, failure_sections.failures, comparison_sections.reached),
    ),
    TablesPage(
        "suites",
        "Every suite",
        "the verdict and each category on every suite, by length and source, spans, context",
        (
            suite_sections.verdict,
            suite_sections.categories,
            detail_sections.slices,
            detail_sections.spans,
            detail_sections.context,
            suite_sections.reading,
        ),
    ),
    TablesPage(
        "groups",
        "HateCheck and identity terms",
        "hate by functionality and by group targeted, bias per identity term",
        (suite_sections.hatecheck, suite_sections.bias),
    ),
    TablesPage(
        "outcomes",
        "What the shipped policies do",
        "false alarms on benign text, harm missed and benign text blocked per suite, other languages",
        (suite_sections.false_alarms, suite_sections.policies, suite_sections.languages),
    ),
    TablesPage(
        "comparisons",
        "Comparisons",
        "the model before and a baseline on the same rows, sources never trained on, published numbers",
        (comparison_sections.beside, comparison_sections.held_out, comparison_sections.rivals),
    ),
    TablesPage(
        "making",
        "How it was made",
        "architecture, calibration, int8 against fp32, training data with licences, cost",
        (
            making_sections.about,
            making_sections.calibration,
            making_sections.int8,
            making_sections.data,
            making_sections.making,
        ),
    ),
)
