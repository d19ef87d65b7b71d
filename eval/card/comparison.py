"""Comparisons as sections: the targets, the model before and a baseline, held-out sources, published numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from prefilter.eval.card.explanations import explain
from prefilter.eval.card.rival_summary import POLICY, summarise
from prefilter.eval.card.table import NONE, Section, Table, number, percent, rate, spread
from prefilter.eval.card.targets import targets
from prefilter.eval.judge.metrics import wilson
from prefilter.eval.suites.suite_plan import Role, published
from prefilter.models.labels import ANY, CATEGORIES, HEADS

HARM_ROLES = frozenset({Role.HARM.value, Role.HATECHECK.value, Role.BIAS.value})
METRICS = {"auprc": "AUPRC", "recall_at_1pct_fpr": "recall at 1 % FPR"}
Summary = Mapping[str, Any]


def reached(document: Mapping[str, Any]) -> Section | None:
    """Every target with the value reached, and by how much it is missed."""
    rows, points = [], []
    for target in targets():
        own = target.reached(document)
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


def beside(document: Mapping[str, Any]) -> Section | None:
    """Before and after: what stands beside the model, on suites of the same rows."""
    others: Sequence[Summary] = document.get("beside", [])
    if not others:
        return None
    every = [*others, {**summarise(document), "summary": "this model"}]
    who = tuple(str(own["summary"]) for own in every)
    tables = (
        Table(("", "what it is", "made by"), tuple((w, *_told(own)) for w, own in zip(who[:-1], others, strict=True))),
        Table(("headline", *who), tuple(_headlines(every))),
        *(Table((f"{METRICS[m]}: suite", "score", *who), tuple(_by_suite(document, every, m))) for m in METRICS),
        Table((f"{POLICY}: suite", "share", *who), tuple(_by_policy(document, every))),
    )
    return Section("Before and after", explain("beside"), tables)


def held_out(document: Mapping[str, Any]) -> Section | None:
    """Leave-one-source-out: the measure by which recipes were chosen."""
    found = document["model"].get("metrics", {}).get("leave_one_source_out")
    if not found:
        return None
    own_mean = ("mean of heads", *(spread(found["mean"], metric) for metric in METRICS), NONE)
    heads = sorted(found["categories"].items(), key=lambda item: HEADS.index(item[0]))
    by_head = tuple((f"`{h}`", *(spread(row, m) for m in METRICS), str(row["sources"])) for h, row in heads)
    recipes = found.get("recipes", [])
    by_source = tuple(
        (source, f"`{head}`", str(row["n"]), str(row["positives"]), *(number(row[m]) for m in ("auroc", *METRICS)))
        for source, rows in found["sources"].items()
        for head, row in rows.items()
    )
    tables = (
        Table(("score", *METRICS.values(), "sources"), (own_mean, *by_head)),
        _recipes(recipes),
        Table(("group held out", "sources"), tuple((k, ", ".join(v)) for k, v in found.get("groups", {}).items())),
        Table(("held-out source", "score", "known", "positive", "AUROC", *METRICS.values()), by_source),
    )
    said = [f"{key}: {found[key]}" for key in ("date", "tokens") if key in found]
    said += [f"command: `{found['command']}`"] if "command" in found else []
    return Section("Sources never trained on", explain("held_out"), tables, points=tuple(said))


def rivals(document: Mapping[str, Any]) -> Section:
    """Numbers that others published."""
    rows = []
    for rival in published():
        ours = rival.find_ours(document)
        mine = percent(ours).removesuffix(" %") if ours is not None else rival.note or "not measured in this run"
        source = rival.source + ("" if rival.read == "primary" else " (second-hand)")
        rows.append((rival.set, rival.who, rival.value, mine, source))
    header = ("set and metric", "who", "published", "ours", "source")
    return Section("Beside published numbers", explain("rivals"), (Table(header, tuple(rows)),))


def _told(summary: Summary) -> tuple[str, str]:
    return summary["about"] or summary["model_version"], f"`{summary['command']}`, {summary['created_at'][:10]}"


def _recipes(recipes: Sequence[Mapping[str, Any]]) -> Table:
    """One row per recipe, a column per number that any of them has."""
    keys = list(dict.fromkeys(k for recipe in recipes for k, v in recipe.items() if isinstance(v, int | float)))
    names = tuple(key.replace("_", " ").replace("1pct fpr", "1 % FPR").replace("auprc", "AUPRC") for key in keys)
    rows = tuple((recipe["name"], *(number(recipe.get(key)) for key in keys)) for recipe in recipes)
    return Table(("recipe", *names), rows)


def _headlines(every: Sequence[Summary]) -> list[tuple[str, ...]]:
    rows = []
    for metric, word in METRICS.items():
        for head in (ANY, *CATEGORIES):
            shared = [suite for suite in every[-1]["suites"] if all(_head(s, suite, head, metric) for s in every)]
            shared = [suite for suite in shared if _same_rows(every, suite)]
            means = [np.mean([_head(own, s, head, metric)[metric] for s in shared]) for own in every if shared]
            if shared:
                rows.append((f"mean {word} of `{head}` (suites: {len(shared)})", *(f"{v:.3f}" for v in means)))
    for head, kind in product(("hate", ANY), ("all", "hateful", "non_hateful")):
        title = f"HateCheck, {kind.replace('_', '-')} cases, accuracy of `{head}`"
        rows.append(_line(title, every, ("hatecheck", head, kind), partial(rate, name="accuracy")))
    for head, kind in product(("toxicity", ANY), ("bpsn", "bnsp")):
        title = f"madlibs, worst identity term, {kind.upper()} of `{head}`"
        rows.append(_line(title, every, ("bias", head, "worst", kind), partial(spread, name="auroc")))
    rows.append(_line("toxic spans, character F1", every, ("spans",), partial(spread, name="f1")))
    return [row for row in rows if set(row[1:]) != {NONE}]


def _line(
    title: str, every: Sequence[Summary], path: tuple[str, ...], shown: Callable[[Mapping[str, Any]], str]
) -> tuple[str, ...]:
    """A row of what the first suite that has anything under `path` says of each, a dash where none has."""
    cells = []
    for own in every:
        found: Any = next((suite for suite in own["suites"].values() if suite.get(path[0])), None)
        for key in path:
            found = found.get(key) if found else None
        cells.append(shown(found) if found else NONE)
    return (title, *cells)


def _by_suite(document: Mapping[str, Any], every: Sequence[Summary], metric: str) -> list[tuple[str, ...]]:
    rows = []
    for suite, own in document["suites"].items():
        if own["role"] not in HARM_ROLES or not _same_rows(every, suite):
            continue
        for head in (ANY, *CATEGORIES):
            cells = [_head(summary, suite, head, metric) for summary in every]
            if cells[-1] and any(cells[:-1]):
                rows.append((suite, f"`{head}`", *(spread(cell, metric) if cell else NONE for cell in cells)))
    return rows


def _by_policy(document: Mapping[str, Any], every: Sequence[Summary]) -> list[tuple[str, ...]]:
    """Harm missed and benign text held under the default policy."""
    rows = []
    for suite, own in document["suites"].items():
        points = [summary["suites"].get(suite, {}).get("operating", {}).get(POLICY) for summary in every]
        if not _same_rows(every, suite) or not points[-1]:
            continue
        if own["role"] == Role.BENIGN.value:
            rows.append((suite, "benign held", *map(_held, points)))
        elif own["role"] in HARM_ROLES and points[-1].get("miss_rate") is not None:
            rows.append((suite, "harm missed", *(rate(p, "miss_rate") if p else NONE for p in points)))
    return rows


def _held(point: Mapping[str, Any] | None) -> str:
    if not point or not point["n"]:
        return NONE
    share = point["review"] + point["block"]
    bounds = wilson(round(share * point["n"]), point["n"])
    return rate({"held": share, "ci95": {"held": bounds}}, "held")


def _head(summary: Summary, suite: str, head: str, metric: str) -> Mapping[str, Any]:
    row: Mapping[str, Any] = summary["suites"].get(suite, {}).get("heads", {}).get(head, {})
    return row if row.get(metric) is not None else {}


def _same_rows(every: Sequence[Summary], suite: str) -> bool:
    """True where all that measured the suite had as many rows of it."""
    return len({own["suites"][suite]["n"] for own in every if suite in own["suites"]}) == 1
