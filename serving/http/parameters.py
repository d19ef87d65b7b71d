"""Parameters: what a request carries beside its body, in its headers, its path and its query.

Each is read by hand and described for the OpenAPI document beside its reader, from the same bounds.
"""

from __future__ import annotations

from starlette.requests import Request

from prefilter.serving.errors import BadRequest

_MAX_IDEMPOTENCY_KEY_CHARS = 255
_MAX_DIGITS = 9

Parameter = dict[str, object]
"""A parameter as the OpenAPI document describes it."""

IDEMPOTENCY_KEY: Parameter = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "The same key and body again get the same answer; another body is refused.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": _MAX_IDEMPOTENCY_KEY_CHARS,
        "pattern": "^[!-~]+$",
    },
}


def in_query(name: str, description: str, *, number: tuple[int, int] | None = None) -> Parameter:
    """Describe an optional parameter of the query: a string, or a whole number between two bounds."""
    low, high = number or (0, 0)
    schema = {"type": "integer", "minimum": low, "maximum": high} if number else {"type": "string"}
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def idempotency_key(request: Request) -> str:
    """Return the required `Idempotency-Key` header; raises BadRequest."""
    key = request.headers.get("idempotency-key", "")
    if not key:
        raise BadRequest("missing header", code="missing_field", field="Idempotency-Key")
    if len(key) > _MAX_IDEMPOTENCY_KEY_CHARS or not key.isascii() or not key.isprintable():
        message = f"must be 1 to {_MAX_IDEMPOTENCY_KEY_CHARS} printable ASCII characters"
        raise BadRequest(message, code="wrong_type", field="Idempotency-Key")
    return key


def whole_number(value: str, *, field: str) -> int:
    """Read a number from a path or query; raises BadRequest."""
    if not value.isascii() or not value.isdigit() or len(value) > _MAX_DIGITS:
        raise BadRequest("must be a whole number", code="wrong_type", field=field)
    return int(value)
