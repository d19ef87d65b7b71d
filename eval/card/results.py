"""Results as tables: the document of an evaluation turned into titled sections, before any file format.

It reads the document only, so a page can be made again from a stored JSON file. What a section says
before its numbers is data (`explanations.toml`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from prefilter.eval.card import breakdown, card_sections, comparison
from prefilter.eval.card.comparison import HARM_ROLES
from prefilter.eval.card.explanations import explain
from prefilter.eval.card.table import NONE, Section, Table, number, percent, rate, spread
from prefilter.eval.suites.suite_plan import Role
from prefilter.models.labels import ANY, CATEGORIES
from prefilter.serving.policy.policy import OUTCOMES


def sections(document: Mapping[str, Any]) -> list[Section]:
    """Return every section that the document has numbers for, in reading order."""
    makers: Sequence[Callable[[Mapping[str, Any]], Section | None]] = (
        card_sections.about,
        card_sections.meanings,
        breakdown.derived,
        card_sections.limits,
        card_sections.failures,
        comparison.reached,
        comparison.beside,
        comparison.held_out,
        _verdict,
        _categories,
        breakdown.slices,
        _hatecheck,
        _bias,
        breakdown.spans,
        breakdown.context,
        _false_alarms,
        _operating,
        _languages,
        card_sections.calibration,
        card_sections.int8,
        comparison.rivals,
        card_sections.data,
        card_sections.making,
        _reading,
    )
    return [section for make in makers if (section := make(document)) is not None]


def terminal_table(document: Mapping[str, Any]) -> str:
    """Return a plain table for a terminal: a line per suite and category."""
    lines = [f"model {document['model_version']}"]
    head = f"{'suite':34} {'category':11} {'n':>7} {'pos':>6}  AUROC  AUPRC  R@1%  ECE   unscored"
    lines.append(head)
    for name, suite in document["suites"].items():
        for category, row in {ANY: suite[ANY], **suite["categories"]}.items():
            values = [number(row[k]) for k in ("auroc", "auprc", "recall_at_1pct_fpr", "ece")]
            cells = "  ".join(f"{value:>5}" for value in values)
            counts = f"{row['n']:>7} {row['positives']:>6}"
            lines.append(f"{name[:34]:34} {category:11} {counts}  {cells}  {row['n_unscored']}")
    return "\n".join(lines) + "\n"


def _of_roles(document: Mapping[str, Any], *roles: str) -> dict[str, Any]:
    return {name: suite for name, suite in document["suites"].items() if suite["role"] in roles}


def _policies(document: Mapping[str, Any]) -> list[str]:
    """Name the policies that decide differently: one that only repeats another's bands is not shown twice."""
    shown: dict[str, Any] = {}
    for name, body in document["policies"].items():
        edges = {c: (b.get("review"), b.get("block")) for c, b in body["categories"].items()}
        if edges not in shown.values():
            shown[name] = edges
    return list(shown)


def _verdict(document: Mapping[str, Any]) -> Section | None:
    rows = []
    for name, suite in _of_roles(document, *HARM_ROLES).items():
        own = suite[ANY]
        if own["n"] == 0:
            continue
        drawn = "" if suite["n"] == suite["available"] else f" of {suite['available']}"
        rows.append(
            (
                name + (f" [{suite['split']}]" if suite["split"] else ""),
                f"{suite['n']}{drawn}",
                str(own["positives"]),
                *(spread(own, metric) for metric in ("auroc", "auprc", "recall_at_1pct_fpr", "ece")),
                str(own["n_unscored"]),
                percent(suite["undeclared"]["share_unscored"]),
            )
        )
    if not rows:
        return None
    header = (
        "suite",
        "rows",
        "harmful",
        "AUROC",
        "AUPRC",
        "recall at 1 % FPR",
        "ECE",
        "unscored",
        "undeclared",
    )
    return Section("One verdict of harm", explain("verdict"), (Table(header, tuple(rows)),), ("pr", "roc"))


def _categories(document: Mapping[str, Any]) -> Section | None:
    rows = []
    for category in CATEGORIES:
        for name, suite in _of_roles(document, *HARM_ROLES).items():
            own = suite["categories"].get(category)
            if own is None:
                continue
            values = (spread(own, metric) for metric in ("auroc", "auprc", "recall_at_1pct_fpr", "ece"))
            rows.append((category, name, str(own["n"]), str(own["positives"]), *values))
    if not rows:
        return None
    header = ("category", "suite", "known", "positive", "AUROC", "AUPRC", "recall at 1 % FPR", "ECE")
    return Section("Categories", explain("categories"), (Table(header, tuple(rows)),), ("reliability",))


def _hatecheck(document: Mapping[str, Any]) -> Section | None:
    found = next((s["hatecheck"] for s in document["suites"].values() if s.get("hatecheck")), None)
    if not found:
        return None
    heads = list(found)
    first = found[heads[0]]

    def line(title: str, *path: str) -> tuple[str, ...]:
        picked = [reduce(lambda table, key: table[key], path, found[head]) for head in heads]
        return (title, str(picked[0]["n"]), *(rate(row, "accuracy") for row in picked))

    rows = [line("all", "all"), line("hateful", "hateful"), line("non-hateful", "non_hateful")]
    rows += [line(name, "functionalities", name) for name in first["functionalities"]]
    targets = [line(name, "targets", name) for name in first["targets"]]
    header = ("cases", "n", *(f"`{head}` ≥ {found[head]['threshold']}" for head in heads))
    tables = (Table(header, tuple(rows)), Table(("group targeted", *header[1:]), tuple(targets)))
    return Section("HateCheck", explain("hatecheck"), tables)


