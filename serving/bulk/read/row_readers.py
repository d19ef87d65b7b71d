"""Reads rows from JSONL, CSV and Parquet as a stream: one `Row` per input row, in order, in bounded memory.

A piece that is no row (bad JSON, invalid UTF-8, a broken quotation) becomes a row with `error` and reading
goes on with the next line, also where a quotation that never closes seems to hold the rest of the file; a
file that cannot be read on (truncated) raises InputUnreadable naming it. `skip` passes over rows that an
earlier run has finished, without interpreting them where the format allows.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from prefilter.models.text.normalisation import RowError
from prefilter.serving.bulk.bulk_errors import InputUnreadable
from prefilter.serving.bulk.read.file_formats import open_to_read
from prefilter.serving.bulk.read.input_files import READ_FAULTS, Input, is_stringy, open_parquet, unreadable
from prefilter.serving.bulk.read.input_rows import Columns, Row, broken_row, row_from_fields

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET_BATCH_ROWS = 64
_BOM = b"\xef\xbb\xbf"


def read_rows(inputs: Sequence[Input], columns: Columns, *, skip: int = 0, start: int = 0) -> Iterator[Row]:
    """Yield the rows of all inputs but the first `skip`; raises InputUnreadable where a file breaks off.

    `start`: the number of the first row of all.
    """
    number = start
    for source in inputs:
        for row in _read_one(source, columns, start=number, skip=start + skip):
            number += 1
            if row is not None:
                yield row


def count_rows(inputs: Sequence[Input]) -> int:
    """Return how many rows the inputs hold, without reading them as rows."""
    total = 0
    for source in inputs:
        if source.format.kind == "parquet":
            with open_parquet(source) as file:
                total += file.metadata.num_rows
        else:
            total += sum(1 for _ in _read_one(source, Columns(), start=0, skip=sys.maxsize))
    return total


def _read_one(source: Input, columns: Columns, *, start: int, skip: int) -> Iterator[Row | None]:
    """Yield a Row, or None in the place of a skipped one."""
    read = {"jsonl": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet}[source.format.kind]
    try:
        yield from read(source, columns, start, skip)
    except READ_FAULTS as error:
        raise unreadable(source.path, error) from None


def _read_jsonl(source: Input, columns: Columns, start: int, skip: int) -> Iterator[Row | None]:
    number = start
    with open_to_read(source.path, source.format.compression) as stream:
        for line_number, line in enumerate(stream, start=1):
            content = line.removeprefix(_BOM) if line_number == 1 else line
            if not content.strip():
                continue
            yield None if number < skip else _jsonl_row(content, columns, number, source, line_number)
            number += 1


def _jsonl_row(content: bytes, columns: Columns, number: int, source: Input, line_number: int) -> Row:
    where = f"{source.path.name} line {line_number}"
    try:
        fields = _DECODER.decode(content.decode("utf-8"))
    except UnicodeDecodeError:
        return broken_row(number, input_index=source.index, where=where, why="not valid UTF-8")
    except (ValueError, RecursionError):
        return broken_row(number, input_index=source.index, where=where, why="not valid JSON")
    if not isinstance(fields, dict):
        return broken_row(number, input_index=source.index, where=where, why="not a JSON object")
    return row_from_fields(fields, columns, number=number, input_index=source.index, where=where)


def _single(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; one in which a name occurs twice is refused: two readers would disagree on it."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_single)


def _read_csv(source: Input, columns: Columns, start: int, skip: int) -> Iterator[Row | None]:
    csv.field_size_limit(sys.maxsize)
    with open_to_read(source.path, source.format.compression) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        records = _csv_records(text)
        header = next(records, (1, None))[1] or []
        number = start
        for line_number, values in records:
            where = f"{source.path.name} line {line_number}"
            if values == []:
                continue
            yield None if number < skip else _csv_row(values, header, columns, number, source, where)
            number += 1


def _csv_records(lines: Iterable[str]) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the number of each record's first line (from 1) and its fields; None for a broken one.

    A quotation that does not close runs on over good rows until the next quotation mark or the end of the
    file. Only its first line is broken: the lines behind it are read again, each from its beginning.
    """
    record: deque[str] = deque()
    again: deque[str] = deque()
    source = iter(lines)

    def supply() -> Iterator[str]:
        while True:
            line = again.popleft() if again else next(source, None)
            if line is None:
                return
            record.append(line)
            yield line

    number = 1
    reader = csv.reader(supply(), strict=True)
    while True:
        record.clear()
        try:
            values: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            values = None
            while len(record) > 1:
                again.appendleft(record.pop())
            reader = csv.reader(supply(), strict=True)
        yield number, values
        number += len(record)


def _csv_row(
    values: list[str] | None, header: list[str], columns: Columns, number: int, source: Input, where: str
) -> Row:
    why = None
    if values is None:
        why = "not valid CSV (a quotation that does not close, or text behind one)"
    elif len(values) > len(header):
        why = f"{len(values)} fields under {len(header)} columns"
    elif not all(map(_is_utf8, values)):
        why = "not valid UTF-8"
    if why is not None or values is None:
        return broken_row(number, input_index=source.index, where=where, why=why or "")
    fields: dict[str, object] = dict(zip(header, values, strict=False))
    for column in (columns.id, columns.language, columns.source):
        if column != columns.text and fields.get(column) == "":
            del fields[column]
    return row_from_fields(fields, columns, number=number, input_index=source.index, where=where)


def _is_utf8(value: str) -> bool:
    """Whether no byte had to be smuggled through decoding."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _read_parquet(source: Input, columns: Columns, start: int, skip: int) -> Iterator[Row | None]:
    import pyarrow as pa

    number = start
    with open_parquet(source) as file:
        present = [name for name in columns.names if name in file.schema_arrow.names]
        groups: list[int] = []
        for group in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if not groups and number + rows <= skip:
                yield from (None for _ in range(rows))
                number += rows
            else:
                groups.append(group)
        if not groups:
            return
        try:
            batches = file.iter_batches(
                PARQUET_BATCH_ROWS, row_groups=groups, columns=present, use_threads=False
            )
            for batch in batches:
                for row in _batch_rows(batch, columns, number, source, first_row=number - start):
                    yield None if number < skip else row
                    number += 1
        except (pa.ArrowException, OSError):
            where = f"{source.path}: truncated or damaged after row {number - start}"
            raise InputUnreadable(where, field=str(source.path)) from None


def _batch_rows(
    batch: pa.RecordBatch, columns: Columns, number: int, source: Input, *, first_row: int
) -> Iterator[Row]:
    names = batch.schema.names
    values = [_decoded(batch.column(position)) for position in range(batch.num_columns)]
    for offset, cells in enumerate(zip(*values, strict=True)):
        where = f"{source.path.name} row {first_row + offset}"
        if any(cell is _NOT_UTF8 for cell in cells):
            yield broken_row(number + offset, input_index=source.index, where=where, why="not valid UTF-8")
            continue
        fields = dict(zip(names, cells, strict=True))
        yield row_from_fields(fields, columns, number=number + offset, input_index=source.index, where=where)


_NOT_UTF8 = RowError("broken_line", "not valid UTF-8")


def _decoded(column: pa.Array) -> Iterable[object]:
    """Return Python values; strings are decoded one by one, since a Parquet file may claim UTF-8 wrongly."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not is_stringy(column.type):
        return list(column.to_pylist())
    return [_decode(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _decode(value: bytes | None) -> object:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return _NOT_UTF8
