"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`, all four present.

Its SDK picks the exception by the status, tries 408, 409, 429 and 5xx again, and waits as `Retry-After` says
(https://github.com/openai/openai-python, `_base_client.py`). What the native API answers with 422 is a 400
here, as OpenAI answers it: a caller's own code knows no other.
"""

from __future__ import annotations

from typing_extensions import TypedDict

from prefilter.serving.admission.refusal import Refusal, written
from prefilter.serving.errors import PrefilterError, Unauthorised, Unprocessable

_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_exceeded",
}
_CODES: dict[type[PrefilterError], str] = {Unauthorised: "invalid_api_key"}


class OpenAIErrorFields(TypedDict):
    """What went wrong; `param`: the field, null where there is none."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIError(TypedDict):
    """An error as OpenAI writes it."""

    error: OpenAIErrorFields


def refusal(error: PrefilterError, request_id: str | None) -> Refusal:
    """Return the refusal of an OpenAI-compatible route; `param` is the field, with its row: `input[3]`."""
    status = 400 if isinstance(error, Unprocessable) else error.status
    code = _CODES.get(type(error), "rate_limit_exceeded" if status == 429 else error.code)
    param = error.field
    if param is not None and error.row is not None:
        param = f"{param}[{error.row}]"
    body: OpenAIError = {
        "error": {
            "message": error.message if request_id is None else f"{error.message} (request {request_id})",
            "type": _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error"),
            "param": param,
            "code": code,
        }
    }
    return written(error, status, body)
