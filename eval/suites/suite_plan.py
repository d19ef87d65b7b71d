"""The plan of a report: which suites, which rows of each, and in which role.

It is data, read from `suites.toml`; nothing is scored here.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

SUITES_FILE = Path(__file__).parent / "suites.toml"
SPAN_HEADS: tuple[str, ...] = ("toxicity",)
"""The heads whose spans count unless the plan names others for a suite."""


class Role(StrEnum):
    """What a suite is for."""

    HARM = "harm"
    HATECHECK = "hatecheck"
    BIAS = "bias"
    BENIGN = "benign"  # no harm by origin: what is held is a false alarm
    STREAM = "stream"  # unlabelled: what is held is a flag rate
    LANGUAGE = "language"  # text that must not pass unread


@dataclass(frozen=True, slots=True)
class Entry:
    """One suite of the plan: its name or path, the rows kept, its role, and whose spans count where it has spans."""

    target: str
    role: Role = Role.HARM
    split: str | None = None
    max_rows: int | None = None
    about: str = ""
    span_heads: tuple[str, ...] = SPAN_HEADS


@lru_cache(maxsize=1)
def planned_suites() -> tuple[Entry, ...]:
    """Return the suites of `suites.toml` in order."""
    raw = tomllib.loads(SUITES_FILE.read_text(encoding="utf-8"))
    common = raw["max_rows"]
    return tuple(
        Entry(
            target=entry["name"],
            role=Role(entry["role"]),
            split=entry.get("split"),
            max_rows=entry.get("max_rows", common),
            about=entry["about"],
            span_heads=tuple(entry.get("span_heads", SPAN_HEADS)),
        )
        for entry in raw["suite"]
    )


def role_of(name: str) -> Role:
    """Return the role of a suite asked for by name or path: the plan's where it has the name, else harm."""
    return next((entry.role for entry in planned_suites() if entry.target == name), Role.HARM)
