"""Puts the finished parts together into the output, which appears whole or not at all.

The same parts give the same bytes: row groups are cut by row count, compressed files carry no date, and the
metadata says what was made of what, not where or when.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from prefilter.models.atomic_file import replacing
from prefilter.serving.bulk.bulk_errors import InputUnreadable
from prefilter.serving.bulk.read.file_formats import open_to_read, open_to_write, recognise
from prefilter.serving.bulk.read.input_files import READ_FAULTS
from prefilter.serving.bulk.write.compact_json import to_json
from prefilter.serving.bulk.write.run_manifest import METADATA_KEY
from prefilter.serving.bulk.write.scores_table import ADDED, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 32_768


def write_scores(
    output: Path, tables: Iterable[pa.Table], *, identity: Mapping[str, object], partial: Path | None = None
) -> None:
    """Write `tables` (of the scores schema) in the place of `output`; until then they lie in `partial`."""
    form = recognise(output, for_output=True)
    with replacing(output, partial=partial, durable=True) as fresh:
        if form.kind == "parquet":
            _write_parquet(fresh, tables, identity)
        else:
            with open_to_write(fresh, form.compression) as stream:
                for table in tables:
                    stream.write(b"".join(to_json(row).encode() + b"\n" for row in table.to_pylist()))


def read_scores(path: Path, *, batch_rows: int = ROW_GROUP_ROWS) -> Iterator[pa.Table]:
    """Yield the rows of a scores file (Parquet or JSONL) as tables; raises InputUnreadable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema()
    form = recognise(path, for_output=True)
    try:
        if form.kind == "parquet":
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_rows):
                    yield _fitted(pa.Table.from_batches([batch]), schema, path)
            return
        with open_to_read(path, form.compression) as stream:
            rows: list[dict[str, object]] = []
            for line in stream:
                if line.strip():
                    rows.append(json.loads(line))
                if len(rows) == batch_rows:
                    yield _fitted(pa.Table.from_pylist(rows, schema=_known(rows, schema, path)), schema, path)
                    rows = []
            if rows:
                yield _fitted(pa.Table.from_pylist(rows, schema=_known(rows, schema, path)), schema, path)
    except (pa.ArrowException, ValueError, AttributeError, *READ_FAULTS):
        raise InputUnreadable(f"{path}: truncated, or no scores file", field=str(path)) from None


def _write_parquet(path: Path, tables: Iterable[pa.Table], identity: Mapping[str, object]) -> None:
    """Write row groups of ROW_GROUP_ROWS, one of them while the rows of the next are made."""
    import pyarrow.parquet as pq

    schema = arrow_schema({METADATA_KEY: json.dumps(identity, sort_keys=True)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer, ThreadPoolExecutor(1) as behind:
        written: Future[None] | None = None
        for group in _row_groups(tables):
            if written is not None:
                written.result()
            written = behind.submit(writer.write_table, group.cast(schema))
        if written is not None:
            written.result()


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Join and cut tables into groups of ROW_GROUP_ROWS; the last has what is left."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        while rows >= ROW_GROUP_ROWS:
            joined = pa.concat_tables(waiting).combine_chunks()
            yield joined.slice(0, ROW_GROUP_ROWS)
            waiting, rows = [joined.slice(ROW_GROUP_ROWS)], rows - ROW_GROUP_ROWS
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()


def _known(rows: list[dict[str, object]], schema: pa.Schema, path: Path) -> pa.Schema:
    """The schema's columns that the rows of a JSONL file have."""
    import pyarrow as pa

    return pa.schema([field for field in schema if field.name in rows[0]])


def _fitted(table: pa.Table, schema: pa.Schema, path: Path) -> pa.Table:
    """Return `table` with the columns of a scores file; only those of ADDED may be absent."""
    import pyarrow as pa

    columns = []
    for field in schema:
        if field.name in table.schema.names:
            columns.append(table.column(field.name).cast(field.type))
        elif field.name in ADDED:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)]))
        else:
            raise InputUnreadable(f"{path}: no column {field.name!r}; is it a scores file?", field=field.name)
    return pa.Table.from_arrays(columns, schema=schema)
