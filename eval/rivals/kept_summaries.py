"""Summaries as files: read from any results document or from a summary, and those that are kept for every card.

`python -m prefilter.eval.rivals.kept_summaries DOCUMENT [NAME [ABOUT]]` prints a document's summary, small enough to be
kept; those in `kept/` are in every card. A summary holds numbers and the names of suites, never a text.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefilter.eval.document import Measured, PartError, RivalSummary, cut, lines, load, read, summarise
from prefilter.models.known_error import KnownError

FOLDER = Path(__file__).parent / "kept"
SUMMARY = "summary"
"""The key that tells a summary from a whole document."""
DIGITS = 5


class BesideError(KnownError, ValueError):
    """A file is neither a results document nor a summary of one; the message names it."""


def read_summary(path: Path) -> RivalSummary:
    """Read a results document or a summary; raises BesideError."""
    try:
        raw = load(path)
        if isinstance(raw, Mapping) and SUMMARY in raw:
            return read(RivalSummary, raw)
        return summarise(read(Measured, raw))
    except OSError as error:
        raise BesideError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except PartError:
        raise BesideError(f"{path}: no results document") from None


def kept_summaries() -> list[RivalSummary]:
    """Return the summaries of `kept/`, by the date they were measured."""
    return sorted(map(read_summary, FOLDER.glob("*.json")), key=lambda own: own.created_at)


def write_summary(path: Path, summary: RivalSummary) -> None:
    """Write a summary, a line per suite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines(cut(summary, DIGITS)), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Print a document's summary: `python -m prefilter.eval.rivals.kept_summaries DOCUMENT [NAME [ABOUT]]`."""
    path, *said = arguments
    raw = load(Path(path))
    if isinstance(raw, Mapping) and SUMMARY in raw:
        summary = read(RivalSummary, raw)
    else:
        summary = summarise(read(Measured, raw), name="".join(said[:1]), about="".join(said[1:2]))
    sys.stdout.write(lines(cut(summary, DIGITS)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
