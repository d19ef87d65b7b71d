"""The report of a move for people: the document's numbers as sections of short tables and plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

from prefilter.eval.card.table import NONE, Section, Table, as_rate, number
from prefilter.eval.document import Estimate, Interval
from prefilter.eval.matching.edge_matching import WAYS
from prefilter.eval.matching.move_measures import (
    AttributeMove,
    Cell,
    EdgeCost,
    EdgeLine,
    MatchedEdge,
    MoveDocument,
    Share,
    Together,
)

_WAY_NAMES = {"volume": "same volume", "recall": "same recall", "precision": "same precision"}
_EDGE_HEADER = ("edge", "at", "volume", "precision", "recall", "both", "only theirs", "only ours")


def sections(document: MoveDocument) -> list[Section]:
    """Return one section per attribute, before them what the sample is, and behind them all edges together."""
    found = [_sample(document)]
    found += [_attribute(name, body) for name, body in document.attributes.items()]
    if document.together is not None:
        found.append(_together(document.together))
    return found


def _sample(document: MoveDocument) -> Section:
    points = [f"{document.scored} of {document.rows} rows scored by {document.model_version}"]
    points += [
        f"{count} rows without a score, which a policy sends to people: {reason}"
        for reason, count in document.unscored.items()
    ]
    if document.errors:
        points.append(f"{document.errors} rows break the contract (no text, for instance) and are left out")
    return Section("Sample", "", points=tuple(points))


def _attribute(name: str, body: AttributeMove) -> Section:
    rho = body.spearman
    said = body.reason if body.derived else f"our {body.ours}, {body.reason}"
    text = f"{said}. {body.n} rows with both scores"
    if rho is not None and rho.value is not None:
        text += f"; rank correlation {number(rho.value)}{_bounds(rho.ci95)}"
    if body.labels is not None:
        text += f"; {body.labels.harmful} labelled harmful, {body.labels.benign} benign"
    tables = []
    if body.quantiles:
        header = ("quantile", *(f"{at.q:g}" for at in body.quantiles))
        theirs = ("theirs", *(number(at.theirs) for at in body.quantiles))
        tables.append(Table(header, (theirs, ("ours", *(number(at.ours) for at in body.quantiles)))))
    if body.edges:
        tables.append(Table(_EDGE_HEADER, tuple(row for line in body.edges for row in _edge_rows(line))))
    notes = [note.message for note in body.notes]
    notes += [f"{line.theirs.edge:g}: {note.message}" for line in body.edges for note in line.notes]
    return Section(name, text, tables=tuple(tables), points=tuple(notes))


def _edge_rows(line: EdgeLine) -> Iterator[tuple[str, ...]]:
    name = "theirs" if line.act is None else f"theirs ({line.act})"
    yield (name, f"{line.theirs.edge:g}", *_costs(line.theirs), NONE, NONE, NONE)
    for way in WAYS:
        matched = line.matched[way]
        if matched is None:
            continue
        meeting = matched.agreement
        counts = map(_count, (meeting.both, meeting.only_theirs, meeting.only_ours))
        at = number(matched.edge) + _bounds(matched.edge_ci95)
        yield (f"ours, {_WAY_NAMES[way]}", at, *_costs(matched), *counts)


def _costs(cost: EdgeCost | MatchedEdge) -> tuple[str, str, str]:
    return _rate(cost.volume), _rate(cost.precision), _rate(cost.recall)


def _together(body: Together) -> Section:
    meeting = body.agreement
    points = [
        f"theirs flag {_rate(body.theirs)}, ours matched by {body.way} {_rate(body.ours)} of the scored rows",
        f"both {meeting.both.n}, only theirs {meeting.only_theirs.n}, only ours {meeting.only_ours.n}",
    ]
    if body.left_out:
        points.append(f"no edge of ours for {', '.join(body.left_out)}")
    return Section("All edges together", "", points=tuple(points))


def _count(cell: Cell) -> str:
    return str(cell.n) if cell.harmful is None else f"{cell.n} ({cell.harmful}+ {cell.benign}-)"


def _rate(share: Share | None) -> str:
    return NONE if share is None else as_rate(Estimate(share.value, share.ci95))


def _bounds(ci95: Interval | None) -> str:
    return "" if ci95 is None else f" ({ci95[0]:.3f}{NONE}{ci95[1]:.3f})"
