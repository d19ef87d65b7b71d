"""What a run and its scoring processes say to each other, as JSON: nothing is ever pickled, not even between us.

A score is a float32 and comes back as the same one: widened to a double, whose JSON is exact. Lone surrogates
and NUL travel escaped. Knows no process and no socket.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from prefilter.serving.bulk.chunks import Text

if TYPE_CHECKING:
    from prefilter.models.scored import Scored


def write_texts(chunk: Sequence[Text]) -> bytes:
    """A chunk on its way to a process."""
    return json.dumps(chunk).encode("ascii")


def read_texts(message: bytes) -> list[Text]:
    """What `write_texts` wrote."""
    return [Text(*row) for row in json.loads(message)]


def write_scored(scored: Sequence[Scored]) -> bytes:
    """The answers to a chunk on their way back."""
    rows = [
        {**asdict(row), "scores": {head: float(score) for head, score in row.scores.items()}}
        for row in scored
    ]
    return json.dumps(rows).encode("ascii")


def read_scored(message: bytes) -> list[Scored]:
    """What `write_scored` wrote."""
    import numpy as np

    from prefilter.models.scored import Evidence, Scored
    from prefilter.models.text import RowError

    rows = []
    for row in json.loads(message):
        row["scores"] = {head: np.float32(score) for head, score in row["scores"].items()}
        row["error"] = None if row["error"] is None else RowError(**row["error"])
        for name in ("evidence", "spans"):
            row[name] = tuple(Evidence(**evidence) for evidence in row[name])
        rows.append(Scored(**row))
    return rows


def write_complaint(complaint: str | None) -> bytes:
    """A process's first words: why it cannot score, or None."""
    return json.dumps(complaint).encode("ascii")


def read_complaint(message: bytes) -> str | None:
    """What `write_complaint` wrote."""
    complaint: str | None = json.loads(message)
    return complaint
