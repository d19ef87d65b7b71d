"""The cutter: how a model cuts its texts, with its tokenizer, its windows' length and overlap, its room for a context.

Scoring, training and the fitting of edges cut with this, so that they read the same rows. Knows the sizes of windows,
not what is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import Tokenizer

from prefilter.models.text.normalisation import Normalised
from prefilter.models.text.windows import Window, context_pieces, windows


@dataclass(frozen=True, slots=True)
class Cut:
    """A text in its windows, and how many word pieces it has; of its context, how many are read and how many it has."""

    windows: list[Window]
    tokens: int
    context_seen: int
    context_total: int


@dataclass(frozen=True, slots=True)
class Cutter:
    """`length` and `overlap` of a window and the most of a context that is read (0: nothing is), in word pieces."""

    tokenizer: Tokenizer
    length: int
    overlap: int
    context: int = 0

    def cut(self, text: Normalised, context: str | None = None) -> Cut:
        """The windows of a text, each with the end of its context behind it."""
        behind, total = context_pieces(context or "", self.tokenizer, limit=self.context)
        found, tokens = windows(text, self.tokenizer, length=self.length, overlap=self.overlap, context=behind)
        return Cut(found, tokens, len(behind), total)
