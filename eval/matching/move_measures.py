"""The parts of a move: per attribute how two scores relate, per edge what it costs and which of ours meets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prefilter.eval.document import LEADING, Interval, Part
from prefilter.eval.metrics import wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Part):
    """Something that the data cannot say: a code for programs, a message for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share(Part):
    """`hits` of `of` rows, with the Wilson interval of the share."""

    value: float | None
    hits: int
    of: int
    ci95: Interval | None


def share(hits: int, of: int) -> Share:
    """Return the share of so many rows, undefined of none."""
    return Share(value=hits / of if of else None, hits=hits, of=of, ci95=wilson(hits, of))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell(Part):
    """So many rows, and where labels are known how many of them are harmful and benign."""

    n: int
    harmful: int | None = None
    benign: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement(Part):
    """Rows that both flag, only one, or neither."""

    both: Cell
    only_theirs: Cell
    only_ours: Cell
    neither: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCost(Part):
    """An edge and what it costs; precision and recall where labels are known."""

    edge: float
    volume: Share
    precision: Share | None
    recall: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedEdge(Part):
    """An edge of ours matched to one of theirs, and where the two differ."""

    edge: float
    edge_ci95: Interval | None
    volume: Share
    precision: Share | None
    recall: Share | None
    agreement: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeLine(Part):
    """One edge of theirs; `matched` by way, None where no edge of ours goes; `act`: what they did from there on."""

    theirs: EdgeCost
    matched: Mapping[str, MatchedEdge | None]
    notes: tuple[Note, ...]
    act: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation(Part):
    """A rank correlation."""

    value: float | None
    ci95: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile(Part):
    """The score that a share `q` of the rows does not exceed, on either side."""

    q: float
    theirs: float
    ours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts(Part):
    """Rows that people judged."""

    harmful: int
    benign: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Part):
    """Two scores of the same `n` rows."""

    n: int
    notes: tuple[Note, ...]
    spearman: Correlation | None
    quantiles: tuple[Quantile, ...]
    edges: tuple[EdgeLine, ...]
    labels: LabelCounts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeMove(Comparison):
    """An attribute of theirs: `ours` is the head that answers for it, None for a derived score; `reason` for people."""

    ours: str | None = field(metadata=LEADING)
    derived: bool = field(metadata=LEADING)
    reason: str = field(metadata=LEADING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Together(Part):
    """What all their edges flag, and what ours flag together that were matched one by one in one `way`."""

    way: str
    left_out: tuple[str, ...]
    theirs: Share
    ours: Share
    agreement: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveDocument(Part):
    """The whole document; `unscored`: rows by the reason why they have no score."""

    model_version: str
    date: str
    rows: int
    scored: int
    unscored: Mapping[str, int]
    errors: int
    attributes: Mapping[str, AttributeMove]
    together: Together | None
