"""What each section says before its numbers: the words of `explanations.toml`, read once."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

EXPLANATIONS_FILE = Path(__file__).parent / "explanations.toml"


@lru_cache(maxsize=1)
def _texts() -> dict[str, str]:
    raw = tomllib.loads(EXPLANATIONS_FILE.read_text(encoding="utf-8"))
    return {key: text.strip() for key, text in raw.items()}


def explain(section: str) -> str:
    """Return the words of a section."""
    return _texts()[section]


def points(section: str) -> tuple[str, ...]:
    """Return the words of a section that is a list, a point each."""
    return tuple(line.removeprefix("- ") for line in explain(section).splitlines())
