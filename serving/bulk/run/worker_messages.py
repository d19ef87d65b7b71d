"""What a run and its scoring processes say to each other: rows as JSON, output rows as Arrow's own bytes.

Nothing is ever pickled, not even between us. Lone surrogates and NUL travel escaped; a score is a float32 on
both sides. Knows no process and no socket.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from prefilter.models.text.normalisation import RowError
from prefilter.serving.bulk.read.input_rows import Row
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.bulk.write.scores_table import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa


def write_terms(terms: Terms) -> bytes:
    """What a process is told first."""
    return json.dumps(terms.to_json()).encode("ascii")


def read_terms(message: bytes) -> Terms:
    """What `write_terms` wrote."""
    return Terms.from_json(json.loads(message))


def write_rows(rows: Sequence[Row]) -> bytes:
    """A chunk on its way to a process."""
    return json.dumps([row_cells(row) for row in rows]).encode("ascii")


def read_rows(message: bytes) -> list[Row]:
    """What `write_rows` wrote."""
    return [row_from_cells(*cells) for cells in json.loads(message)]


def row_cells(row: Row) -> tuple[object, ...]:
    """The values of a row; an error as its code and message."""
    error = None if row.error is None else (row.error.code, row.error.message)
    return (
        row.number,
        row.id,
        row.input_index,
        row.where,
        row.text,
        row.language,
        row.source,
        error,
        row.context,
    )


def row_from_cells(
    number: int,
    identity: str,
    input_index: int,
    where: str,
    text: str,
    language: str | None,
    source: str | None,
    error: Sequence[str] | None,
    context: str | None,
) -> Row:
    """The row of these values."""
    wrong = None if error is None else RowError(*error)
    return Row(number, identity, input_index, where, text, language, source, wrong, context)


def write_table(table: pa.Table) -> memoryview:
    """The output rows of a chunk on their way back."""
    batch = table.combine_chunks().to_batches()[0]
    return memoryview(batch.serialize())


def read_table(message: bytes) -> pa.Table:
    """What `write_table` wrote."""
    import pyarrow as pa

    schema = arrow_schema()
    return pa.Table.from_batches([pa.ipc.read_record_batch(pa.py_buffer(message), schema)], schema)


def write_complaint(complaint: str | None) -> bytes:
    """A process's first words: why it cannot score, or None."""
    return json.dumps(complaint).encode("ascii")


def read_complaint(message: bytes) -> str | None:
    """What `write_complaint` wrote."""
    complaint: str | None = json.loads(message)
    return complaint
