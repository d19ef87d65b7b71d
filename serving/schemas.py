"""The bodies that come in: bytes to checked values, by hand.

Two kinds of mistakes are kept apart. One at the top of a body (not JSON, an unknown or missing field, a wrong
type) is a BadRequest naming the field; one inside an item is that row's error, and the other rows are scored.
No message here repeats a value, and a field's name only where it looks like a name. This file knows no web
framework and no database.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefilter.models.text.context import check_context, given_context
from prefilter.models.text.normalisation import RowError, check_text
from prefilter.serving.errors import BadRequest, Unprocessable

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What no database of ours can store: NUL (PostgreSQL) and lone surrogates."""
_ITEM_FIELDS = frozenset({"id", "text", "language", "source", "context"})
_MAX_LANGUAGE_CHARS = 35
_MAX_DIGITS = 300
_TYPE_WORDS: dict[type, str] = {
    str: "a string", bool: "true or false", int: "a whole number", dict: "an object", list: "a list",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One submitted content and what it answers, None where it answers nothing. Both stay out of its repr."""

    id: str | None
    text: str = field(repr=False)
    language: str | None = None
    source: str | None = None
    context: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class BadRow:
    """An item that breaks the contract; `id` is None where it cannot be repeated safely."""

    id: str | None
    error: RowError


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """The body of `POST /v1/score`, rows in request order."""

    rows: tuple[Item | BadRow, ...]
    policy: str | None
    explain: bool
    exact: bool


class _Doubled(dict[str, Any]):
    """A JSON object in which a key stood twice: two readers would disagree about what it says."""


def read_json(raw: bytes) -> Any:
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


def read_object(
    raw: bytes,
    *,
    required: Mapping[str, type] | None = None,
    optional: Mapping[str, type] | None = None,
    storable: bool = True,
) -> dict[str, Any]:
    """Read a JSON object with exactly these fields; null stands for an absent optional one.

    `storable` refuses strings with NUL or lone surrogates at the top level. Raises BadRequest with the
    field: `unknown_field`, `missing_field`, `wrong_type`, `duplicate_field`.
    """
    return check_object(read_json(raw), required=required, optional=optional, storable=storable)


def check_object(
    body: Any,
    *,
    required: Mapping[str, type] | None = None,
    optional: Mapping[str, type] | None = None,
    storable: bool = True,
) -> dict[str, Any]:
    """Return what `read_json` read, if it is such an object; raises as `read_object` does."""
    required, optional = required or {}, optional or {}
    if not isinstance(body, dict):
        raise BadRequest("must be an object", code="wrong_type", field="body")
    if isinstance(body, _Doubled):
        raise BadRequest("a field stands twice", code="duplicate_field", field="body")
    for name in body:
        if name not in required and name not in optional:
            raise BadRequest("unknown field", code="unknown_field", field=shown(name))
    for name in required:
        if name not in body:
            raise BadRequest("missing field", code="missing_field", field=name)
    for name, kind in {**optional, **required}.items():
        value = body.get(name)
        if value is None and name in optional:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise BadRequest(f"must be {_TYPE_WORDS[kind]}", code="wrong_type", field=name)
        if isinstance(value, _Doubled):
            raise BadRequest("a field stands twice", code="duplicate_field", field=name)
        if storable and isinstance(value, str) and UNSTORABLE.search(value):
            raise BadRequest("holds a character that cannot be stored", code="bad_string", field=name)
    return body


def read_score_request(raw: bytes, *, max_items: int, max_text_chars: int, max_id_chars: int) -> ScoreRequest:
    """Read the body of `POST /v1/score`; raises BadRequest, or Unprocessable for 0 or too many items."""
    body = read_object(
        raw, required={"items": list}, optional={"policy": str, "explain": bool, "exact": bool}
    )
    items: Sequence[object] = body["items"]
    if not items:
        raise Unprocessable("at least one item is needed", code="no_items", field="items")
    if len(items) > max_items:
        raise Unprocessable(f"at most {max_items} items in one request", code="too_many_items", field="items")
    return ScoreRequest(
        rows=tuple(
            read_item(item, max_text_chars=max_text_chars, max_id_chars=max_id_chars) for item in items
        ),
        policy=body.get("policy"),
        explain=bool(body.get("explain")),
        exact=bool(body.get("exact")),
    )


def read_item(value: object, *, max_text_chars: int | None, max_id_chars: int) -> Item | BadRow:
    """Read one item of a batch; what breaks the contract is that row's error, never an exception."""
    if not isinstance(value, dict):
        return BadRow(None, RowError("wrong_type", "an item must be an object"))
    item_id = value.get("id")
    error = _check_id(item_id, max_chars=max_id_chars)
    if error is not None:
        return BadRow(None, error)
    error = (
        _check_fields(value)
        or _check_short(value.get("language"), name="language", max_chars=_MAX_LANGUAGE_CHARS)
        or _check_short(value.get("source"), name="source", max_chars=max_id_chars)
        or check_text(value["text"], max_chars=max_text_chars)
        or check_context(value.get("context"), max_chars=max_text_chars)
    )
    if error is not None:
        return BadRow(item_id, error)
    return Item(
        item_id,
        value["text"],
        value.get("language") or None,
        value.get("source") or None,
        given_context(value.get("context")),
    )


def _check_id(value: object, *, max_chars: int) -> RowError | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return RowError("wrong_type", "id must be a string")
    if not 0 < len(value) <= max_chars:
        return RowError("bad_id", f"id must have 1 to {max_chars} characters")
    if UNSTORABLE.search(value):
        return RowError("bad_id", "id holds a character that cannot be stored")
    return None


def _check_fields(item: dict[str, Any]) -> RowError | None:
    if isinstance(item, _Doubled):
        return RowError("duplicate_field", "a field stands twice")
    for name in item:
        if name not in _ITEM_FIELDS:
            return RowError("unknown_field", f"unknown field: {shown(name)}")
    if "text" not in item:
        return RowError("missing_text", "text is missing")
    return None


def _check_short(value: object, *, name: str, max_chars: int) -> RowError | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return RowError("wrong_type", f"{name} must be a string")
    if len(value) > max_chars or UNSTORABLE.search(value):
        return RowError(f"bad_{name}", f"{name} is too long or holds a character that cannot be stored")
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _Doubled(made)


def _whole_number(digits: str) -> int | float:
    """A number too long to be read is valid JSON: it is a value of the wrong type, not a broken body."""
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


def _refuse_constant(_name: str) -> Any:
    raise ValueError


def shown(name: str) -> str:
    """Return a field's name where it looks like one, else `?`: whatever a caller sends may be text."""
    return name if _NAME.fullmatch(name) else "?"
