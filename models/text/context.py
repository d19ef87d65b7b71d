"""Context: the text before the one that is scored, such as the question it answers; which value is a valid one.

A context is checked like a text, with errors that name it; None, an empty one and white space all mean that there is
none. Knows neither windows nor models.
"""

from __future__ import annotations

from prefilter.models.text.normalisation import MAX_CHARS, RowError, check_text

UNSUPPORTED = "context_unsupported"


def check_context(value: object, *, max_chars: int | None = MAX_CHARS) -> RowError | None:
    """None for a context that can be read and for none at all, else what is wrong with it."""
    error = None if value is None else check_text(value, max_chars=max_chars)
    if error is None or error.code == "empty_text":
        return None
    code = f"context_{error.code.removeprefix('text_')}"
    return RowError(code, f"context{error.message.removeprefix('text')}")


def given_context(value: object) -> str | None:
    """The checked context, None where there is none to read."""
    return value if isinstance(value, str) and value.strip() else None


def unsupported() -> RowError:
    """The error of a row with a context under a model that reads none: a context is never ignored."""
    return RowError(UNSUPPORTED, "this model cannot use context")
