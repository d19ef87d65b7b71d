"""What the suites measure as sections: verdict, categories, HateCheck, identity bias, and what policies would do."""

from __future__ import annotations

from prefilter.eval.card.sections.comparison_sections import HARM_ROLES
from prefilter.eval.card.sections.explanations import explain
from prefilter.eval.card.table import NONE, Section, Table, number, percent, rate, spread
from prefilter.eval.document import Accuracy, ResultsDocument
from prefilter.eval.suites.suite_plan import Role
from prefilter.models.labels import CATEGORIES

MEASURES = ("auroc", "auprc", "recall_at_1pct_fpr", "ece")
MEASURE_NAMES = ("AUROC", "AUPRC", "recall at 1 % FPR", "ECE")


def verdict(document: ResultsDocument) -> Section | None:
    """The verdict of harm on every suite that has a label for it."""
    rows = []
    for name, suite in document.of_roles(*HARM_ROLES).items():
        own = suite.any
        if own.n == 0:
            continue
        drawn = "" if suite.n == suite.available else f" of {suite.available}"
        rows.append(
            (
                name + (f" [{suite.split}]" if suite.split else ""),
                f"{suite.n}{drawn}",
                str(own.positives),
                *(spread(own, metric) for metric in MEASURES),
                str(own.n_unscored),
                percent(suite.undeclared.share_unscored),
            )
        )
    if not rows:
        return None
    header = ("suite", "rows", "harmful", *MEASURE_NAMES, "unscored", "undeclared")
    return Section("One verdict of harm", explain("verdict"), (Table(header, tuple(rows)),), ("pr", "roc"))


def categories(document: ResultsDocument) -> Section | None:
    """Each category on every suite that says something about it."""
    rows = [
        (category, name, str(own.n), str(own.positives), *(spread(own, metric) for metric in MEASURES))
        for category in CATEGORIES
        for name, suite in document.of_roles(*HARM_ROLES).items()
        if (own := suite.categories.get(category)) is not None
    ]
    if not rows:
        return None
    header = ("category", "suite", "known", "positive", *MEASURE_NAMES)
    return Section("Categories", explain("categories"), (Table(header, tuple(rows)),), ("reliability",))


def hatecheck(document: ResultsDocument) -> Section | None:
    """Accuracy by functionality and by group targeted."""
    found = next((s.hatecheck for s in document.suites.values() if s.hatecheck), None)
    if not found:
        return None
    checks = list(found.values())
    first = checks[0]

    def line(title: str, cells: list[Accuracy]) -> tuple[str, ...]:
        return (title, str(cells[0].n), *(rate(cell, "accuracy") for cell in cells))

    rows = [
        line("all", [own.all for own in checks]),
        line("hateful", [own.hateful for own in checks]),
        line("non-hateful", [own.non_hateful for own in checks]),
        *(line(name, [own.functionalities[name] for own in checks]) for name in first.functionalities),
    ]
    targets = [line(name, [own.targets[name] for own in checks]) for name in first.targets]
    header = ("cases", "n", *(f"`{head}` ≥ {own.threshold}" for head, own in found.items()))
    tables = (Table(header, tuple(rows)), Table(("group targeted", *header[1:]), tuple(targets)))
    return Section("HateCheck", explain("hatecheck"), tables)


def bias(document: ResultsDocument) -> Section | None:
    """Identity terms: the means, the worst, and each term of the first head."""
    found = next((s.bias for s in document.suites.values() if s.bias), None)
    if not found:
        return None
    rows, worst = [], []
    for head, own in found.items():
        rows.append((f"`{head}`", number(own.overall_auroc), *map(number, own.power_mean.values())))
        worst += [
            (f"`{head}`", kind, lowest.term, spread(lowest, "auroc"))
            for kind, lowest in own.worst.items()
            if lowest is not None
        ]
    terms = next(iter(found.values())).terms
    detail = tuple(
        (term, str(row.n), *(spread(row, k) for k in ("subgroup", "bpsn", "bnsp", "mean_benign_score")))
        for term, row in sorted(terms.items(), key=lambda item: min(item[1].bpsn or 0.0, item[1].bnsp or 0.0))
    )
    tables = (
        Table(("score", "overall AUROC", "subgroup", "BPSN", "BNSP"), tuple(rows)),
        Table(("score", "kind", "worst term", "AUROC"), tuple(worst)),
        Table(("term", "n", "subgroup", "BPSN", "BNSP", "mean benign score"), detail),
    )
    return Section("Identity bias", explain("bias"), tables, ("bias",))


