"""Mild texts of a wanted length, made from a few sentences: for benchmarks that need no data set."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import numpy as np

SENTENCES = (
    "The river rises in the hills above the town and runs through meadows and small villages to the lake.",
    "Its valley is known for apple orchards, stone bridges and an old mill that is a museum of local history today.",
    "In spring the orchards are in bloom and visitors come by train from the city on the other side of the pass.",
    "A path for walkers follows the water for thirty kilometres, past farms that sell bread, cheese and honey.",
    "The council repaired the bridges last year and put up new signs with distances and the names of the hills.",
    "Most of the fields belong to families who have worked them for generations and know every stream and stone.",
)


def text_of(chars: int, number: int = 0) -> str:
    """A text of exactly so many ASCII characters; texts with different numbers differ."""
    order = np.random.default_rng(number).permutation(len(SENTENCES))
    made, turns = f"{number}. ", cycle(order)
    while len(made) <= chars:
        made += SENTENCES[next(turns)] + " "
    cut = made[:chars]
    return cut[:-1] + "." if cut[-1].isspace() else cut


def text_of_pieces(pieces: int, counted: Callable[[str], int], number: int = 0) -> str:
    """A text of about so many word pieces: words are dropped from the end until `counted(text)` allows it."""
    words = text_of(pieces * 8, number).split()
    while len(words) > 1 and counted(" ".join(words)) > pieces:
        words = words[: max(1, len(words) - max(1, (counted(" ".join(words)) - pieces) // 2))]
    return " ".join(words)
