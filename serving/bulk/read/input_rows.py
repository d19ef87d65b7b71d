"""A row on its way from an input file to the scorer, and the names of the columns it was read from.

A row that breaks the contract still is a row: it carries `error` instead of a text, so that the output has
one row per input row. Knows no file format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prefilter.models.text.context import given_context
from prefilter.models.text.normalisation import RowError

MAX_NAME_CHARS = 256


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what. `id`, `language` and `source` may be absent from a file, `text` may not.

    `context` is read only where it is named: many a file has an unrelated column of that name.
    """

    text: str = "text"
    id: str = "id"
    language: str = "language"
    source: str = "source"
    context: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every column name that is read, without repetition."""
        names = (self.text, self.id, self.language, self.source, self.context)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    def to_json(self) -> dict[str, str | None]:
        """Return the names by purpose."""
        return {
            "text": self.text,
            "id": self.id,
            "language": self.language,
            "source": self.source,
            "context": self.context,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One input row: `number` counts from 0 over all inputs, `input_index` says which file it came from."""

    number: int
    id: str
    input_index: int
    where: str  # file name and line or row, for messages
    text: str = ""
    language: str | None = None
    source: str | None = None
    error: RowError | None = None
    context: str | None = None


def broken_row(number: int, *, input_index: int, where: str, why: str) -> Row:
    """Return the row for a piece of input that is none; `where` names file and line, `why` quotes nothing."""
    return Row(number, str(number), input_index, where, error=RowError("broken_line", f"{where}: {why}"))


def row_from_fields(
    fields: Mapping[str, object], columns: Columns, *, number: int, input_index: int, where: str
) -> Row:
    """Check the fields of one row; whatever is wrong becomes `error`, the id is kept where it can be."""
    raw_id = fields.get(columns.id)
    identity = _read_id(raw_id)
    row_id = str(number) if identity is None else identity

    def refuse(code: str, message: str) -> Row:
        return Row(number, row_id, input_index, where, error=RowError(code, f"{where}: {message}"))

    if identity is None and raw_id is not None:
        return refuse(
            "bad_id", f"{columns.id} must be a string or a whole number, 1 to {MAX_NAME_CHARS} characters"
        )
    text = fields.get(columns.text)
    if text is None:
        return refuse("missing_text", f"{columns.text} is missing")
    if not isinstance(text, str):
        return refuse("not_a_string", f"{columns.text} is not a string")
    context = None if columns.context is None else fields.get(columns.context)
    if context is not None and not isinstance(context, str):
        return refuse("context_not_a_string", f"{columns.context} is not a string")
    names: list[str | None] = []
    for column in (columns.language, columns.source):
        value = fields.get(column)
        if value is not None and (not isinstance(value, str) or not _is_plain(value)):
            return refuse("wrong_type", f"{column} must be a string of at most {MAX_NAME_CHARS} characters")
        names.append(value or None)
    return Row(
        number,
        row_id,
        input_index,
        where,
        text=text,
        language=names[0],
        source=names[1],
        context=given_context(context),
    )


def _read_id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**MAX_NAME_CHARS // 10 else None
    if isinstance(value, str) and value and _is_plain(value):
        return value
    return None


def _is_plain(value: str) -> bool:
    """Whether a short name survives UTF-8, Parquet and a database: no lone surrogate, no NUL."""
    if len(value) > MAX_NAME_CHARS or "\0" in value:
        return False
    return value.isascii() or not any(0xD800 <= ord(c) <= 0xDFFF for c in value)
