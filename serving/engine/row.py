"""Rows: what is handed to the engine to be scored, and what the engine needs of whoever scores them.

A row is a value; a scorer prepares it, runs its windows one by one and concludes its answer, as the model's own does.
Knows no threads and no queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from prefilter.models.scored import Scored

if TYPE_CHECKING:  # the engine loads no model
    from prefilter.models.onnx_network import Run
    from prefilter.models.scorer import Prepared
    from prefilter.models.text.windows import Window

CHARS_PER_TOKEN = 4
ROW_TOKENS = 4
"""Marks around a row's pieces, and what the shortest row costs beside its pieces."""

CHANGED_TOKENS = 256


class Known(Protocol):
    """What the network said before of windows like those of a row."""

    def known(self, windows: Sequence[Window]) -> list[Run | None]:
        """Return what it said of each window, None where it must be asked."""
        ...

    def learn(self, window: Window, run: Run) -> None:
        """Keep what it said."""
        ...


class Row(NamedTuple):
    """What is scored: the text as sent, its declared language, its context, the certificate under which
    the fast stage may clear it (None: the transformer scores it), whether its answer may be kept and given
    again, and what is known of its windows."""

    text: object
    language: str | None = None
    context: str | None = None
    certificate: str | None = None
    keep: bool = True
    known: Known | None = None


class RowScorer(Protocol):
    """What the engine needs of a scorer, from any thread: a row prepared, a window run, a row concluded."""

    def prepare(
        self, text: object, *, language: str | None, context: object, certificate: str | None, keep: bool
    ) -> Prepared | Scored:
        """Return a Scored where no network is needed, else the row with its windows; nothing is left to a default."""
        ...

    def run(self, window: Window) -> Run:
        """Run one window."""
        ...

    def conclude(self, prepared: Prepared, runs: Sequence[Run]) -> Scored:
        """Return the answer of a row whose windows were all run, in order."""
        ...


def unscored(reason: str) -> Scored:
    """Return the answer for a valid text that got no scores."""
    return Scored({}, unscored=reason)


def chars(row: Row) -> int:
    """Return how many characters a row has, its context's too."""
    return sum(len(part) for part in (row.text, row.context) if isinstance(part, str))


def estimate(row: Row) -> int:
    """Return about how many tokens a row will cost: of one whose windows are known, two windows at most."""
    tokens = chars(row) // CHARS_PER_TOKEN
    return ROW_TOKENS + (tokens if row.known is None else min(tokens, CHANGED_TOKENS))
