"""Hypertext: the text of a comment written in HTML, with a map back to the markup.

Tags and their attributes go; entities become their characters; a tag that begins a new line leaves a line break, while
one inside a line leaves nothing, or a word could be taken apart by tags that nobody sees. All other text stays, a
script's and a hidden comment's too: browsers, cleaners of markup and this parser disagree about where those end, and
what one of them shows must not go unread. Nothing is executed or rendered. Knows nothing of scores.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import accumulate

from prefilter.models.text.normalisation import ENTITY

IN_LINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins",
    "kbd", "mark", "nobr", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup",
    "time", "tt", "u", "var", "wbr",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plain:
    """A text and where each of its characters was: [starts[i], ends[i]) in code points; None: where it is."""

    text: str = field(repr=False)
    starts: tuple[int, ...] | None = field(default=None, repr=False)
    ends: tuple[int, ...] | None = field(default=None, repr=False)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return where characters [start, end) stood; `end` is greater than `start`."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def text_of(markup: str) -> Plain:
    """Return the text of `markup`."""
    reader = _Reader(markup)
    reader.feed(markup[: markup.rfind(">") + 1])
    reader.close()
    reader.end()
    return Plain("".join(reader.characters), tuple(reader.starts), tuple(reader.ends))


class _Reader(HTMLParser):
    """Collects characters with their places; the parser says where each piece of markup begins."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=False)
        self._markup = markup
        self._lines = [0, *accumulate(len(line) + 1 for line in markup.split("\n"))]
        self.characters: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def handle_data(self, data: str) -> None:
        """Keep the characters of a text as they stand."""
        self._stand(data, self._here())

    def handle_entityref(self, name: str) -> None:
        """Keep the characters of `&name;`."""
        self._entity(f"&{name}")

    def handle_charref(self, name: str) -> None:
        """Keep the character of `&#name;`."""
        self._entity(f"&#{name}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, where this tag does."""
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        """End a line, where this tag does."""
        self._break(tag)

    def handle_comment(self, data: str) -> None:
        """Keep what a comment says, as the text it may be somewhere else."""
        self._break("")
        self._stand(data, self._markup.find(data, self._here()))
        self._stand_at("\n", self.ends[-1], self.ends[-1])

    def handle_pi(self, data: str) -> None:
        """Keep what is in `<?…>`, which browsers take for a comment."""
        self.handle_comment(data)

    def handle_decl(self, decl: str) -> None:
        """Keep what is in `<!…>`."""
        self.handle_comment(decl)

    def end(self) -> None:
        """Keep what follows the last tag; the parser would look for an end of it again and again."""
        here = self._markup.rfind(">") + 1
        for found in ENTITY.finditer(self._markup, here):
            self._stand(self._markup[here : found.start()], here)
            self._stand_at(html.unescape(found[0]), found.start(), found.end())
            here = found.end()
        self._stand(self._markup[here:], here)

    def parse_html_declaration(self, i: int) -> int:
        """Read `<![…` as browsers do, as a comment up to `>`; the parser would stop at some, with an exception."""
        if self.rawdata.startswith("<![", i):
            return self.parse_bogus_comment(i)
        return super().parse_html_declaration(i)

    def _entity(self, written: str) -> None:
        if self._markup.startswith(f"{written};", self._here()):
            written += ";"
        self._keep(html.unescape(written), length=len(written))

    def _break(self, tag: str) -> None:
        if tag not in IN_LINE:
            self._keep("\n", length=0)

    def _keep(self, read: str, *, length: int) -> None:
        """Keep what the next `length` characters of markup are read as; all of it is where they are."""
        start = self._here()
        self._stand_at(read, start, start + length)

    def _stand_at(self, read: str, start: int, end: int) -> None:
        self.characters.extend(read)
        self.starts += [start] * len(read)
        self.ends += [end] * len(read)

    def _stand(self, data: str, start: int) -> None:
        """Keep characters that stand in the markup from `start` on."""
        self.characters.extend(data)
        self.starts.extend(range(start, start + len(data)))
        self.ends.extend(range(start + 1, start + 1 + len(data)))

    def _here(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column
