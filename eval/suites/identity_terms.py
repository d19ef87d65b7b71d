"""Identity terms (nationalities, religions, ages …): found from a template set, and marked in texts.

The template set puts every term once into each template, so a fair model scores all terms alike. The list in
`identity_terms.txt` is the answer of `find_terms`;
`python -m prefilter.eval.suites.identity_terms SUITE` prints it again.
It knows words, not scores.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from prefilter.eval.suites.suite import load_suite

TERMS_FILE = Path(__file__).parent / "identity_terms.txt"
# The one template family whose only open places are the identity and what is said of it.
_TEMPLATE = re.compile(r"being (?P<term>[a-z]+(?: [a-z]+)?) is (?P<said>[a-z]+)\W*", re.IGNORECASE)
_WORD = re.compile(r"[a-z']+", re.IGNORECASE)


def find_terms(texts: Iterable[str], *, least_sayings: int = 4) -> list[str]:
    """Return the identity terms of a template set, sorted.

    A term fills `being TERM is …` with at least `least_sayings` different sayings, and all such terms are
    said the same things: a filler that only some sayings share is no identity of the templates.
    """
    sayings: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        match = _TEMPLATE.fullmatch(text.strip())
        if match:
            sayings[match["term"].lower()].add(match["said"].lower())
    if not sayings:
        return []
    everything = set.union(*sayings.values())
    return sorted(term for term, said in sayings.items() if len(said) >= least_sayings and said == everything)


@lru_cache(maxsize=1)
def load_terms() -> tuple[str, ...]:
    """Return the listed identity terms."""
    lines = TERMS_FILE.read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def mark_terms(texts: Sequence[object], terms: Sequence[str]) -> list[str | None]:
    """Return per text the first term it names, None for none; the longest reading wins over a part of it."""
    if not terms:
        return [None] * len(texts)
    longest_first = sorted(terms, key=lambda term: (-len(term), term))
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")
    found: list[str | None] = []
    for text in texts:
        match = pattern.search(" ".join(_WORD.findall(text)).lower()) if isinstance(text, str) else None
        found.append(match[0] if match else None)
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the identity terms found in a suite, one on each line."""
    for term in find_terms(text for text in load_suite(arguments[0]).texts if isinstance(text, str)):
        sys.stdout.write(f"{term}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
