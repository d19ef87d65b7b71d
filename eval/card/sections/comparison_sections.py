"""Comparisons as sections: the targets, the model before and a baseline, held-out sources, published numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from prefilter.eval.card.sections.explanations import explain
from prefilter.eval.card.table import NONE, Section, Table, as_rate, number, percent, rate, spread
from prefilter.eval.card.targets import targets
from prefilter.eval.document import (
    POLICY,
    HeadSummary,
    LeftOutRecipe,
    Measured,
    PolicySummary,
    ResultsDocument,
    RivalSummary,
    SuiteSummary,
    estimate,
    plain,
    read,
    share_of,
    summarise,
)
from prefilter.eval.rivals.published import published
from prefilter.eval.suites.suite_plan import Role
from prefilter.models.labels import ANY, CATEGORIES, HEADS

HARM_ROLES = frozenset({Role.HARM.value, Role.HATECHECK.value, Role.BIAS.value})
METRICS = {"auprc": "AUPRC", "recall_at_1pct_fpr": "recall at 1 % FPR"}


def reached(document: ResultsDocument) -> Section | None:
    """Every target with the value reached, and by how much it is missed."""
    rows, points = [], []
    measures = plain(document)
    for target in targets():
        own = target.reached(measures)
        if own is None:
            continue
        sign = "≥" if target.least is not None else "≤"
        short = target.missed_by(own.value)
        state = "met" if short <= 0 else f"missed by {short:.3f}"
        bounds = "" if own.ci95 is None else f" ({own.ci95[0]:.3f}{NONE}{own.ci95[1]:.3f})"
        rows.append((target.what, f"{sign} {target.bound:g}", f"{own.value:.3f}{bounds}", own.where or NONE, state))
        if short > 0 and target.tried:
            points.append(f"{target.what}: {target.tried}")
    if not rows:
        return None
    header = ("target", "bound", "reached", "where", "")
    return Section("Targets", explain("targets"), (Table(header, tuple(rows)),), points=tuple(points))


def beside(document: ResultsDocument) -> Section | None:
    """Before and after: the model and its rivals, on suites of the same rows."""
    others = document.beside
    if not others:
        return None
    own = replace(summarise(read(Measured, plain(document))), summary="this model")
    every = [*others, own]
    who = tuple(summary.summary for summary in every)
    tables = (
        Table(("", "what it is", "made by"), tuple((w, *_told(o)) for w, o in zip(who[:-1], others, strict=True))),
        Table(("headline", *who), tuple(_headlines(every))),
        *(Table((f"{METRICS[m]}: suite", "score", *who), tuple(_by_suite(document, every, m))) for m in METRICS),
        Table((f"{POLICY}: suite", "share", *who), tuple(_by_policy(document, every))),
    )
    return Section("Before and after", explain("beside"), tables)


def held_out(document: ResultsDocument) -> Section | None:
    """Leave-one-source-out: the measure by which recipes were chosen."""
    found = document.model.making.leave_one_source_out
    if found is None:
        return None
    own_mean = ("mean of heads", *(spread(found.mean, metric) for metric in METRICS), NONE)
    heads = sorted(found.categories.items(), key=lambda item: HEADS.index(item[0]))
    by_head = tuple((f"`{h}`", *(spread(row, m) for m in METRICS), str(row.sources)) for h, row in heads)
    by_source = tuple(
        (source, f"`{head}`", str(row.n), str(row.positives), *map(number, row.ranking))
        for source, rows in found.sources.items()
        for head, row in rows.items()
    )
    groups = tuple((name, ", ".join(sources)) for name, sources in (found.groups or {}).items())
    tables = (
        Table(("score", *METRICS.values(), "sources"), (own_mean, *by_head)),
        _recipes(found.recipes or ()),
        Table(("group held out", "sources"), groups),
        Table(("held-out source", "score", "known", "positive", "AUROC", *METRICS.values()), by_source),
    )
    said = [f"{word}: {own}" for word, own in (("date", found.date), ("tokens", found.tokens)) if own is not None]
    said += [f"command: `{found.command}`"] if found.command is not None else []
    return Section("Sources never trained on", explain("held_out"), tables, points=tuple(said))


def rivals(document: ResultsDocument) -> Section:
    """Numbers that others published."""
    rows = []
    measures = plain(document)
    for rival in published():
        ours = rival.find_ours(measures)
        mine = percent(ours).removesuffix(" %") if ours is not None else rival.note or "not measured in this run"
        source = rival.source + ("" if rival.read == "primary" else " (second-hand)")
        rows.append((rival.set, rival.who, rival.value, mine, source))
    header = ("set and metric", "who", "published", "ours", "source")
    return Section("Beside published numbers", explain("rivals"), (Table(header, tuple(rows)),))


def _told(summary: RivalSummary) -> tuple[str, str]:
    return summary.about or summary.model_version, f"`{summary.command}`, {summary.created_at[:10]}"


def _recipes(recipes: Sequence[LeftOutRecipe]) -> Table:
    """One row per recipe, a column per mean that any of them has."""
    keys = list(dict.fromkeys(key for recipe in recipes for key in recipe.means))
    names = tuple(key.replace("_", " ").replace("1pct fpr", "1 % FPR").replace("auprc", "AUPRC") for key in keys)
    rows = tuple((recipe.name, *(number(recipe.means.get(key)) for key in keys)) for recipe in recipes)
    return Table(("recipe", *names), rows)


def _headlines(every: Sequence[RivalSummary]) -> list[tuple[str, ...]]:
    rows = []
    for metric, word in METRICS.items():
        for head in (ANY, *CATEGORIES):
            shared = [suite for suite in every[-1].suites if all(_head(s, suite, head, metric) for s in every)]
            shared = [suite for suite in shared if _same_rows(every, suite)]
            means = [np.mean([_value(own, s, head, metric) for s in shared]) for own in every if shared]
            if shared:
                rows.append((f"mean {word} of `{head}` (suites: {len(shared)})", *(f"{v:.3f}" for v in means)))
    for head, kind in product(("hate", ANY), ("all", "hateful", "non_hateful")):
        title = f"HateCheck, {kind.replace('_', '-')} cases, accuracy of `{head}`"
        rows.append((title, *(_hatecheck(own, head, kind) for own in every)))
    for head, kind in product(("toxicity", ANY), ("bpsn", "bnsp")):
        title = f"madlibs, worst identity term, {kind.upper()} of `{head}`"
        rows.append((title, *(_worst_term(own, head, kind) for own in every)))
    rows.append(("toxic spans, character F1", *(_spans(own) for own in every)))
    return [row for row in rows if set(row[1:]) != {NONE}]


def _first(summary: RivalSummary, has: Callable[[SuiteSummary], object]) -> SuiteSummary | None:
    """The first suite of a summary that has something, None where none has."""
    return next((suite for suite in summary.suites.values() if has(suite)), None)


def _hatecheck(summary: RivalSummary, head: str, kind: str) -> str:
    suite = _first(summary, lambda own: own.hatecheck)
    found = (suite.hatecheck or {}).get(head) if suite is not None else None
    if found is None:
        return NONE
    return rate({"all": found.all, "hateful": found.hateful, "non_hateful": found.non_hateful}[kind], "accuracy")


def _worst_term(summary: RivalSummary, head: str, kind: str) -> str:
    suite = _first(summary, lambda own: own.bias)
    found = (suite.bias or {}).get(head) if suite is not None else None
    lowest = None if found is None else found.worst.get(kind)
    return NONE if lowest is None else spread(lowest, "auroc")


def _spans(summary: RivalSummary) -> str:
    suite = _first(summary, lambda own: own.spans)
    return NONE if suite is None or suite.spans is None else spread(suite.spans, "f1")


def _by_suite(document: ResultsDocument, every: Sequence[RivalSummary], metric: str) -> list[tuple[str, ...]]:
    rows = []
    for suite in document.of_roles(*HARM_ROLES):
        if not _same_rows(every, suite):
            continue
        for head in (ANY, *CATEGORIES):
            cells = [_head(summary, suite, head, metric) for summary in every]
            if cells[-1] and any(cells[:-1]):
                rows.append((suite, f"`{head}`", *(spread(cell, metric) if cell else NONE for cell in cells)))
    return rows


def _by_policy(document: ResultsDocument, every: Sequence[RivalSummary]) -> list[tuple[str, ...]]:
    """Harm missed and benign text held under the default policy."""
    rows = []
    for name, suite in document.suites.items():
        points = [_point(summary, name) for summary in every]
        if not _same_rows(every, name) or points[-1] is None:
            continue
        if suite.role == Role.BENIGN:
            rows.append((name, "benign held", *map(_held, points)))
        elif suite.role in HARM_ROLES and points[-1].miss_rate is not None:
            rows.append((name, "harm missed", *(rate(p, "miss_rate") if p else NONE for p in points)))
    return rows


def _point(summary: RivalSummary, suite: str) -> PolicySummary | None:
    own = summary.suites.get(suite)
    return None if own is None else own.operating.get(POLICY)


def _held(point: PolicySummary | None) -> str:
    return NONE if point is None or point.held is None else as_rate(share_of(point.held, point.n))


def _head(summary: RivalSummary, suite: str, head: str, metric: str) -> HeadSummary | None:
    """A head of a summary on a suite, None where its metric is not defined."""
    own = summary.suites.get(suite)
    row = None if own is None else own.heads.get(head)
    return row if row is not None and estimate(row, metric).value is not None else None


def _value(summary: RivalSummary, suite: str, head: str, metric: str) -> float:
    row = _head(summary, suite, head, metric)
    value = None if row is None else estimate(row, metric).value
    return np.nan if value is None else value


def _same_rows(every: Sequence[RivalSummary], suite: str) -> bool:
    """True where all that measured the suite had as many rows of it."""
    return len({own.suites[suite].n for own in every if suite in own.suites}) == 1