def false_alarms(document: ResultsDocument) -> Section | None:
    """Benign and unlabelled texts that the policies hold, by source and by length."""
    policies = document.distinct_policies()
    shares = (f"{policy}: {what}" for policy in policies for what in ("held", "blocked"))
    header = ("source", "rows", *shares, "first held by")
    benign, stream = _held(document, Role.BENIGN), _held(document, Role.STREAM)
    if not benign and not stream:
        return None
    tables = [Table(header, benign)] if benign else []
    if stream:
        tables.append(Table(("unlabelled stream", *header[1:]), stream))
    pooled = document.false_alarms or {}
    for policy in policies if pooled else ():
        own = pooled[policy]
        by_length = tuple(
            (f"{row.chars[0]}{NONE}{row.chars[1]}", str(row.n), rate(row, "held"), percent(row.blocked))
            for row in own.by_length
        )
        total = ("all", str(own.n), rate(own, "held"), percent(own.blocked))
        tables.append(Table((f"{policy}: characters", "rows", "held", "blocked"), (*by_length, total)))
    return Section("False alarms", explain("false_alarms"), tuple(tables), ("false_alarms",))


def _held(document: ResultsDocument, role: Role) -> tuple[tuple[str, ...], ...]:
    policies = document.distinct_policies()
    rows = []
    for name, suite in document.of_roles(role).items():
        shares = ((suite.operating[policy].held, suite.operating[policy].block) for policy in policies)
        first = suite.operating[policies[0]].held_first_by
        causes = ", ".join(f"{cause} {count}" for cause, count in list(first.items())[:3])
        rows.append((name, str(suite.n), *(percent(share) for pair in shares for share in pair), causes or NONE))
    return tuple(rows)


def policies(document: ResultsDocument) -> Section | None:
    """What each policy would do with each labelled suite."""
    tables = []
    for policy in document.distinct_policies():
        rows = []
        for name, suite in document.of_roles(*HARM_ROLES).items():
            own = suite.operating[policy]
            if own.n == 0 or own.harmful is None:
                continue
            shares = map(percent, (own.allow, own.review, own.block))
            rates = (rate(own, k) for k in ("miss_rate", "overblock_rate", "held_benign_rate"))
            rows.append((name, str(own.harmful), str(own.benign), *shares, *rates))
        if rows:
            outcomes = ("allow", "review", "block", "miss", "overblock", "benign held")
            tables.append(Table((policy, "harmful", "benign", *outcomes), tuple(rows)))
    return Section("The shipped policies", explain("operating"), tuple(tables)) if tables else None


def languages(document: ResultsDocument) -> Section | None:
    """What becomes of text that must not be read as English."""
    rows = []
    for name, suite in document.of_roles(Role.LANGUAGE).items():
        own = suite.operating[document.distinct_policies()[0]]
        unread = suite.undeclared
        reasons = ", ".join(f"{reason} {count}" for reason, count in unread.unscored_reasons.items())
        rows.append((name, str(suite.n), rate(unread, "share_unscored"), percent(own.allow), reasons or NONE))
    if not rows:
        return None
    header = ("suite", "rows", "recognised as unreadable", "allowed", "reasons")
    return Section("Languages it cannot read", explain("languages"), (Table(header, tuple(rows)),))


def reading(document: ResultsDocument) -> Section:
    """The definitions of the measures."""
    return Section("How to read this", explain("reading"))
