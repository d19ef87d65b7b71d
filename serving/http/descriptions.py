"""Descriptions of routes for the OpenAPI document: which body a route reads, and what it answers with which status.

A route names its bodies by type, and the document refers to them by name. Their schemas are made when somebody asks
for the document, not when the server starts: the framework's own way (`responses={200: {"model": ...}}`) builds a
validator for each status of each route at the start, more than a second in all, and none of them would ever run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from prefilter.serving.admission.refusal import NativeError
from prefilter.serving.http.parameters import Parameter

_REFUSED = {
    400: "It cannot be read.",
    401: "No valid key.",
    403: "Not for this role.",
    404: "There is no such thing, or it is not yours.",
    409: "It collides with the present state.",
    413: "The body is over its limit.",
    422: "It is well formed, but cannot be accepted.",
    429: "Come back later.",
    500: "A fault.",
    503: "Not ready.",
    504: "It took too long.",
}
_ALWAYS, _WITH_A_KEY, _WITH_A_BODY = (500, 503), (401, 403), (400, 413)
_REF = "#/components/schemas/{model}"

Mode = Literal["validation", "serialization"]
Shape = type[Any]
"""A TypedDict."""
Content = dict[str, Any]
_SHAPES: dict[str, tuple[Shape, Mode]] = {}
"""By name, every body that a description has named."""


def described(
    *,
    asks: Shape | tuple[Shape, ...] | None = None,
    reads: Sequence[Parameter] = (),
    answers: Mapping[int, Shape | Content | None],
    refuses: Iterable[int] = (),
    errors: Shape = NativeError,
    optional: bool = False,
    keyless: bool = False,
    media_type: str = "application/json",
) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that reads `asks` and answers these bodies, None where there is none.

    `asks`: one body, or the kinds of messages that a body of `media_type` is made of. `optional`: it may be left out.
    `reads`: the parameters in headers and query; the framework knows those of the path. `refuses`: the statuses of its
    errors beside those of every route with a key or a body.
    """
    statuses = {*refuses, *_ALWAYS, *(() if keyless else _WITH_A_KEY), *(_WITH_A_BODY if asks else ())}
    responses = {str(status): _answered(body) for status, body in answers.items()}
    for status in sorted(statuses):
        responses[str(status)] = {"description": _REFUSED[status], "content": _json(errors)}
    found: dict[str, Any] = {"responses": responses, **({"parameters": list(reads)} if reads else {})}
    if asks is None:
        return found
    shapes = asks if isinstance(asks, tuple) else (asks,)
    content = {media_type: {"schema": _one_of(shapes, "validation")}}
    return {"requestBody": {"required": not optional, "content": content}, **found}


def event_stream(*events: Shape) -> Content:
    """Return the content of an answer of server-sent events that carry these."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": _one_of(events, "serialization")}
    item = {"type": "object", "required": ["data"], "properties": {"event": {"type": "string"}, "data": data}}
    return {"text/event-stream": {"itemSchema": item}}


def schemas() -> dict[str, Any]:
    """Return the schema of every body that a description has named, and of what they are made of, by name."""
    inputs = [(name, mode, TypeAdapter(shape)) for name, (shape, mode) in _SHAPES.items()]
    _, made = TypeAdapter.json_schemas(inputs, ref_template=_REF, schema_generator=_Untitled)
    found: dict[str, Any] = made["$defs"]
    return found


class _Untitled(GenerateJsonSchema):
    """Schemas without a title for each field, which would only repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Say no."""
        return False


def _answered(body: Shape | Content | None) -> dict[str, Any]:
    if body is None:
        return {"description": "There is none."}
    if isinstance(body, dict):
        return {"description": "Events, as they come.", "content": body}
    return {"description": (body.__doc__ or "").strip().partition("\n")[0], "content": _json(body)}


def _json(body: Shape) -> Content:
    return {"application/json": {"schema": _one_of((body,), "serialization")}}


def _one_of(shapes: tuple[Shape, ...], mode: Mode) -> dict[str, Any]:
    for shape in shapes:
        if _SHAPES.setdefault(shape.__name__, (shape, mode)) != (shape, mode):
            raise ValueError(f"two bodies are called {shape.__name__}")
    references = [{"$ref": _REF.format(model=shape.__name__)} for shape in shapes]
    return references[0] if len(references) == 1 else {"oneOf": references}
