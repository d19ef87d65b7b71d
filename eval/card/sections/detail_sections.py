"""Closer looks as sections: slices by length and source, spans, context, and what has no head of its own."""

from __future__ import annotations

from prefilter.eval.card.sections.explanations import explain
from prefilter.eval.card.table import NONE, Section, Table, number, percent, rate, spread
from prefilter.eval.document import RankedMeasures, ResultsDocument
from prefilter.eval.suites.suite_plan import Role

RANKED = ("auroc", "auprc", "recall_at_1pct_fpr")
_NAMES = ("AUROC", "AUPRC", "recall at 1 % FPR")


def slices(document: ResultsDocument) -> Section | None:
    """The verdict of harm by length, over all suites of harm and within each; and by source within a suite."""
    pooled = tuple(
        (_chars(*row.chars), *_counts(row), *(spread(row, k) for k in RANKED), rate(row, "fpr_at_half"))
        for row in document.by_length or ()
    )
    within, sources = [], []
    for name, suite in document.of_roles(Role.HARM).items():
        within += [
            (name, _chars(*chars.split("-")), *_counts(row), *(spread(row, k) for k in RANKED))
            for chars, row in suite.slices["length"].items()
            if row.auroc is not None
        ]
        by_source = suite.slices.get("source", {})
        sources += [
            (name, source, *_counts(row), *(spread(row, k) for k in RANKED))
            for source, row in by_source.items()
            if len(by_source) > 1
        ]
    measures = ("rows", "harmful", *_NAMES)
    tables = (
        Table(("characters, all suites of harm", *measures, "benign rows at 0.5 or more"), pooled),
        Table(("suite", "characters", *measures), tuple(within)),
        Table(("suite", "source", *measures), tuple(sources)),
    )
    return Section("Slices by length and source", explain("slices"), tables) if any(tables) else None


def spans(document: ResultsDocument) -> Section | None:
    """Whether the marked characters are those that people marked."""
    rows = [
        (
            name,
            ", ".join(f"`{head}`" for head in suite.span_heads or ()),
            how,
            str(own.n),
            spread(own, "f1"),
            number(own.precision),
            number(own.recall),
            percent(own.masked_share),
            percent(own.gold_share),
        )
        for name, suite in document.suites.items()
        if suite.spans is not None
        for how, own in (("as shown", suite.spans), ("edge reached", suite.spans.at_edge))
        if own is not None
    ]
    header = ("suite", "heads", "what", "texts", "F1", "precision", "recall", "characters marked", "by people")
    return Section("Spans", explain("spans"), (Table(header, tuple(rows)),)) if rows else None


def context(document: ResultsDocument) -> Section | None:
    """Which suites were scored as pairs, and what the verdict of harm measures without the context."""
    rows, held = [], []
    for name, suite in document.suites.items():
        if suite.context is None:
            continue
        rows.append((name, "yes" if suite.context else "no", *_verdict(suite.any)))
        if suite.without_context is None:
            continue
        rows.append((name, "no", *_verdict(suite.without_context.any)))
        for policy, before in suite.without_context.operating.items():
            after = suite.operating[policy]
            miss = rate(before, "miss_rate"), rate(after, "miss_rate")
            benign = rate(before, "held_benign_rate"), rate(after, "held_benign_rate")
            held.append((name, policy, *miss, *benign))
    if not rows:
        return None
    header = ("suite", "with context", "harmful", *_NAMES)
    policies = ("suite", "policy", "miss: alone", "miss: in context", "benign held: alone", "benign held: in context")
    return Section("Context", explain("context"), (Table(header, tuple(rows)), Table(policies, tuple(held))))


def derived(document: ResultsDocument) -> Section | None:
    """Sub-categories that have no head: whose score stands in for them, and how well it finds them."""
    if not document.subcategories:
        return None
    rows = []
    for sub in document.subcategories:
        stands = " and ".join(f"`{head}`" for head in sub.heads)
        if not sub.evidence:
            rows.append((sub.name, stands, "not measured: nobody labelled it", *[NONE] * 6))
        for own in sub.evidence:
            marks = [word for word, said in (("weak", own.weak), ("seen", own.seen)) if said]
            split = f" [{own.split}]" if own.split else ""
            where = own.suite + split + (f" ({', '.join(marks)})" if marks else "")
            values = (spread(own, k) for k in RANKED)
            rows.append((sub.name, stands, where, own.against, *_counts(own), *values))
    header = ("sub-category", "score", "measured on", "against", "rows", "positive", *_NAMES)
    return Section("Sub-categories without a head", explain("derived"), (Table(header, tuple(rows)),))


def _verdict(row: RankedMeasures) -> tuple[str, ...]:
    return str(row.positives), *(spread(row, k) for k in RANKED)


def _counts(row: RankedMeasures) -> tuple[str, str]:
    return str(row.n), str(row.positives)


def _chars(low: int | str, high: int | str) -> str:
    return f"{low}{NONE}{high}"
