"""The sample: texts with the scores that another service gave them, and people's labels where there are any.

Reads JSONL, CSV and Parquet. Their scores are in a column per attribute, or in the service's stored answers; an
empty cell is unknown. A label is yes or no, true or false, or a number in [0,1] that is harmful from one half; empty,
`unsure` and `unknown` are unknown. What is anything else stops the reading and is told by file, row and column, never
by its content. A row without a text stays a row, so that the sample lies beside a scores file of the same input.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prefilter.serving.bulk.bulk_errors import InputUnreadable, WrongRequest
from prefilter.serving.bulk.read.file_formats import open_to_read
from prefilter.serving.bulk.read.input_files import READ_FAULTS, Input, open_parquet, unreadable

ANSWER = "attributeScores"
"""The key under which a stored answer holds its scores, and a column that is read as one without being named."""
_YES, _NO, _UNKNOWN = {"yes", "true"}, {"no", "false"}, {"", "unsure", "unknown", "nan", "null"}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleColumns:
    """Which columns hold what. `theirs` and `labels`: attribute → column. `answer`: the column of stored answers."""

    theirs: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    answer: str | None = None
    text: str = "text"
    id: str = "id"
    language: str = "language"
    named: frozenset[str] = frozenset()
    """Columns that were asked for by name: a sample in which no row has one is refused."""

    @property
    def all(self) -> list[str]:
        """Every column that is read, without repetition."""
        answers = [self.answer, ANSWER]
        found = [self.text, self.id, self.language, *answers, *self.theirs.values(), *self.labels.values()]
        return list(dict.fromkeys(name for name in found if name is not None))


@dataclass(frozen=True, slots=True)
class Sample:
    """n rows: texts (None where there is none), ids, languages; by attribute `theirs` and `labels` [n], NaN unknown.

    `theirs` has only attributes that some row has a score of.
    """

    texts: list[object]
    ids: list[str]
    languages: list[str | None]
    theirs: dict[str, Floats]
    labels: dict[str, Floats]

    def __len__(self) -> int:
        """How many rows."""
        return len(self.texts)


def read_sample(inputs: Sequence[Input], columns: SampleColumns) -> Sample:
    """Read every row of the inputs; raises InputUnreadable and WrongRequest, naming file, row and column."""
    texts: list[object] = []
    ids: list[str] = []
    languages: list[str | None] = []
    theirs: dict[str, list[float]] = {name: [] for name in columns.theirs}
    labels: dict[str, list[float]] = {name: [] for name in columns.labels}
    seen: set[str] = set()
    for source in inputs:
        for where, cells in _cells(source, columns):
            seen.update(cells)
            identity, language = cells.get(columns.id), cells.get(columns.language)
            texts.append(cells.get(columns.text))
            ids.append(str(len(ids)) if identity in (None, "") else str(identity))
            languages.append(language if isinstance(language, str) and language else None)
            answered = _answers(cells, columns, where)
            for name, column in columns.theirs.items():
                own = _share(cells.get(column), where, column)
                theirs[name].append(answered.get(name, math.nan) if math.isnan(own) else own)
            for name, column in columns.labels.items():
                labels[name].append(_label(cells.get(column), where, column))
    for name in sorted({columns.text, *columns.named} - seen):
        raise WrongRequest(f"no row has a column {name!r}", field=name)
    scored = {name: np.array(values) for name, values in theirs.items() if not np.isnan(values).all()}
    return Sample(texts, ids, languages, scored, {name: np.array(values) for name, values in labels.items()})


def _cells(source: Input, columns: SampleColumns) -> Iterator[tuple[str, dict[str, object]]]:
    read = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}[source.format.kind]
    try:
        yield from read(source, columns)
    except READ_FAULTS as error:
        raise unreadable(source.path, error) from None


def _jsonl(source: Input, columns: SampleColumns) -> Iterator[tuple[str, dict[str, object]]]:
    with open_to_read(source.path, source.format.compression) as stream:
        for number, line in enumerate(stream, start=1):
            content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not content.strip():
                continue
            where = f"{source.path.name} line {number}"
            try:
                fields = json.loads(content.decode("utf-8"))
            except (ValueError, RecursionError):
                raise InputUnreadable(f"{where}: not valid JSON", field=str(source.path)) from None
            if not isinstance(fields, dict):
                raise InputUnreadable(f"{where}: not a JSON object", field=str(source.path))
            yield where, {name: fields[name] for name in columns.all if name in fields}


def _csv(source: Input, columns: SampleColumns) -> Iterator[tuple[str, dict[str, object]]]:
    csv.field_size_limit(sys.maxsize)
    with open_to_read(source.path, source.format.compression) as stream:
        reader = csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), strict=True)
        try:
            header = next(reader, [])
            for values in reader:
                where = f"{source.path.name} line {reader.line_num}"
                if not values:
                    continue
                if len(values) > len(header):
                    raise InputUnreadable(f"{where}: more fields than columns", field=str(source.path))
                cells = dict(zip(header, values, strict=False))
                yield where, {name: cells[name] for name in columns.all if name in cells}
        except (csv.Error, UnicodeDecodeError):
            where = f"{source.path.name} before line {reader.line_num + 1}"
            raise InputUnreadable(f"{where}: not valid CSV", field=str(source.path)) from None


def _parquet(source: Input, columns: SampleColumns) -> Iterator[tuple[str, dict[str, object]]]:
    import pyarrow as pa

    with open_parquet(source) as file:
        present = [name for name in columns.all if name in file.schema_arrow.names]
        narrow = {name for name in present if file.schema_arrow.field(name).type in (pa.float32(), pa.float16())}
        number = 0
        try:
            for batch in file.iter_batches(columns=present):
                for cells in batch.to_pylist():
                    for name in narrow & cells.keys():  # 0.7 kept in four bytes is not below the edge 0.7
                        if cells[name] is not None:
                            cells[name] = float(str(np.float32(cells[name])))
                    yield f"{source.path.name} row {number}", cells
                    number += 1
        except pa.ArrowException:
            raise InputUnreadable(f"{source.path}: truncated or damaged", field=str(source.path)) from None


def _answers(cells: Mapping[str, object], columns: SampleColumns, where: str) -> dict[str, float]:
    """The scores of a stored answer, by attribute; empty where the row has none."""
    column = columns.answer if columns.answer is not None else ANSWER
    value = cells.get(column)
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise WrongRequest(f"{where}: {column} is not a stored answer", field=column) from None
    if value is None or value == "":
        return {}
    inner = value.get(ANSWER, value) if isinstance(value, dict) else None
    if not isinstance(inner, dict):
        raise WrongRequest(f"{where}: {column} is not a stored answer", field=column)
    found = {}
    for name in columns.theirs:
        summary = inner[name].get("summaryScore") if isinstance(inner.get(name), dict) else None
        if isinstance(summary, dict):
            found[name] = _share(summary.get("value"), where, f"{column}.{name}")
    return found


def _share(value: object, where: str, column: str) -> float:
    """A number in [0,1], NaN where the cell is empty."""
    if value is None or (isinstance(value, str) and value.strip().lower() in _UNKNOWN):
        return math.nan
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or not (math.isnan(number) or 0 <= number <= 1):
        raise WrongRequest(f"{where}: {column} is no number from 0 to 1", field=column)
    return number


def _label(value: object, where: str, column: str) -> float:
    """1 harmful, 0 benign, NaN unknown."""
    word = str(value).strip().lower() if isinstance(value, str | bool) else None
    if word in _YES or word in _NO:
        return float(word in _YES)
    try:
        number = _share(value, where, column)
    except WrongRequest:
        said = "is no label: yes, no, a number from 0 to 1, or empty"
        raise WrongRequest(f"{where}: {column} {said}", field=column) from None
    return math.nan if math.isnan(number) else float(number >= 0.5)
