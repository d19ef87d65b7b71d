"""The items of a body: what one may hold, and how each becomes an Item or that row's own error.

The shapes of a whole list are checked by its description at once; what a field may contain (lengths, characters) is
checked here, since the limits are settings. A row's first fault in the order of `_row` is its error, whichever of
the two found it; a bad row never touches the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, NotRequired

from pydantic import Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from prefilter.models.text.context import check_context, given_context
from prefilter.models.text.normalisation import RowError, check_text
from prefilter.serving.http.body_reader import CLOSED, faults_of, hint
from prefilter.serving.http.json_reader import Doubled, is_storable, unknown_name
from prefilter.serving.screening.item import BadRow, Item

_MAX_LANGUAGE_CHARS = 35
_NOT_EMPTY = hint(minLength=1)


@with_config(CLOSED)
class ItemBody(TypedDict):
    """One content to be screened."""

    id: NotRequired[Annotated[str, _NOT_EMPTY] | None]
    text: Annotated[str, _NOT_EMPTY]
    language: NotRequired[str | None]
    source: NotRequired[str | None]
    context: NotRequired[
        Annotated[str, Field(description="The context of the text; a row error if the model reads none.")] | None
    ]


_FIELDS = frozenset(ItemBody.__annotations__)
_WHOLE, _MISSING = "", "missing"
_DOUBLED = RowError("duplicate_field", "a field stands twice")
_UNREADABLE = RowError("wrong_type", "an item must be an object")
_WORDS: Mapping[tuple[str, str], tuple[str, RowError]] = {
    ("dict_type", _WHOLE): (_WHOLE, _UNREADABLE),
    ("missing", "text"): (_MISSING, RowError("missing_text", "text is missing")),
    ("string_type", "id"): ("id", RowError("wrong_type", "id must be a string")),
    ("string_type", "language"): ("language", RowError("wrong_type", "language must be a string")),
    ("string_type", "source"): ("source", RowError("wrong_type", "source must be a string")),
}
"""By the kind of an error and its field: where it ranks in `_row`, and our words. Of text and context, the text's
own rules say what is wrong, their type included."""
Faults = Mapping[str, RowError]
_NONE: Faults = {}


def read_items(
    values: Sequence[object], *, max_text_chars: int | None, max_id_chars: int
) -> tuple[Item | BadRow, ...]:
    """Read the items of a list, in its order; what breaks the contract is that row's error, never an exception."""
    found = _shape_faults(values)
    limits = max_text_chars, max_id_chars
    return tuple([_row(value, found.get(number, _NONE), *limits) for number, value in enumerate(values)])


def read_item(value: object, *, max_text_chars: int | None, max_id_chars: int) -> Item | BadRow:
    """Read one item, as `read_items` does."""
    (row,) = read_items([value], max_text_chars=max_text_chars, max_id_chars=max_id_chars)
    return row


def _shape_faults(values: Sequence[object]) -> dict[int, dict[str, RowError]]:
    """Return by row, and by rank, what is wrong with the shapes."""
    try:
        _adapter().validate_python(values)
    except ValidationError as fault:
        errors = faults_of(fault)
    else:
        return {}
    found: dict[int, dict[str, RowError]] = {}
    for error in errors:
        number, *field = error["loc"]
        row = found.setdefault(int(number), {})
        name = str(field[0]) if field else _WHOLE
        if (error["type"], name) in _WORDS:
            rank, words = _WORDS[error["type"], name]
            row[rank] = words
    return found


def _row(value: object, shape: Faults, max_text_chars: int | None, max_id_chars: int) -> Item | BadRow:
    if not isinstance(value, dict):
        return BadRow(None, _UNREADABLE)
    get = value.get
    item_id, language, source, context = get("id"), get("language"), get("source"), get("context")
    error = shape.get("id") or (None if item_id is None else _check_id(item_id, max_id_chars))
    if error is not None:
        return BadRow(None, error)
    error = (
        (None if value.keys() <= _FIELDS and type(value) is dict else _name_fault(value))
        or shape.get(_MISSING)
        or shape.get("language")
        or (None if language is None else _check_short(language, "language", _MAX_LANGUAGE_CHARS))
        or shape.get("source")
        or (None if source is None else _check_short(source, "source", max_id_chars))
        or check_text(get("text"), max_chars=max_text_chars)
        or (None if context is None else check_context(context, max_chars=max_text_chars))
        or (None if shape is _NONE else _UNREADABLE)  # no fault is passed over, whatever it may be
    )
    if error is not None:
        return BadRow(item_id, error)
    return Item(item_id, value["text"], language or None, source or None, given_context(context) if context else None)


def _name_fault(value: Mapping[str, object]) -> RowError:
    if isinstance(value, Doubled):
        return _DOUBLED
    return RowError("unknown_field", f"unknown field: {unknown_name(value, _FIELDS)}")


def _check_id(value: str, max_chars: int) -> RowError | None:
    if not 0 < len(value) <= max_chars:
        return RowError("bad_id", f"id must have 1 to {max_chars} characters")
    if not is_storable(value):
        return RowError("bad_id", "id holds a character that cannot be stored")
    return None


def _check_short(value: str, name: str, max_chars: int) -> RowError | None:
    if len(value) > max_chars or not is_storable(value):
        return RowError(f"bad_{name}", f"{name} is too long or holds a character that cannot be stored")
    return None


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[list[ItemBody]]:
    return TypeAdapter(list[ItemBody])