def _bias(document: Mapping[str, Any]) -> Section | None:
    found = next((s["bias"] for s in document["suites"].values() if s.get("bias")), None)
    if not found:
        return None
    rows, worst = [], []
    for head, own in found.items():
        mean = own["power_mean"]
        rows.append((f"`{head}`", number(own["overall_auroc"]), *(number(mean[kind]) for kind in mean)))
        for kind, lowest in own["worst"].items():
            if lowest is not None:
                worst.append((f"`{head}`", kind, lowest["term"], spread(lowest, "auroc")))
    terms = found[next(iter(found))]["terms"]
    detail = tuple(
        (term, str(row["n"]), *(spread(row, k) for k in ("subgroup", "bpsn", "bnsp", "mean_benign_score")))
        for term, row in sorted(terms.items(), key=lambda item: min(item[1]["bpsn"], item[1]["bnsp"]))
    )
    tables = (
        Table(("score", "overall AUROC", "subgroup", "BPSN", "BNSP"), tuple(rows)),
        Table(("score", "kind", "worst term", "AUROC"), tuple(worst)),
        Table(("term", "n", "subgroup", "BPSN", "BNSP", "mean benign score"), detail),
    )
    return Section("Identity bias", explain("bias"), tables, ("bias",))


def _false_alarms(document: Mapping[str, Any]) -> Section | None:
    policies = _policies(document)
    header = (
        "source",
        "rows",
        *(f"{p}: {what}" for p in policies for what in ("held", "blocked")),
        "first held by",
    )

    def rows_of(role: str) -> tuple[tuple[str, ...], ...]:
        rows = []
        for name, suite in _of_roles(document, role).items():
            cells = [name, str(suite["n"])]
            for policy in policies:
                own = suite["operating"][policy]
                held = own["review"] + own["block"] if own["n"] else None
                cells += [percent(held), percent(own["block"])]
            causes = suite["operating"][policies[0]]["held_first_by"]
            cells.append(", ".join(f"{name} {count}" for name, count in list(causes.items())[:3]) or NONE)
            rows.append(tuple(cells))
        return tuple(rows)

    benign, stream = rows_of(Role.BENIGN.value), rows_of(Role.STREAM.value)
    if not benign and not stream:
        return None
    tables = [Table(header, benign)] if benign else []
    if stream:
        tables.append(Table(("unlabelled stream", *header[1:]), stream))
    pooled = document["false_alarms"]
    for policy in policies if pooled else ():
        own = pooled[policy]
        by_length = tuple(
            (
                f"{row['chars'][0]}{NONE}{row['chars'][1]}",
                str(row["n"]),
                rate(row, "held"),
                percent(row["blocked"]),
            )
            for row in own["by_length"]
        )
        total = ("all", str(own["n"]), rate(own, "held"), percent(own["blocked"]))
        tables.append(Table((f"{policy}: characters", "rows", "held", "blocked"), (*by_length, total)))
    return Section("False alarms", explain("false_alarms"), tuple(tables), ("false_alarms",))


def _operating(document: Mapping[str, Any]) -> Section | None:
    tables = []
    for policy in _policies(document):
        rows = []
        for name, suite in _of_roles(document, *HARM_ROLES).items():
            own = suite["operating"][policy]
            if own["n"] == 0 or "harmful" not in own:
                continue
            shares = (percent(own[outcome.value]) for outcome in OUTCOMES)
            rates = (rate(own, k) for k in ("miss_rate", "overblock_rate", "held_benign_rate"))
            rows.append((name, str(own["harmful"]), str(own["benign"]), *shares, *rates))
        if rows:
            header = (
                policy,
                "harmful",
                "benign",
                "allow",
                "review",
                "block",
                "miss",
                "overblock",
                "benign held",
            )
            tables.append(Table(header, tuple(rows)))
    if not tables:
        return None
    return Section("The shipped policies", explain("operating"), tuple(tables))


def _languages(document: Mapping[str, Any]) -> Section | None:
    rows = []
    for name, suite in _of_roles(document, Role.LANGUAGE.value).items():
        own = suite["operating"][_policies(document)[0]]
        unread = suite["undeclared"]
        reasons = ", ".join(f"{reason} {count}" for reason, count in unread["unscored_reasons"].items())
        recognised = rate(unread, "share_unscored")
        rows.append((name, str(suite["n"]), recognised, percent(own["allow"]), reasons or NONE))
    if not rows:
        return None
    header = ("suite", "rows", "recognised as unreadable", "allowed", "reasons")
    return Section("Languages it cannot read", explain("languages"), (Table(header, tuple(rows)),))


def _reading(document: Mapping[str, Any]) -> Section:
    return Section("How to read this", explain("reading"))
