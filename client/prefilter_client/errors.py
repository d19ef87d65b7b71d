"""The error tree of the client: what a call can raise, and what of it may be read.

The parts come from the service's own error body (`{"error": {"code", "message", "field"?, "row"?, "request_id"}}`).
What was sent never stands in an error, neither in its message nor in a chained one: the service repeats no text,
and what a library says about a broken connection is reduced to its kind. This file reads no answer and sends
nothing.

    PrefilterError
    ├── SettingsError              no address, no key, or one that cannot be used
    ├── ApiError                   the service refused: `status`, `code`, `message`, `field`, `row`, `request_id`
    │   ├── BadRequest        400
    │   ├── Unauthorised      401  no valid key
    │   ├── Forbidden         403  the key's role may not do this
    │   ├── NotFound          404  no such thing, or not yours
    │   ├── Conflict          409
    │   ├── TooLarge          413
    │   ├── Unprocessable     422  well formed, but not acceptable: too many items, an unknown policy
    │   ├── Overloaded        429  nothing was accepted; `retry_after_s` says when to come back
    │   ├── ServerFault       5xx
    │   │   └── NotReady      503
    │   └── StreamRefused          an open stream ended with an error; `status` is None
    ├── ConnectionFailed           no answer came: refused, or broken off
    │   └── TimedOut
    └── UnexpectedAnswer           something answered that does not speak this service's language
"""

from __future__ import annotations


class PrefilterError(Exception):
    """Anything that this client raises of its own."""


class SettingsError(PrefilterError):
    """The client cannot be set up like this."""


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
        """Keep the parts; the message that is printed names status, code, field and request."""
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
    """The request is not what this route reads."""


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
    """More work waits than the service can promise; nothing was accepted."""


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
    """What answered does not speak this service's language: a proxy, another service, a newer contract."""


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
