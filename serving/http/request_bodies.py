"""Request bodies: their bytes read whole, and on which thread they become values.

What a body may hold is said by its description, beside the routes that read it.
"""

from __future__ import annotations

import functools
from typing import Protocol, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from prefilter.serving.errors import BadRequest
from prefilter.serving.http.body_reader import BodyReader
from prefilter.serving.state import parts_of

Body = TypeVar("Body")
Body_co = TypeVar("Body_co", covariant=True)

SMALL_BODY_BYTES = 65_536
"""Up to this, reading JSON takes less than handing it to a thread and waiting for it there."""


class ReadsItems(Protocol[Body_co]):
    """Reads a body of items within the bounds of the settings."""

    def __call__(self, raw: bytes, /, *, max_items: int, max_text_chars: int, max_id_chars: int) -> Body_co:
        """Return what the body says; raises BadRequest."""
        ...


async def raw_body(request: Request) -> bytes:
    """Read the whole body; the gate bounds it while it streams. Raises BadRequest where it breaks off."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise BadRequest("the body broke off", code="broken_body", field="body") from None


async def read_body(request: Request, reader: BodyReader[Body]) -> Body:
    """Read a JSON object as `reader` describes it; raises BadRequest."""
    return reader.read(await raw_body(request))


async def read_items(request: Request, read: ReadsItems[Body]) -> Body:
    """Read a body of items, a large one off the event loop.

    Raises BadRequest where the body breaks off, and what `read` raises.
    """
    settings = parts_of(request).settings
    raw = await raw_body(request)
    bound = functools.partial(
        read,
        raw,
        max_items=settings.max_items,
        max_text_chars=settings.max_text_chars,
        max_id_chars=settings.max_id_chars,
    )
    return bound() if len(raw) <= SMALL_BODY_BYTES else await run_in_threadpool(bound)
