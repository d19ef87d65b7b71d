"""The model card itself: what a safety lead reads in five minutes; the tables behind it are pages of their own.

Headline figures are taken from the document by rule (the best, the middle and the worst suite, the worst term), never
chosen by hand. The words are in `explanations.toml`.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefilter.eval.card.sections import failure_sections
from prefilter.eval.card.sections.comparison_sections import reached
from prefilter.eval.card.sections.explanations import explain, points
from prefilter.eval.card.sections.headlines import headlines
from prefilter.eval.card.sections.making_sections import limits
from prefilter.eval.card.table import NONE, Section, Table, spread
from prefilter.eval.document import ResultsDocument
from prefilter.models.taxonomy import taxonomy

SHOWN = 3
"""Of each kind of known failure, so many are shown here."""
MET = "met"


def front_sections(document: ResultsDocument, behind: Sequence[tuple[str, str]]) -> list[Section]:
    """Return the sections of the card; `behind` are the pages of tables: (link, what is in it)."""
    made = (
        _about(document),
        _meanings(document),
        headlines(document),
        _limits(document),
        _failures(document),
        _targets(document),
        _certainty(document),
        _behind(behind),
    )
    return [section for section in made if section is not None]


def _about(document: ResultsDocument) -> Section:
    machine, window = document.machine, document.model.reads
    rows = [("Model", document.model_version), ("Languages", ", ".join(document.model.languages))]
    if window is not None:
        context = f", with the last {window.context} of a context" if window.context else "; it reads no context"
        rows.append(("Reads", f"windows of {window.length} word pieces{context}"))
    rows.append(("Measured", f"{document.created_at[:10]}, {machine.cpu}, {machine.cores} cores"))
    rows.append(("Command", f"`{document.command}`"))
    return Section("What it is, and for whom", explain("front_about"), (Table(("", ""), tuple(rows)),))


def _meanings(document: ResultsDocument) -> Section:
    """A line per category: what it means, whether its score is a probability, how it does on text of a new kind."""
    model = document.model
    unseen = model.making.leave_one_source_out
    heads = {} if unseen is None else unseen.categories
    rows = tuple(
        (
            f"`{name}`",
            entry.definition,
            "ranks only" if name in model.uncalibrated else "a probability",
            spread(heads[name], "auprc") if name in heads else NONE,
        )
        for name, entry in taxonomy().items()
        if name in model.categories
    )
    header = ("category", "in a line", "its score", "AUPRC on sources never trained on")
    return Section("What the categories mean", explain("front_meanings"), (Table(header, rows),))


def _limits(document: ResultsDocument) -> Section:
    """The limits, with the categories of low evidence and what the policies do with them."""
    return Section(
        "What it must not be relied on for",
        explain("front_limits"),
        limits(document).tables,
        points=points("front_limits_points"),
    )


def _failures(document: ResultsDocument) -> Section | None:
    rows = (
        *failure_sections.functionalities(document)[:SHOWN],
        *failure_sections.terms(document, SHOWN),
        *failure_sections.held(document, SHOWN),
        *failure_sections.missed(document, SHOWN),
    )
    table = Table(failure_sections.HEADER, rows)
    return Section("Known failures", explain("front_failures"), (table,)) if rows else None


def _targets(document: ResultsDocument) -> Section | None:
    """The targets that are missed."""
    every = reached(document)
    if every is None:
        return None
    (table,) = every.tables
    missed = tuple(row for row in table.rows if row[-1] != MET)
    said = f"{len(table.rows) - len(missed)} of {len(table.rows)} targets are met. "
    said += explain("front_targets") if missed else ""
    return Section("Targets missed", said.rstrip(), (Table(table.header, missed),))


def _certainty(document: ResultsDocument) -> Section:
    """What the figures can bear."""
    return Section("How certain this is", explain("front_certainty"), points=points("front_certainty_points"))


def _behind(behind: Sequence[tuple[str, str]]) -> Section:
    said = tuple(f"{link}: {what}" for link, what in behind)
    return Section("The tables behind it", explain("front_behind"), points=said)
