"""Bodies checked against what describes them: a TypedDict is the parser, the type that routes use, and the schema.

A body that breaks its description is a BadRequest naming the first field at fault, in our own words: `WORDS` says
them for each kind of error that pydantic knows. No message repeats a value. What a body means is the use case's to
judge. Knows no web framework.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Generic, NotRequired, TypeVar, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    JsonValue,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from prefilter.serving.errors import BadRequest
from prefilter.serving.http.json_reader import Doubled, is_storable, read_json, unknown_name

Body = TypeVar("Body")
CLOSED = ConfigDict(
    extra="ignore", strict=True, hide_input_in_errors=True, json_schema_extra={"additionalProperties": False}
)
"""How every body is read: no value of another type is taken for the right one. Unknown fields are refused here and in
`item_body`, by the first of them: the validator would list a million, one error each."""

WORDS: dict[str, tuple[str, str]] = {
    "unknown_field": ("unknown_field", "unknown field"),
    "missing": ("missing_field", "missing field"),
    "duplicate_field": ("duplicate_field", "a field stands twice"),
    "bad_string": ("bad_string", "holds a character that cannot be stored"),
    "string_type": ("wrong_type", "must be a string"),
    "bool_type": ("wrong_type", "must be true or false"),
    "int_type": ("wrong_type", "must be a whole number"),
    "dict_type": ("wrong_type", "must be an object"),
    "list_type": ("wrong_type", "must be a list"),
}


class BodyReader(Generic[Body]):
    """Reads bodies of one description; made at import, it builds its validator when the first body comes."""

    def __init__(self, shape: type[Body]) -> None:
        """`shape`: a TypedDict with the configuration CLOSED."""
        self._shape = shape

    def read(self, raw: bytes) -> Body:
        """Return the body that these bytes are; raises BadRequest with the field."""
        return self.check(read_json(raw))

    def check(self, value: object) -> Body:
        """Return what `read_json` read, if it is such a body; raises BadRequest with the field."""
        if isinstance(value, Doubled):
            raise _refused("duplicate_field", "body")
        if isinstance(value, dict) and (unknown := unknown_name(value, self._known)):
            raise _refused("unknown_field", unknown)
        try:
            return self._adapter.validate_python(value)
        except ValidationError as fault:
            error = min(faults_of(fault), key=self._rank)
        raise _refused(error["type"], str(error["loc"][0]) if error["loc"] else "body")

    def _rank(self, error: ErrorDetails) -> tuple[bool, bool]:
        """Missing fields before wrong values, and of these the optional fields first."""
        return error["type"] != "missing", bool(error["loc"]) and error["loc"][0] in self._required

    @cached_property
    def _adapter(self) -> TypeAdapter[Body]:
        return TypeAdapter(self._shape)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._shape.__annotations__)

    @cached_property
    def _required(self) -> frozenset[str]:
        hints = get_type_hints(self._shape, include_extras=True)
        return frozenset(name for name, hint in hints.items() if get_origin(hint) is not NotRequired)


class DescribedAs:
    """Marks a field that is described as `shape` and read as it is annotated: who uses it judges what is inside."""

    def __init__(self, shape: Any) -> None:
        """`shape`: any type that has a JSON schema."""
        self._shape = shape

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return both: schemas are made of what reads JSON, and bodies are read by what reads Python's values."""
        described = handler.generate_schema(self._shape)
        return core_schema.json_or_python_schema(json_schema=described, python_schema=handler(source))


def hint(**said: JsonValue) -> Any:
    """Return what marks a field with words of JSON Schema that its use case checks, or that its answer keeps to."""
    return Field(json_schema_extra=said)


def faults_of(fault: ValidationError) -> list[ErrorDetails]:
    """Return what was found, without anything of the input."""
    return fault.errors(include_url=False, include_context=False, include_input=False)


def _refused(kind: str, field: str) -> BadRequest:
    code, message = WORDS[kind]
    return BadRequest(message, code=code, field=field)


def _storable(value: str) -> str:
    if not is_storable(value):
        raise PydanticCustomError("bad_string", "holds a character that cannot be stored")
    return value


def _single(value: object) -> object:
    if isinstance(value, Doubled):
        raise PydanticCustomError("duplicate_field", "a field stands twice")
    return value


Storable = Annotated[str, AfterValidator(_storable)]
"""A string that a database can hold."""
SINGLE = BeforeValidator(_single)
"""Marks an object of a body that must not have a key twice."""
JsonObject = Annotated[dict[str, Any], SINGLE]
"""An object whose inside is the use case's to judge."""
