"""Parameters: what a request carries beside its body, in its headers, its path and its query."""

from __future__ import annotations

from starlette.requests import Request

from prefilter.serving.errors import BadRequest

_MAX_IDEMPOTENCY_KEY_CHARS = 255


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
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise BadRequest("must be a whole number", code="wrong_type", field=field)
    return int(value)
