"""The document of a move: for every attribute in a sample how ours relates to theirs, and what all edges do together.

What answers for an attribute is handed in: a name for people, and how it is made of our heads. An edge is one at which
somebody acted: sent to people (review) or refused (block).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.document import widened
from prefilter.eval.matching.edge_matching import REPLICATES, WAYS, agreement, compare
from prefilter.eval.matching.move_measures import AttributeMove, EdgeLine, MoveDocument, Note, Together, share
from prefilter.eval.matching.our_scores import OurScores
from prefilter.eval.matching.score_pair import Scores
from prefilter.eval.matching.their_sample import Sample

REVIEW, BLOCK = "review", "block"
UNCALIBRATED = "our score is calibrated on too few people's labels: no policy blocks on it alone, it sends to people"


@dataclass(frozen=True, slots=True)
class Counterpart:
    """What of ours answers for an attribute: `head` where it is one head, else derived; `reason` for people."""

    heads: tuple[str, ...]
    head: str | None
    reason: str
    score: Callable[[Mapping[str, np.float32]], np.float32]

    def of(self, ours: OurScores) -> NDArray[np.float32]:
        """Our score [n] for the attribute, NaN where there is none."""
        scored, columns = ours.scored, [ours.heads[head] for head in self.heads]
        found = np.full(scored.size, np.nan, dtype=np.float32)
        for row in np.flatnonzero(scored):
            cells = (column[row] for column in columns)
            found[row] = self.score(dict(zip(self.heads, cells, strict=True)))
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """One edge of theirs on an attribute, and what they did from there on: `review` or `block`."""

    attribute: str
    edge: float
    act: str = REVIEW


def make(
    sample: Sample,
    ours: OurScores,
    counterparts: Mapping[str, Counterpart],
    asked: Sequence[Asked],
    *,
    way: str = WAYS[0],
    replicates: int = REPLICATES,
) -> MoveDocument:
    """Return the document; `counterparts` holds every attribute of the sample. `way`: how all edges together match."""
    scores = {name: counterparts[name].of(ours) for name in sample.theirs}
    attributes = {}
    for name, theirs in sample.theirs.items():
        own = [edge for edge in asked if edge.attribute == name]
        labels = sample.labels.get(name)
        counterpart = counterparts[name]
        found = compare(theirs, scores[name], labels, edges=[edge.edge for edge in own], replicates=replicates)
        soft = counterpart.head in ours.uncalibrated
        lines = tuple(_acted(line, edge, soft=soft) for edge, line in zip(own, found.edges, strict=False))
        attributes[name] = widened(
            AttributeMove,
            replace(found, edges=lines),
            ours=counterpart.head,
            derived=counterpart.head is None,
            reason=counterpart.reason,
        )
    return MoveDocument(
        model_version=ours.model_version,
        date=datetime.now(UTC).date().isoformat(),
        rows=len(sample),
        scored=int(ours.scored.sum()),
        unscored=ours.unscored,
        errors=ours.errors,
        attributes=attributes,
        together=together(sample, ours.scored, scores, attributes, way=way),
    )


def together(
    sample: Sample,
    scored: NDArray[np.bool_],
    scores: Mapping[str, Scores],
    attributes: Mapping[str, AttributeMove],
    *,
    way: str,
) -> Together | None:
    """What all their edges flag, and what ours matched one by one flag together, of the rows that we scored.

    Only edges of heads count for ours, since a policy has no band for a derived score. None where nothing matches.
    """
    theirs, ours = np.zeros(len(sample), dtype=bool), np.zeros(len(sample), dtype=bool)
    left_out, bands = [], 0
    for name, found in attributes.items():
        for line in found.edges:
            theirs |= np.nan_to_num(sample.theirs[name], nan=-1.0) >= line.theirs.edge
            matched = line.matched[way]
            if found.derived or matched is None:
                left_out.append(name)
                continue
            ours |= np.nan_to_num(scores[name], nan=-1.0) >= matched.edge
            bands += 1
    if not bands:
        return None
    theirs, ours = theirs[scored], ours[scored]
    return Together(
        way=way,
        left_out=tuple(sorted(set(left_out))),
        theirs=share(int(theirs.sum()), theirs.size),
        ours=share(int(ours.sum()), ours.size),
        agreement=agreement(theirs, ours),
    )


def _acted(line: EdgeLine, edge: Asked, *, soft: bool) -> EdgeLine:
    """The line with what they did from the edge on; `soft`: our score may not block alone."""
    notes = line.notes
    if edge.act == BLOCK and soft:
        notes = (*notes, Note(code="uncalibrated", message=UNCALIBRATED))
    return replace(line, act=edge.act, notes=notes)
