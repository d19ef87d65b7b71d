"""Errors as Google's services write them: what every failure of the Perspective API looks like.

`{"error": {"code", "message", "status", "details"}}`. `status` is the name that google.rpc gives the HTTP code.
`details` is never empty, since clients look into its first entry unasked: what is wrong with a comment, how long to
wait, which field could not be read, and last the request's id. A key sent as `?key=` or `X-Goog-Api-Key` that is not
valid gets 400 `API_KEY_INVALID`, as there: clients tell a wrong key from a wrong comment by exactly these words.
Without any key, or with a wrong bearer token, it is 401. No message repeats a value, and a name only where it looks
like one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from prefilter.serving.admission.refusal import Refusal, written
from prefilter.serving.errors import BadRequest, PrefilterError, Unauthorised

API_KEY_INVALID = "API_KEY_INVALID"
_TYPE = "type.googleapis.com/"
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_HTTP_STATUSES = {422: 400}
"""What Google's services have no word for."""


class BadComment(BadRequest):
    """The comment cannot be scored as asked."""

    def __init__(self, error_type: str, message: str, **more: object) -> None:
        """`error_type`: Perspective's own word, as COMMENT_EMPTY; `more`: its further fields."""
        super().__init__(message, code=error_type.lower())
        self.detail = {"@type": f"{_TYPE}google.commentanalyzer.v1alpha1.Error", "errorType": error_type, **more}


class ApiKeyInvalid(Unauthorised):
    """API key not valid. Please pass a valid API key."""

    default_code = "api_key_invalid"


class DeadlineExceeded(PrefilterError):
    """The comment could not be scored in time; it was recorded as one that a person must see."""

    status = 504
    default_code = "deadline_exceeded"


def language_unsupported(attribute: str, languages: Sequence[str], *, requested: bool) -> BadComment:
    """Return the error for a comment in these languages, as the client requested or as they were detected."""
    more = {"requestedLanguages" if requested else "detectedLanguages": list(languages), "attribute": attribute}
    return BadComment(
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        f"Attribute {attribute} does not support request languages: {', '.join(languages)}",
        languageNotSupportedByAttributeError=more,
    )


class GoogleErrorFields(TypedDict):
    """What went wrong, the name of its status, and what else there is to say of it."""

    code: int
    message: str
    status: str
    details: Annotated[list[Mapping[str, object]], Field(min_length=1)]


class GoogleError(TypedDict):
    """An error as Google's services write it."""

    error: GoogleErrorFields


def refusal(error: PrefilterError, request_id: str | None) -> Refusal:
    """Return how this error is answered; its own status may become another one."""
    status = 400 if isinstance(error, ApiKeyInvalid) else _HTTP_STATUSES.get(error.status, error.status)
    name = _STATUSES.get(status) or ("INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    details = [_detail(error)]
    if error.retry_after_s is not None:
        details.append(_any("google.rpc.RetryInfo", retryDelay=f"{error.retry_after_s}s"))
    details.append(_any("google.rpc.RequestInfo", requestId=request_id or ""))
    body: GoogleError = {"error": {"code": status, "message": error.message, "status": name, "details": details}}
    return written(error, status, body)


def _detail(error: PrefilterError) -> Mapping[str, object]:
    if isinstance(error, BadComment):
        return error.detail
    if isinstance(error, ApiKeyInvalid):
        return _any("google.rpc.ErrorInfo", reason=API_KEY_INVALID, domain="googleapis.com")
    if isinstance(error, BadRequest):
        violation = {"field": error.field or "", "description": error.message}
        return _any("google.rpc.BadRequest", fieldViolations=[violation])
    return _any("google.rpc.ErrorInfo", reason=error.code.upper(), domain="prefilter")


def _any(type_name: str, **parts: object) -> dict[str, object]:
    return {"@type": f"{_TYPE}{type_name}", **parts}
