"""Numbers that others published, each with its source and the path of the same measure of ours (`published.toml`)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from prefilter.eval.document import find

PUBLISHED_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Published:
    """One published number; `ours` is the path of the same measurement in the results document."""

    set: str
    who: str
    value: str
    source: str
    read: str
    ours: str = ""
    note: str = ""

    def find_ours(self, document: object) -> float | None:
        """Return our value from a results document (its plain form), None where it was not measured."""
        return next((found.value for found in find(document, self.ours)), None)


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """Return the published numbers of `published.toml` in order."""
    raw = tomllib.loads(PUBLISHED_FILE.read_text(encoding="utf-8"))
    return tuple(Published(**entry) for entry in raw["rival"])
