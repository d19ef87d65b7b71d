"""The body of `POST /v1/moderations`: a string, strings, or parts that are one text together.

Stricter than OpenAI in nothing that its clients send. OpenAI's shape has no error for one row, so an input that
cannot be scored fails the request, naming the row, and nothing of it is scored or recorded. Knows no web
framework; no message repeats a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefilter.serving import schemas
from prefilter.serving.errors import BadRequest
from prefilter.serving.schemas import BadRow, Item

_OWN_FIELDS = frozenset({"policy", "source", "language", "context", "exact"})


@dataclass(frozen=True, slots=True)
class Moderation:
    """What is asked: the items in order, and the policy they are screened under (None: the default)."""

    items: tuple[Item, ...] = field(repr=False)
    policy: str | None = None
    exact: bool = False


def read_moderation(raw: bytes, *, max_items: int, max_text_chars: int, max_id_chars: int) -> Moderation:
    """Read the body; raises BadRequest with the field, and the row where it is one of several."""
    body = schemas.read_object(
        raw, required={"input": object}, optional={"model": str, "x_prefilter": dict}, storable=False
    )
    own = _own(body.get("x_prefilter"))
    texts, listed = _texts(body["input"])
    if len(texts) > max_items:
        raise BadRequest(f"at most {max_items} inputs in one request", code="too_many_items", field="input")
    beside = {name: own[name] for name in ("source", "language", "context") if own.get(name) is not None}
    items = []
    for number, text in enumerate(texts):
        row = schemas.read_item({"text": text, **beside}, max_text_chars=max_text_chars, max_id_chars=max_id_chars)
        if isinstance(row, BadRow):
            error = row.error
            raise BadRequest(error.message, code=error.code, field="input", row=number if listed else None)
        items.append(row)
    return Moderation(tuple(items), own.get("policy"), bool(own.get("exact")))


def _own(value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if value is None:
        return {}
    for name, given in value.items():
        if name not in _OWN_FIELDS:
            raise BadRequest("unknown field", code="unknown_field", field=f"x_prefilter.{schemas.shown(name)}")
        kind = bool if name == "exact" else str
        if given is not None and not isinstance(given, kind):
            word = "true or false" if kind is bool else "a string"
            raise BadRequest(f"{name} must be {word}", code="wrong_type", field=f"x_prefilter.{name}")
    return value


def _texts(value: object) -> tuple[list[object], bool]:
    """Return the texts, and whether they stood in a list of several inputs."""
    if isinstance(value, str):
        return [value], False
    if not isinstance(value, list) or not value:
        raise BadRequest("input must be a string or a list that is not empty", code="wrong_type", field="input")
    if isinstance(value[0], dict):
        return ["\n".join(_parts(value))], False
    for number, text in enumerate(value):
        if not isinstance(text, str):
            raise BadRequest("an input must be a string", code="wrong_type", field="input", row=number)
    return list(value), True


def _parts(value: Sequence[object]) -> list[str]:
    """Return the texts of the parts of one input."""
    texts = []
    for number, part in enumerate(value):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise BadRequest("a part must be an object with a type", code="wrong_type", field="input", row=number)
        if part["type"] == "image_url":
            raise BadRequest(
                "images are not supported: this model reads text", code="unsupported_input", field="input", row=number
            )
        if part["type"] != "text":
            raise BadRequest("the part's type must be text", code="unsupported_input", field="input", row=number)
        if not isinstance(part.get("text"), str):
            raise BadRequest("text must be a string", code="wrong_type", field="input", row=number)
        texts.append(part["text"])
    return texts
