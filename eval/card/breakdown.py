"""Closer looks as sections: slices by length and source, spans, context, and what has no head of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefilter.eval.card.explanations import explain
from prefilter.eval.card.table import NONE, Section, Table, number, percent, rate, spread
from prefilter.eval.suites.suite_plan import Role
from prefilter.models.labels import ANY

RANKED = ("auroc", "auprc", "recall_at_1pct_fpr")


def slices(document: Mapping[str, Any]) -> Section | None:
    """The verdict of harm by length, over all suites of harm and within each; and by source within a suite."""
    pooled = tuple(
        (_chars(row["chars"]), *_counts(row), *(spread(row, k) for k in RANKED), rate(row, "fpr_at_half"))
        for row in document.get("by_length", [])
    )
    within, sources = [], []
    for name, suite in document["suites"].items():
        if suite["role"] != Role.HARM.value:
            continue
        parts = suite["slices"]["length"].items()
        within += [
            (name, _chars(chars.split("-")), *_counts(row), *(spread(row, k) for k in RANKED))
            for chars, row in parts
            if row["auroc"] is not None
        ]
        by_source = suite["slices"].get("source", {})
        sources += [
            (name, source, *_counts(row), *(spread(row, k) for k in RANKED))
            for source, row in by_source.items()
            if len(by_source) > 1
        ]
    measures = ("rows", "harmful", "AUROC", "AUPRC", "recall at 1 % FPR")
    tables = (
        Table(("characters, all suites of harm", *measures, "benign rows at 0.5 or more"), pooled),
        Table(("suite", "characters", *measures), tuple(within)),
        Table(("suite", "source", *measures), tuple(sources)),
    )
    return Section("Slices by length and source", explain("slices"), tables) if any(tables) else None


def spans(document: Mapping[str, Any]) -> Section | None:
    """Whether the marked characters are those that people marked."""
    rows = [
        (
            name,
            ", ".join(f"`{head}`" for head in suite["span_heads"]),
            how,
            str(own["n"]),
            spread(own, "f1"),
            number(own["precision"]),
            number(own["recall"]),
            percent(own["masked_share"]),
            percent(own["gold_share"]),
        )
        for name, suite in document["suites"].items()
        if suite.get("spans")
        for how, own in (("as shown", suite["spans"]), ("edge reached", suite["spans"]["at_edge"]))
    ]
    header = ("suite", "heads", "what", "texts", "F1", "precision", "recall", "characters marked", "by people")
    return Section("Spans", explain("spans"), (Table(header, tuple(rows)),)) if rows else None


def context(document: Mapping[str, Any]) -> Section | None:
    """Which suites were scored as pairs, and what the verdict of harm measures without the context."""
    rows, held = [], []
    asked = {name: suite for name, suite in document["suites"].items() if "context" in suite}
    for name, suite in asked.items():
        alone = suite.get("without_context")
        told = "yes" if suite["context"] else "no"
        if alone is None:
            rows.append((name, told, str(suite[ANY]["positives"]), *(spread(suite[ANY], k) for k in RANKED)))
            continue
        rows.append((name, "yes", str(suite[ANY]["positives"]), *(spread(suite[ANY], k) for k in RANKED)))
        rows.append((name, "no", str(alone[ANY]["positives"]), *(spread(alone[ANY], k) for k in RANKED)))
        for policy, before in alone["operating"].items():
            after = suite["operating"][policy]
            shares = (rate(own, k) for k in ("miss_rate", "held_benign_rate") for own in (before, after))
            held.append((name, policy, *shares))
    if not rows:
        return None
    header = ("suite", "with context", "harmful", "AUROC", "AUPRC", "recall at 1 % FPR")
    policies = ("suite", "policy", "miss: alone", "miss: in context", "benign held: alone", "benign held: in context")
    return Section("Context", explain("context"), (Table(header, tuple(rows)), Table(policies, tuple(held))))


def derived(document: Mapping[str, Any]) -> Section | None:
    """Sub-categories that have no head: whose score stands in for them, and how well it finds them."""
    found = document.get("subcategories")
    if not found:
        return None
    rows = []
    for sub in found:
        stands = " and ".join(f"`{head}`" for head in sub["heads"])
        if not sub["evidence"]:
            rows.append((sub["name"], stands, "not measured: nobody labelled it", *[NONE] * 6))
        for own in sub["evidence"]:
            marks = [word for word in ("weak", "seen") if own[word]]
            split = f" [{own['split']}]" if own["split"] else ""
            where = own["suite"] + split + (f" ({', '.join(marks)})" if marks else "")
            values = (spread(own, k) for k in RANKED)
            rows.append((sub["name"], stands, where, own["against"], *_counts(own), *values))
    header = ("sub-category", "score", "measured on", "against", "rows", "positive", *_NAMES)
    return Section("Sub-categories without a head", explain("derived"), (Table(header, tuple(rows)),))


_NAMES = ("AUROC", "AUPRC", "recall at 1 % FPR")


def _counts(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["n"]), str(row["positives"])


def _chars(edges: list[Any]) -> str:
    return f"{edges[0]}{NONE}{edges[1]}"
