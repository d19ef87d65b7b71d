"""Evidence chosen: which windows and which words of a scored text are told for which category.

The highest category always has evidence, any other from `EVIDENCE_SCORE` on. `deciding_windows` gives the window that
decided each of them; `marked_spans` narrows it down to words where the model marks them. Knows windows, scores and
marks; knows neither how a text was scored nor policies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prefilter.models.marker import Marker
from prefilter.models.scored import Evidence
from prefilter.models.text.windows import Window

EVIDENCE_SCORE, EVIDENCE_COUNT = 0.3, 3
"""From which score on a category has evidence, and how many deciding windows an answer holds at most."""


def deciding_windows(
    text: str, cut: Sequence[Window], scores: Mapping[str, np.float32], deciding: NDArray[np.int64]
) -> list[Evidence]:
    """The deciding window of each head that has evidence, highest score first, without blanks at its ends.

    `deciding` [heads]: the number of the window in which each head was highest, in the order of `scores`.
    """
    ranked = sorted(enumerate(scores.items()), key=lambda item: -item[1][1])
    found = []
    for rank, (head, (name, score)) in enumerate(ranked):
        if rank and score < EVIDENCE_SCORE:
            break
        window = cut[int(deciding[head])]
        part = text[window.start : window.end]
        start = window.start + len(part) - len(part.lstrip())
        end = window.end - (len(part) - len(part.rstrip()))
        found.append(Evidence(name, start, max(end, start), float(score)))
    return found


def marked_spans(
    marker: Marker,
    windows: Sequence[Evidence],
    deciding: NDArray[np.int64],
    *,
    heads: Sequence[str],
    edges: Mapping[str, float],
) -> tuple[Evidence, ...]:
    """The spans of every head in `windows`; a head that has no edge, or marks nothing, keeps its deciding window.

    `edges`: the log-odds from which on a piece is marked, by head.
    """
    found: list[Evidence] = []
    for window in windows:
        head, edge = heads.index(window.category), edges.get(window.category)
        spans = [] if edge is None else marker.spans(head, edge=edge, deciding=int(deciding[head]))
        found += [Evidence(window.category, s.start, s.end, s.strength) for s in spans] or [window]
    return tuple(found)
