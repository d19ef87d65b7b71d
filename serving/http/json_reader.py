"""Bytes to JSON values, for every body that comes in; what a body must hold is said elsewhere (`body_reader`).

A library's own JSON reader silently keeps the last of two equal keys, and some refuse a whole body for one lone
surrogate that here is one row's error: so the standard library reads, and marks an object that has a key twice. No
message repeats any of the input. Knows no web framework.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Container, Iterable
from typing import Any

from prefilter.serving.errors import BadRequest

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_MAX_DIGITS = 300


class Doubled(dict[str, Any]):
    """A JSON object that had a key twice: two readers would disagree about what it says."""


Doubled.__name__ = "dict"  # a message that names the type of a value says what the caller sent


def read_json(raw: bytes) -> object:
    """Read a JSON document; raises BadRequest (`invalid_utf8`, `not_json`) without repeating any of it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise BadRequest(f"invalid UTF-8 at byte {fault.start}", code="invalid_utf8", field="body") from None
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_int=_whole_number, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as fault:
        message = f"not JSON, at line {fault.lineno} column {fault.colno}"
        raise BadRequest(message, code="not_json", field="body") from None
    except (ValueError, RecursionError):
        raise BadRequest("not JSON this service reads", code="not_json", field="body") from None


def shown(name: str) -> str:
    """Return a field's name where it looks like one, else `?`: whatever a caller sends may be text."""
    return name if _NAME.fullmatch(name) else "?"


def is_storable(value: str) -> bool:
    """Say whether a database of ours can hold it: no NUL (PostgreSQL), no lone surrogate."""
    return value.isprintable() or not _UNSTORABLE.search(value)


def unknown_name(value: Iterable[str], known: Container[str]) -> str | None:
    """Return the first name of an object that is not known, as it may be shown; None where all are."""
    return next((shown(name) for name in value if name not in known), None)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else Doubled(made)


def _whole_number(digits: str) -> int | float:
    """A number too long to be read is valid JSON: it is a value of the wrong type, not a broken body."""
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


def _refuse_constant(_name: str) -> Any:
    raise ValueError
