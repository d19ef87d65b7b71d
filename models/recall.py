"""Recall: the network's output for the windows of a text that grows, so that only changed windows are run again.

A text that grows at its end keeps its windows, all but the last: a window is cut from the left, and what follows it
changes neither its pieces nor where it ends (see `text.windows`). Normalisation may change a text before its end too,
where a disguise becomes visible only later; `text.normalisation.settled` tells up to where it cannot. Holds digests of
word pieces and the network's output, never text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from prefilter.models.text.windows import Window

if TYPE_CHECKING:  # who follows a stream need not load the network's library
    from prefilter.models.onnx_network import Run

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")


def digest(window: Window) -> bytes:
    """What distinguishes a window from another: all that the network reads of it."""
    return hashlib.blake2b(window.ids.tobytes() + window.types.tobytes(), digest_size=16).digest()


class Recall(Generic[Piece, Answer]):
    """The windows of one text as it was last prepared, and what is known of them. For one text at a time."""

    def __init__(
        self,
        digest_of: Callable[[Piece], bytes],
        span_of: Callable[[Piece], tuple[int, int]],
    ) -> None:
        """`digest_of` distinguishes windows; `span_of` gives where one begins, and up to where the text must not change
        for the window not to change (`Window.decided`)."""
        self._digest_of, self._span_of = digest_of, span_of
        self._runs: dict[bytes, Answer] = {}
        self._digests: list[bytes] = []
        self._closed: list[bytes] = []
        self.spans: tuple[tuple[int, int], ...] = ()
        self.ran = 0
        """How many windows the network has run for this text so far."""

    def known(self, windows: Sequence[Piece]) -> list[Answer | None]:
        """Return the output for each window, None where it must be run; windows that are gone are forgotten."""
        self._digests = [self._digest_of(window) for window in windows]
        found = [self._runs.get(key) for key in self._digests]
        self._runs = {key: run for key, run in zip(self._digests, found, strict=True) if run is not None}
        self.spans = tuple(self._span_of(window) for window in windows)
        return found

    def learn(self, window: Piece, run: Answer) -> None:
        """Keep the network's output for a window."""
        self._runs[self._digest_of(window)] = run
        self.ran += 1

    def open_window(self, settled: int) -> tuple[int, int]:
        """Return (number, start) of the first window that may change when more follows.

        `settled`: up to which place of the text that was prepared last its normalised form cannot change.
        """
        for number, (start, decided) in enumerate(self.spans):
            if decided > settled:
                return number, start
        return 0, 0

    def close(self, number: int) -> None:
        """Count the first `number` windows as closed: they are relied on from now on."""
        self._closed = self._digests[:number]

    def reopened(self) -> int | None:
        """Where the first closed window begins that has changed after all; None where none has, as it should be."""
        for number, digest in enumerate(self._closed):
            if number >= len(self._digests) or self._digests[number] != digest:
                return self.spans[min(number, len(self.spans) - 1)][0] if self.spans else 0
        return None


def of_text() -> Recall[Window, Run]:
    """Return the recall of one growing text."""
    return Recall(digest, lambda window: (window.start, window.decided))
