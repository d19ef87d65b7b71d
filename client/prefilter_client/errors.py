"""The errors of the client: everything that a call can raise.

Their parts come from the service's error body (`{"error": {"code", "message", "field"?, "row"?, "request_id"}}`).
What was sent is never part of an error or of one chained to it: the service repeats no text, and of a library's
exception only the kind is kept. This file reads no answer and sends nothing.

    PrefilterError
    ├── SettingsError              no address, no key, or one that cannot be used
    ├── ApiError                   the service refused: `status`, `code`, `message`, `field`, `row`, `request_id`
    │   ├── BadRequest        400
    │   ├── Unauthorised      401  no valid key
    │   ├── Forbidden         403  the key's role may not do this
    │   ├── NotFound          404  it does not exist, or belongs to another key
    │   ├── Conflict          409
    │   ├── TooLarge          413
    │   ├── Unprocessable     422  well formed, but not acceptable: too many items, an unknown policy
    │   ├── Overloaded        429  nothing was accepted; `retry_after_s` says when to try again
    │   ├── ServerFault       5xx
    │   │   └── NotReady      503
    │   └── StreamRefused          an open stream ended with an error; `status` is None
    ├── ConnectionFailed           no answer came: refused, or broken off
    │   └── TimedOut
    └── UnexpectedAnswer           an answer that this client does not understand
"""

from __future__ import annotations


class PrefilterError(Exception):
    """The base class of everything that this client raises."""


class SettingsError(PrefilterError):
    """The address or the key is missing or cannot be used."""


class ApiError(PrefilterError):
    """The service refused the request.

    `status` is the HTTP status (None within a stream); `field` and `row` point into what was sent, by name and
    number; `request_id` is what the service's log calls the request; `retry_after_s` is a wait it asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "unknown",
        field: str | None = None,
        row: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Keep the parts; the printed message names status, code, field, row and request."""
        self.message = message
        self.status = status
        self.code = code
        self.field = field
        self.row = row
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        said = [f"{status} {code}" if status else code]
        said += [f"{name} {value}" for name, value in (("field", field), ("row", row)) if value is not None]
        said += [f"request {request_id}"] if request_id else []
        super().__init__(f"{message} ({', '.join(said)})")


class BadRequest(ApiError):
    """The request is not one that this route reads."""


class Unauthorised(ApiError):
    """A valid key is needed."""


class Forbidden(ApiError):
    """The key's role may not do that."""


class NotFound(ApiError):
    """There is no such thing, or it belongs to another key."""


class Conflict(ApiError):
    """The request collides with the present state."""


class TooLarge(ApiError):
    """The body is over the service's limit."""


class Unprocessable(ApiError):
    """The request is well formed but cannot be accepted."""


class Overloaded(ApiError):
    """The service has no room for more work; nothing was accepted."""


class ServerFault(ApiError):
    """The service failed."""


class NotReady(ServerFault):
    """The service cannot answer yet."""


class StreamRefused(ApiError):
    """A stream that was already open ended with an error; what it had not released is not known to be safe."""


class ConnectionFailed(PrefilterError):
    """No answer came."""


class TimedOut(ConnectionFailed):
    """No answer came in time."""


class UnexpectedAnswer(PrefilterError):
    """The answer is not one that this client understands: from a proxy, another service or a newer contract."""


BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorised,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Unprocessable,
    429: Overloaded,
    503: NotReady,
}
"""The class of a status; another one from 500 on is a ServerFault, the rest an ApiError."""
