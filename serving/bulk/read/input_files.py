"""The input files of a run: found, recognised, fingerprinted, and looked into before any row is scored.

A truncated Parquet or a missing column is told at once, with the file's name, so that nobody waits hours
for it.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prefilter.serving.bulk.bulk_errors import InputUnreadable, WrongRequest
from prefilter.serving.bulk.read.file_formats import Format, open_to_read, recognise
from prefilter.serving.bulk.read.input_rows import Columns

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


READ_BYTES = 1 << 20  # of a Parquet column at once; without it a whole column of a row group is in memory


@dataclass(frozen=True, slots=True)
class Input:
    """One input file and its place among the inputs."""

    path: Path
    format: Format
    index: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an input held: its size in bytes and the SHA-256 of them. The name and the dates do not count."""

    size_bytes: int
    sha256: str

    def to_json(self) -> dict[str, object]:
        """Return the JSON shape."""
        return {"bytes": self.size_bytes, "sha256": self.sha256}


def find_inputs(patterns: Iterable[str | Path]) -> list[Input]:
    """Return the files that names and globs stand for, in the order given (a glob's own files sorted).

    Raises WrongRequest for a name that is no file, a glob without files, a file given twice or an unknown
    format.
    """
    paths: list[Path] = []
    for pattern in map(str, patterns):
        if Path(pattern).is_file():
            paths.append(Path(pattern))
            continue
        found = sorted(Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
        if not found:
            kind = "is a folder; name files, or a glob" if Path(pattern).is_dir() else "no such file"
            raise WrongRequest(f"{pattern}: {kind}", field=pattern)
        paths.extend(found)
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise WrongRequest(f"{path}: given twice", field=str(path))
        seen.add(path.resolve())
    return [Input(path, recognise(path), index) for index, path in enumerate(paths)]


def fingerprint(source: Input) -> Fingerprint:
    """Read the whole file and return its fingerprint."""
    with _readable(source.path), source.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Fingerprint(file.tell(), digest.hexdigest())


def look_into(source: Input, columns: Columns) -> None:
    """Raise InputUnreadable if the file cannot be opened or has no text column of a readable type."""
    with _readable(source.path):
        if source.format.kind == "parquet":
            with open_parquet(source) as file:
                _check_parquet_columns(source, file.schema_arrow, columns)
        elif source.format.kind == "csv":
            check_header(source, read_header(source), columns)
        else:
            with open_to_read(source.path, source.format.compression) as stream:
                stream.read(1)


def open_parquet(source: Input) -> pq.ParquetFile:
    """Open a Parquet file; raises InputUnreadable where it is truncated or none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(source.path, memory_map=False, pre_buffer=False, buffer_size=READ_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(source.path, error) from None


def read_header(source: Input) -> list[str]:
    """Return the column names of a CSV file."""
    import csv
    import io

    with open_to_read(source.path, source.format.compression) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            return next(csv.reader(text, strict=True), [])
        except csv.Error:
            raise InputUnreadable(
                f"{source.path}: the header line is not CSV", field=str(source.path)
            ) from None


def check_header(source: Input, header: list[str], columns: Columns) -> None:
    """Raise InputUnreadable if a CSV header lacks a needed column or repeats one that is read."""
    for name in _needed(columns):
        if name not in header:
            raise InputUnreadable(f"{source.path}: no column {name!r}", field=name)
    for name in columns.names:
        if header.count(name) > 1:
            raise InputUnreadable(f"{source.path}: column {name!r} stands there twice", field=name)


def unreadable(path: Path, error: Exception) -> InputUnreadable:
    """Return the error for a file that cannot be read on; of `error` only its kind is told, no content."""
    why = (
        error.strerror
        if isinstance(error, OSError) and error.strerror
        else "truncated or not what its name says"
    )
    return InputUnreadable(f"{path}: {why}", field=str(path))


class _readable:
    """Turns whatever a decompressor or the system raises into InputUnreadable naming the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, READ_FAULTS):
            raise unreadable(self._path, error) from None


def _read_faults() -> tuple[type[Exception], ...]:
    import zlib

    import zstandard

    return (OSError, EOFError, zlib.error, zstandard.ZstdError)


READ_FAULTS = _read_faults()


def _needed(columns: Columns) -> tuple[str, ...]:
    """The columns that must exist: the text, and whatever the user named instead of leaving the default."""
    plain = Columns()
    named = [columns.text]
    named += [
        name
        for name, default in (
            (columns.id, plain.id),
            (columns.language, plain.language),
            (columns.source, plain.source),
            (columns.context, None),
        )
        if name is not None and name != default
    ]
    return tuple(named)


def _check_parquet_columns(source: Input, schema: pa.Schema, columns: Columns) -> None:
    import pyarrow as pa

    for name in _needed(columns):
        if name not in schema.names:
            raise InputUnreadable(f"{source.path}: no column {name!r}", field=name)
    for name in columns.names:
        if name not in schema.names:
            continue
        if schema.names.count(name) > 1:
            raise InputUnreadable(f"{source.path}: column {name!r} stands there twice", field=name)
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        stringy = is_stringy(kind) or pa.types.is_null(kind)
        if not (stringy or (name == columns.id and pa.types.is_integer(kind))):
            raise InputUnreadable(f"{source.path}: column {name!r} holds {kind}, not text", field=name)


def is_stringy(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds UTF-8 or bytes."""
    import pyarrow.types as types

    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
    )
