"""Headline figures: a handful of measures, each with its interval, picked from the document by rule."""

from __future__ import annotations

from collections.abc import Iterable

from prefilter.eval.card.sections.explanations import explain
from prefilter.eval.card.table import Section, Table, as_rate, rate, spread
from prefilter.eval.document import POLICY, Estimate, ResultsDocument, estimate, share_of
from prefilter.eval.suites.suite_plan import Role

Row = tuple[str, str, str]


def headlines(document: ResultsDocument) -> Section | None:
    """Return the headline figures that the document has."""
    rows = (
        *_verdict(document),
        *_unseen(document),
        *_false_alarms(document),
        *_missed(document),
        *_hatecheck(document),
        *_worst_terms(document),
        *_spans(document),
        *_languages(document),
        *_int8(document),
    )
    header = ("what", "where", "figure (95 % interval)")
    return Section("Headline figures", explain("front_headlines"), (Table(header, rows),)) if rows else None


def _verdict(document: ResultsDocument) -> Iterable[Row]:
    harm = document.of_roles(Role.HARM)
    areas = {name: own.any.auroc for name, own in harm.items() if own.any.auroc is not None}
    for word, name in _three(areas, best_is_high=True):
        yield f"verdict of harm, AUROC: {word} of {len(areas)} suites", name, spread(harm[name].any, "auroc")


def _unseen(document: ResultsDocument) -> Iterable[Row]:
    found = document.model.making.leave_one_source_out
    if found is not None:
        where = f"{len(found.sources)} sources, mean of heads"
        yield "sources never trained on, AUPRC", where, spread(found.mean, "auprc")
        yield "sources never trained on, recall at 1 % FPR", where, rate(found.mean, "recall_at_1pct_fpr")


def _false_alarms(document: ResultsDocument) -> Iterable[Row]:
    own = (document.false_alarms or {}).get(POLICY)
    if own is not None:
        where = f"{len(own.suites)} sources of benign text, {own.n} rows"
        yield f"benign text held by {POLICY}", where, rate(own, "held")
        yield f"benign text blocked by {POLICY}", where, as_rate(share_of(own.blocked, own.n))


def _missed(document: ResultsDocument) -> Iterable[Row]:
    harm = document.of_roles(Role.HARM)
    points = {name: suite.operating[POLICY] for name, suite in harm.items() if POLICY in suite.operating}
    shares = {name: own.miss_rate for name, own in points.items() if own.miss_rate is not None}
    for word, name in _three(shares, best_is_high=False):
        yield f"harm allowed by {POLICY}: {word} of {len(shares)} suites", name, rate(points[name], "miss_rate")


def _hatecheck(document: ResultsDocument) -> Iterable[Row]:
    for name, suite in document.of_roles(Role.HATECHECK).items():
        for head, own in (suite.hatecheck or {}).items():
            yield f"HateCheck, cases right by `{head}`", name, rate(own.all, "accuracy")


def _worst_terms(document: ResultsDocument) -> Iterable[Row]:
    for name, suite in document.of_roles(Role.BIAS).items():
        for head, own in list((suite.bias or {}).items())[:1]:
            for kind in ("bpsn", "bnsp"):
                lowest = own.worst.get(kind)
                if lowest is not None:
                    what = f"worst identity term, {kind.upper()} of `{head}`"
                    yield what, f"{name}: {lowest.term}", spread(lowest, "auroc")


def _spans(document: ResultsDocument) -> Iterable[Row]:
    for name, suite in document.suites.items():
        if suite.spans is not None:
            yield "marked characters, F1 against people's", name, spread(suite.spans, "f1")


def _languages(document: ResultsDocument) -> Iterable[Row]:
    shares: dict[str, Estimate] = {
        name: estimate(suite.undeclared, "share_unscored") for name, suite in document.of_roles(Role.LANGUAGE).items()
    }
    known = {name: own.value for name, own in shares.items() if own.value is not None}
    if known:
        worst = min(known, key=lambda name: known[name])
        what = f"text of other languages recognised, worst of {len(known)} suites"
        yield what, f"{worst}, no language declared", as_rate(shares[worst])


def _int8(document: ResultsDocument) -> Iterable[Row]:
    found = document.int8
    if found is not None:
        share = as_rate(share_of(found.flips, found.texts))
        yield "decisions that int8 flips against fp32", f"{found.texts} texts", share


def _three(values: dict[str, float], *, best_is_high: bool) -> list[tuple[str, str]]:
    """The best, the middle and the worst name by value; all of them where there are fewer than three."""
    order = sorted(values, key=lambda name: values[name], reverse=best_is_high)
    if len(order) < 3:
        return [("one", name) for name in order]
    return [("best", order[0]), ("middle", order[len(order) // 2]), ("worst", order[-1])]
