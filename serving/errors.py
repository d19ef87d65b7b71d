"""The error tree of the service: what went wrong, with the HTTP status a caller sees.

An error never carries item text. Its docstring is the message unless the raiser has a better one; `field` and
`row` point into the request, by name and number only. This file knows no web framework and imports no
sibling, so that every room can raise from the same tree.

    PrefilterError (a KnownError)
    ├── BadRequest            400  not JSON, unknown or missing field, wrong type
    ├── Unauthorised          401  no key, unknown key, revoked key, expired session
    ├── Forbidden             403  the role may not do this
    ├── NotFound              404  no such thing, or not yours
    ├── MethodNotAllowed      405  the path exists, the method does not
    ├── Conflict              409
    │   ├── LeaseLost              the lease expired or belongs to somebody else
    │   ├── VersionConflict        the thing changed meanwhile
    │   └── IdempotencyConflict    the same key with another body
    ├── TooLarge              413  the body is over its limit
    ├── Unprocessable         422  well formed, but not acceptable
    ├── Overloaded            429  come back in `retry_after_s` seconds
    ├── InternalFault         500  our mistake; says nothing else
    └── NotReady              503  the model or the database does not answer
"""

from __future__ import annotations

from typing import ClassVar

from prefilter.models.known_error import KnownError


class PrefilterError(KnownError):
    """The request could not be served."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_fault"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        field: str | None = None,
        row: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        """Keep the parts; `message` must not hold anything a caller sent as content."""
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.code = code or type(self).default_code
        self.field = field
        self.row = row
        self.retry_after_s = retry_after_s
        super().__init__(self.message)


class BadRequest(PrefilterError):
    """The request is not what this route reads."""

    status = 400
    default_code = "bad_request"


class Unauthorised(PrefilterError):
    """A valid key is needed."""

    status = 401
    default_code = "unauthorised"


class Forbidden(PrefilterError):
    """This role may not do that."""

    status = 403
    default_code = "forbidden"


class NotFound(PrefilterError):
    """There is no such thing here."""

    status = 404
    default_code = "not_found"


class MethodNotAllowed(PrefilterError):
    """This path does not answer that method."""

    status = 405
    default_code = "method_not_allowed"


class Conflict(PrefilterError):
    """The request collides with the present state."""

    status = 409
    default_code = "conflict"


class LeaseLost(Conflict):
    """The lease has expired or belongs to somebody else."""

    default_code = "lease_lost"


class VersionConflict(Conflict):
    """It was changed meanwhile."""

    default_code = "version_conflict"


class IdempotencyConflict(Conflict):
    """This Idempotency-Key was used with another body."""

    default_code = "idempotency_conflict"


class TooLarge(PrefilterError):
    """The body is over its limit."""

    status = 413
    default_code = "body_too_large"


class Unprocessable(PrefilterError):
    """The request is well formed but cannot be accepted."""

    status = 422
    default_code = "unprocessable"


class Overloaded(PrefilterError):
    """There is more work waiting than can be promised; nothing was accepted."""

    status = 429
    default_code = "overloaded"


class InternalFault(PrefilterError):
    """Something failed on our side."""

    status = 500
    default_code = "internal_fault"


class NotReady(PrefilterError):
    """The service cannot answer yet."""

    status = 503
    default_code = "not_ready"
