"""What every route shares: who calls, the raw body, and how the application's parts are reached."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Security
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response

from prefilter.serving import schemas
from prefilter.serving.auth import Principal, require
from prefilter.serving.errors import BadRequest, NotReady, Unauthorised

Part = TypeVar("Part")
_bearer = HTTPBearer(auto_error=False, description="A key made by `prefilter key create`.")
_MAX_IDEMPOTENCY_KEY_CHARS = 255
SMALL_BODY_BYTES = 65_536
"""Up to this, reading JSON takes less than handing it to a thread and waiting for it there."""


def principal(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> Principal:
    """Return who calls, from `Authorization: Bearer KEY`; raises NotReady before the start, Unauthorised."""
    part(request, "engine")
    if given is None or not given.credentials:
        raise Unauthorised
    who: Principal = part(request, "auth").authenticate(given.credentials)
    return who


def allow(*roles: str) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that lets these roles in, and always admin; raises Forbidden for the others."""

    async def check(who: Annotated[Principal, Depends(principal)]) -> Principal:  # not worth a thread
        require(who, *roles, "admin")
        return who

    return check


def caller(request: HTTPConnection, *roles: str) -> Principal:
    """Return who calls, as the dependencies above do, for a route whose time counts; blocks on the database."""
    part(request, "engine")
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credentials:
        raise Unauthorised
    return holder(request, credentials, *roles)


def holder(request: HTTPConnection, key: str, *roles: str) -> Principal:
    """Return whose key this is, however it came; raises Unauthorised, Forbidden unless of these roles or admin."""
    who: Principal = part(request, "auth").authenticate(key)
    require(who, *roles, "admin")
    return who


Anyone = Annotated[Principal, Depends(principal)]
Pipeline = Annotated[Principal, Depends(allow("pipeline"))]
Reviewer = Annotated[Principal, Depends(allow("reviewer", "lead"))]
Safety = Annotated[Principal, Depends(allow("safety"))]
Admin = Annotated[Principal, Depends(allow())]


def part(request: HTTPConnection, name: str) -> Any:
    """Return a part of the running application; raises NotReady before it has started."""
    found = getattr(request.app.state, name, None)
    if found is None:
        raise NotReady("the service is starting", retry_after_s=1)
    return found


async def raw_body(request: Request) -> bytes:
    """Read the whole body; the gate bounds it while it streams. Raises BadRequest where it breaks off."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise BadRequest("the body broke off", code="broken_body", field="body") from None


async def read_object(
    request: Request,
    *,
    required: Mapping[str, type] | None = None,
    optional: Mapping[str, type] | None = None,
    storable: bool = True,
) -> dict[str, Any]:
    """Read a JSON object with exactly these fields; raises BadRequest."""
    raw = await raw_body(request)
    return schemas.read_object(raw, required=required, optional=optional, storable=storable)


async def read_items(request: Request, read: Callable[..., Part]) -> Part:
    """Read a body of items by `read(raw, max_items=, max_text_chars=, max_id_chars=)`, a large one off the loop.

    Raises BadRequest where the body breaks off, and what `read` raises.
    """
    settings = part(request, "settings")
    raw = await raw_body(request)
    bound = functools.partial(
        read,
        raw,
        max_items=settings.max_items,
        max_text_chars=settings.max_text_chars,
        max_id_chars=settings.max_id_chars,
    )
    return bound() if len(raw) <= SMALL_BODY_BYTES else await run(bound)


async def run(use_case: Callable[..., Part], *args: Any, **kwargs: Any) -> Part:
    """Run a blocking use case off the event loop."""
    return await run_in_threadpool(use_case, *args, **kwargs)


def answer(body: Any, *, status: int = 200) -> Response:
    """Write a JSON answer; characters outside ASCII are escaped, so that any string can be written."""
    content = json.dumps(body, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
    return Response(content, status_code=status, media_type="application/json")


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


def document(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `openapi_extra` of a route whose JSON body has this schema."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": dict(schema)}}}}
