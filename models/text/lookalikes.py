"""Look-alikes: characters that are not what they seem (invisible ones, compatibility forms, letters that look Latin).

Three steps over text that is not plain ASCII, each giving the edits it wants: `characters` (drop what cannot be seen,
make every blank a space), `compose` (NFKC, cluster by cluster, so that offsets survive) and `letters` (Latin for
look-alikes, only inside words that mix scripts or words made of look-alikes alone in a text that has no other word of
that script, so that real Cyrillic or Greek is kept). Knows nothing of what the words mean; the table of letters is
`data/confusables.json` with its origin.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources

Edit = tuple[int, int, str]
"""Characters [start, end) of the current text become the string; edits are ordered and do not overlap."""

BLANK_CONTROLS = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f\x85"
INVISIBLE = frozenset(
    [
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0x1F3FB, 0x1F400),
        *range(0xE0100, 0xE01F0),
    ]
)
"""Drawn as nothing (fillers, variation selectors) or only a shade of the sign before (skin tones)."""
PUNCTUATION = {
    **dict.fromkeys("\u2018\u2019\u201b\u02bc\u00b4\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
}
FOREIGN = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
WORD = re.compile(r"[^\W_]+")
LATIN = re.compile(r"[A-Za-z]")
MAX_MARKS = 8


@cache
def table(kind: str) -> dict[str, str]:
    """Look-alike to Latin letter. `alike`: by shape; `mixed`: in words that mix scripts; `symbol`: always."""
    path = resources.files("prefilter.models").joinpath("data/confusables.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    return {alike: latin for latin, row in data[kind].items() for alike in row}


def characters(text: str) -> Iterable[Edit]:
    """Drop invisible characters and controls, turn every blank into a space, plain quotes and dashes."""
    fates = {c: fate for c in set(text) if (fate := _fate(c)) is not None}
    if fates:
        pattern = re.compile(f"[{re.escape(''.join(sorted(fates)))}]")
        for match in pattern.finditer(text):
            yield match.start(), match.end(), fates[match[0]]


@lru_cache(maxsize=4096)
def _fate(char: str) -> str | None:
    """What becomes of a character: None keeps it, "" drops it."""
    code = ord(char)
    if 0x20 <= code < 0x7F:
        return None
    if char in BLANK_CONTROLS:
        return " "
    if code in INVISIBLE:
        return ""
    if 0xE0020 <= code < 0xE007F:  # tag characters: ASCII that no person sees and every language model reads
        return chr(code - 0xE0000)
    if char in PUNCTUATION:
        return PUNCTUATION[char]
    category = unicodedata.category(char)
    if category in ("Cc", "Cf"):
        return ""
    if category == "Cs":
        return "\ufffd"
    if category in ("Zs", "Zl", "Zp"):
        return " "
    return table("symbol").get(char)


def compose(text: str) -> Iterable[Edit]:
    """NFKC of each base character with at most 8 of its marks; marks left on an ASCII letter are dropped."""
    for segment in FOREIGN.finditer(text):
        if _has_marks(segment[0]) or not unicodedata.is_normalized("NFKC", segment[0]):
            yield from _clusters(segment[0], segment.start())


def _has_marks(text: str) -> bool:
    return any(map(unicodedata.combining, text))


def _clusters(text: str, offset: int) -> Iterable[Edit]:
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and _joins(text[end]):
            end += 1
        cluster = text[start:end]
        plain = _plain(cluster[: 1 + MAX_MARKS])
        if plain != cluster:
            yield offset + start, offset + end, plain
        start = end


def _joins(char: str) -> bool:
    return unicodedata.combining(char) != 0 or "\u1160" <= char <= "\u11ff"


@lru_cache(maxsize=8192)
def _plain(cluster: str) -> str:
    plain = unicodedata.normalize("NFKC", cluster)
    if len(plain) > 1 and plain[0].isascii() and plain[0].isalnum():
        plain = plain[0] + "".join(c for c in plain[1:] if not unicodedata.combining(c))
    return plain


def letters(text: str) -> Iterable[Edit]:
    """Latin letters for look-alikes in words that mix scripts, and in disguised words between Latin ones."""
    alike, mixed = table("alike"), {**table("alike"), **table("mixed")}
    genuine: set[str] = set()
    disguised: list[re.Match[str]] = []
    edits: list[Edit] = []
    latin = LATIN.search(text) is not None
    for word in WORD.finditer(text):
        if word[0].isascii():
            continue
        if LATIN.search(word[0]):
            edits += _replaced(word, mixed)
        elif len(word[0]) > 1 and all(c in alike for c in word[0]):
            disguised.append(word)
        else:
            genuine.update(_script(c) for c in word[0])
    for word in disguised:
        scripts = {_script(c) for c in word[0]}
        if scripts == {"LATIN"} or (latin and not genuine.intersection(scripts)):
            edits += _replaced(word, alike)
    edits.sort()
    return edits


def unsettled(text: str) -> int | None:
    """Where the first word begins that `letters` may read otherwise once more follows; None where there is none.

    A word of look-alikes alone is a disguise or not by the other words; the last word may still grow.
    """
    alike = table("alike")
    for word in WORD.finditer(text):
        if word[0].isascii():
            continue
        alone = len(word[0]) > 1 and LATIN.search(word[0]) is None and all(c in alike for c in word[0])
        if alone or word.end() == len(text):
            return word.start()
    return None


def _replaced(word: re.Match[str], latin: dict[str, str]) -> list[Edit]:
    start = word.start()
    return [(start + i, start + i + 1, latin[c]) for i, c in enumerate(word[0]) if c in latin]


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    """The script of a letter, by the first word of its Unicode name."""
    return unicodedata.name(char, "UNKNOWN").split()[0]
