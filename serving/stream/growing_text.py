"""A text that grows: the text of a stream as its parts come in, cut anywhere.

A cut may come between the two halves of a character outside the basic plane (JSON may write them as two escapes in two
messages): a first half waits for its second. Knows no transport and no model.
"""

from __future__ import annotations

from prefilter.models.text.normalisation import RowError


class GrowingText:
    """The parts so far; `text` is what is whole of them."""

    def __init__(self, *, max_chars: int) -> None:
        """Take up to `max_chars` code points."""
        self._max_chars = max_chars
        self._parts: list[str] = []
        self._chars = 0
        self._half = ""
        self._text = ""
        self.ended = False

    @property
    def text(self) -> str:
        """All of it so far, without half a character at its end."""
        if self._parts:
            self._text = "".join([self._text, *self._parts])
            self._parts.clear()
        return self._text

    def __len__(self) -> int:
        return self._chars

    def add(self, part: str) -> RowError | None:
        """Take a part; returns what is wrong with it, and then nothing of it was taken."""
        part = self._half + part
        half = ""
        if part and not part.isascii():
            if "\ud800" <= part[-1] <= "\udbff":
                part, half = part[:-1], part[-1]
            try:
                part = part.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            except UnicodeDecodeError:
                return RowError("lone_surrogate", "the text has a lone surrogate")
        if self._chars + len(part) > self._max_chars:
            return RowError("text_too_long", f"a stream has at most {self._max_chars} code points")
        self._half = half
        self._chars += len(part)
        if part:
            self._parts.append(part)
        return None

    def end(self) -> RowError | None:
        """Nothing follows; returns what is wrong with the whole."""
        self.ended = True
        return RowError("lone_surrogate", "the text has a lone surrogate") if self._half else None
