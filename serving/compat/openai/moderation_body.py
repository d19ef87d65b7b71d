"""The body of `POST /v1/moderations`: a string, strings, or parts that are one text together.

Stricter than OpenAI in nothing that its clients send. OpenAI's shape has no error for one row, so an input that
cannot be scored fails the request, naming the row, and nothing of it is scored or recorded. Knows no web
framework; no message repeats a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, NotRequired

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from prefilter.serving.api.bodies.item_body import read_items
from prefilter.serving.errors import BadRequest
from prefilter.serving.http.body_reader import (
    CLOSED,
    SINGLE,
    WORDS,
    BodyReader,
    DescribedAs,
    JsonObject,
    faults_of,
    hint,
)
from prefilter.serving.http.json_reader import unknown_name
from prefilter.serving.screening.item import BadRow, Item


def _check_part_type(value: str) -> str:
    if value == "image_url":
        raise PydanticCustomError("image", "images are not supported")
    if value != "text":
        raise PydanticCustomError("part", "not a text")
    return value


def _kind(value: object) -> str | None:
    if isinstance(value, str):
        return "text"
    if isinstance(value, list) and value:
        return "parts" if isinstance(value[0], dict) else "texts"
    return None


@with_config(ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True))
class TextPart(TypedDict):
    """A part of one text."""

    type: Annotated[str, AfterValidator(_check_part_type), hint(const="text")]
    text: str


Text = Annotated[str, hint(minLength=1)]
_SOME = Field(fail_fast=True, json_schema_extra={"minItems": 1})
"""A list of which the first wrong entry is the error: a million of them would be as many errors."""
Input = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[list[Text], _SOME, Tag("texts")]
    | Annotated[list[TextPart], _SOME, Tag("parts")],
    Discriminator(_kind),
]


@with_config(CLOSED)
class OwnFields(TypedDict):
    """What OpenAI has no word for: under which policy, and as what, the inputs are screened."""

    policy: NotRequired[str | None]
    source: NotRequired[str | None]
    language: NotRequired[str | None]
    context: NotRequired[str | None]
    exact: NotRequired[bool | None]


@with_config(CLOSED)
class ModerationBody(TypedDict):
    """What is to be classified."""

    input: Annotated[object, SINGLE, DescribedAs(Input)]
    model: NotRequired[Annotated[str, Field(description="Any; the live model answers.")] | None]
    x_prefilter: NotRequired[Annotated[JsonObject, DescribedAs(OwnFields)] | None]


@dataclass(frozen=True, slots=True)
class Moderation:
    """What is asked: the items in order, and the policy they are screened under (None: the default)."""

    items: tuple[Item, ...] = field(repr=False)
    policy: str | None = None
    exact: bool = False


_BODY = BodyReader(ModerationBody)
_NO_TYPE = ("wrong_type", "a part must be an object with a type")
_WORDS: Mapping[tuple[str, str | None, str | None], tuple[str, str]] = {
    ("union_tag_not_found", None, None): ("wrong_type", "input must be a string or a list that is not empty"),
    ("string_type", "texts", None): ("wrong_type", "an input must be a string"),
    ("dict_type", "parts", None): _NO_TYPE,
    ("missing", "parts", "type"): _NO_TYPE,
    ("string_type", "parts", "type"): _NO_TYPE,
    ("image", "parts", "type"): ("unsupported_input", "images are not supported: this model reads text"),
    ("part", "parts", "type"): ("unsupported_input", "the part's type must be text"),
    ("missing", "parts", "text"): ("wrong_type", "text must be a string"),
    ("string_type", "parts", "text"): ("wrong_type", "text must be a string"),
}
"""By the kind of an error, the kind of input and the field of a part: our code and words."""


def read_moderation(raw: bytes, *, max_items: int, max_text_chars: int, max_id_chars: int) -> Moderation:
    """Read the body; raises BadRequest with the field, and the row where it is one of several."""
    body = _BODY.read(raw)
    own = _own(body.get("x_prefilter"))
    texts, listed = _texts(body["input"])
    if len(texts) > max_items:
        raise BadRequest(f"at most {max_items} inputs in one request", code="too_many_items", field="input")
    beside = {"source": own.get("source"), "language": own.get("language"), "context": own.get("context")}
    items: list[Item] = []
    rows = read_items(
        [{"text": text, **beside} for text in texts], max_text_chars=max_text_chars, max_id_chars=max_id_chars
    )
    for number, row in enumerate(rows):
        if isinstance(row, BadRow):
            error = row.error
            raise BadRequest(error.message, code=error.code, field="input", row=number if listed else None)
        items.append(row)
    return Moderation(tuple(items), own.get("policy"), bool(own.get("exact")))


def _own(value: Mapping[str, object] | None) -> OwnFields:
    """Return our own fields; raises BadRequest for the first that is wrong, in the order of the body."""
    if value is None:
        return {}
    wrong: dict[str, str] = {}
    try:
        own = _own_adapter().validate_python(value)
    except ValidationError as fault:
        own, wrong = {}, {str(error["loc"][0]): error["type"] for error in faults_of(fault)}
    for name in value:
        if unknown := unknown_name((name,), OwnFields.__annotations__):
            raise BadRequest("unknown field", code="unknown_field", field=f"x_prefilter.{unknown}")
        if name in wrong:
            code, words = WORDS[wrong[name]]
            raise BadRequest(f"{name} {words}", code=code, field=f"x_prefilter.{name}")
    return own


def _texts(value: object) -> tuple[list[str], bool]:
    """Return the texts, and whether they are several inputs; raises BadRequest, naming the row."""
    try:
        given = _input_adapter().validate_python(value)
    except ValidationError as fault:
        error = faults_of(fault)[0]
    else:
        if isinstance(given, str):
            return [given], False
        texts = [one if isinstance(one, str) else one["text"] for one in given]
        return (texts, True) if _kind(given) == "texts" else (["\n".join(texts)], False)
    kind, row, part = (*error["loc"], None, None, None)[:3]
    code, message = _WORDS[error["type"], None if kind is None else str(kind), None if part is None else str(part)]
    raise BadRequest(message, code=code, field="input", row=row if isinstance(row, int) else None)


@lru_cache(maxsize=1)
def _own_adapter() -> TypeAdapter[OwnFields]:
    return TypeAdapter(OwnFields)


@lru_cache(maxsize=1)
def _input_adapter() -> TypeAdapter[str | list[str] | list[TextPart]]:
    return TypeAdapter(Input)
