"""What comes in from a page: the fields of a form, or the JSON object of a module's call.

Both refuse what a database cannot store (NUL, lone surrogates) and never repeat a value in an error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request

from prefilter.serving.errors import BadRequest
from prefilter.serving.http.body_reader import BodyReader
from prefilter.serving.http.json_reader import is_storable

Body = TypeVar("Body")
MAX_FIELDS = 100


async def form_fields(request: Request) -> dict[str, str]:
    """Return the text fields of a form, stripped; raises BadRequest for one that cannot be stored."""
    try:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    except HTTPException:
        raise BadRequest("This form cannot be read.") from None
    fields = {name: value.strip() for name, value in form.multi_items() if isinstance(value, str)}
    for name, value in fields.items():
        if not is_storable(value):
            raise BadRequest("A field holds a character that cannot be stored.", field=name)
    return fields


def payload(reader: BodyReader[Body]) -> Callable[[Request], Awaitable[Body]]:
    """Return a dependency that reads a JSON object as it is described; it raises BadRequest naming the field."""

    async def read(request: Request) -> Body:
        return reader.read(await request.body())

    return read


Fields = Annotated[dict[str, str], Depends(form_fields)]
