"""The item, as every way in hands it to a screening: a submitted content, or a row that breaks the contract.

Plain values; nothing here knows how they were read or what becomes of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from prefilter.models.text.normalisation import RowError


class Item(NamedTuple):
    """One submitted content and its context, None where it has none. Both stay out of its repr.

    A tuple, since a full request makes a thousand of them and a frozen dataclass takes three times as long to make.
    """

    id: str | None
    text: str
    language: str | None = None
    source: str | None = None
    context: str | None = None

    def __repr__(self) -> str:
        """Name the item, without its text and context."""
        return f"Item(id={self.id!r}, language={self.language!r}, source={self.source!r})"


@dataclass(frozen=True, slots=True)
class BadRow:
    """An item that breaks the contract; `id` is None where it cannot be repeated safely."""

    id: str | None
    error: RowError
