"""Known failures as a section: found in the document by rule, never chosen by hand."""

from __future__ import annotations

from prefilter.eval.card.sections.explanations import explain
from prefilter.eval.card.table import Section, Table, as_rate, rate, spread
from prefilter.eval.document import POLICY, ResultsDocument, estimate, share_of
from prefilter.eval.suites.suite_plan import Role

WEAK = 0.5
"""A functionality below this accuracy is a known failure."""
WORST = 5
HEADER = ("what fails", "where", "rate", "n")

Row = tuple[str, ...]


def failures(document: ResultsDocument) -> Section | None:
    """Known failures with their rates."""
    rows = [*functionalities(document), *terms(document), *held(document), *missed(document)]
    return Section("Known failures", explain("failures"), (Table(HEADER, tuple(rows)),)) if rows else None


def functionalities(document: ResultsDocument) -> list[Row]:
    """HateCheck functionalities under half right, the worst first."""
    found = next((s.hatecheck for s in document.suites.values() if s.hatecheck), {})
    rows = [
        (own.accuracy, (f"HateCheck functionality, `{head}` right", name, rate(own, "accuracy"), str(own.n)))
        for head, checked in found.items()
        for name, own in checked.functionalities.items()
        if own.accuracy is not None and own.accuracy < WEAK
    ]
    return [row for _, row in sorted(rows)]


def terms(document: ResultsDocument, most: int = WORST) -> list[Row]:
    """The worst identity terms of the first head, by either area against other terms."""
    found = next((s.bias for s in document.suites.values() if s.bias), {})
    rows: list[Row] = []
    for head, own in list(found.items())[:1]:
        lowest = [
            (area, (f"identity term, {kind.upper()} AUC of `{head}`", term, spread(row, kind), str(row.n)))
            for term, row in own.terms.items()
            for kind in ("bpsn", "bnsp")
            if (area := estimate(row, kind).value) is not None
        ]
        rows += [row for _, row in sorted(lowest)[:most]]
    return rows


def held(document: ResultsDocument, most: int = WORST) -> list[Row]:
    """The benign suites that the default policy holds most of."""
    rows = []
    for name, suite in document.of_roles(Role.BENIGN).items():
        own = suite.operating.get(POLICY)
        if own is not None and own.held is not None:
            shown = as_rate(share_of(own.held, own.n))
            rows.append((-own.held, (f"benign text held by {POLICY}", name, shown, str(own.n))))
    return [row for _, row in sorted(rows)[:most]]


def missed(document: ResultsDocument, most: int = WORST) -> list[Row]:
    """The suites of harm that the default policy allows most of."""
    rows = []
    for name, suite in document.of_roles(Role.HARM, Role.HATECHECK).items():
        own = suite.operating.get(POLICY)
        if own is not None and own.miss_rate is not None:
            shown = rate(own, "miss_rate")
            rows.append((-own.miss_rate, (f"harm allowed by {POLICY}", name, shown, str(own.harmful))))
    return [row for _, row in sorted(rows)[:most]]
