"""The tables of streamed output on the page of performance, written from its document alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
Rows = Iterator[tuple[str, ...]]
NONE = "\u2013"

WAITS = ("streams at once", "bound", "answers", "first text out, p50 / p99, ms", "a chunk, p50 / p99, ms")
LET_OUT = (
    "bound",
    "answers cut",
    "of these, allowed whole",
    "cut before any of the window was out",
    "of the window out, characters: p50 / p90 / most",
    "first text out after, characters: p50 / p90",
    "a character is held for, characters: p50 / p90",
)


def waits(document: Document) -> Rows:
    """How long a reader waits: by bound for one stream, then by streams for the largest bound."""
    bounds = document.get("bounds", {})
    for bound, own in bounds.items():
        yield "1", bound, str(own["answers"]), _two(own["first_release_ms"]), _two(own["chunk_ms"])
    for number, own in document.get("streams", {}).items():
        if number != "1":
            largest = max(bounds, key=int)
            yield number, largest, str(own["answers"]), _two(own["first_release_ms"]), _two(own["chunk_ms"])


def let_out(document: Document) -> Rows:
    """What each bound lets out of the answers that were replayed."""
    for own in document.get("replayed", {}).get("bounds", []):
        share = own["cut_before_any_of_it"]
        yield (
            str(own["max_unsafe_chars"]),
            str(own["cut"]),
            str(own["cut_though_allowed_whole"]),
            NONE if share is None else f"{share:.0%}",
            _spread(own["unsafe_chars"], "p50", "p90", "max"),
            _spread(own["first_release_after_chars"], "p50", "p90"),
            _spread(own["held_chars"], "p50", "p90"),
        )


def meanwhile(document: Document) -> str:
    """How many answers were refused at some moment and are allowed whole, as a sentence."""
    own = document.get("replayed")
    if not own:
        return ""
    suites = ", ".join(f"{number} of `{name}`" for name, number in own["suites"].items())
    return (
        f"Replayed: {own['answers']} model answers ({suites}) under `{own['policy']}`. Of the {own['allowed_whole']} "
        f"that it allows whole, {own['refused_at_some_moment']} were refused at some moment while they were written."
    )


def _two(figures: Mapping[str, float]) -> str:
    return f"{figures['p50']:,.0f} / {figures['p99']:,.0f}"


def _spread(figures: Mapping[str, float] | None, *names: str) -> str:
    return NONE if figures is None else " / ".join(f"{figures[name]:,.0f}" for name in names)
