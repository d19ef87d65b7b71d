"""Suites: a named test set, read from a Parquet file of the labelled-data schema.

A suite is text, and per category a value in [0,1] or NaN where the source says nothing: unknown is not
zero, so it is masked, never counted. A value of 0.5 or more is positive. This file reads and checks; it
neither scores nor measures.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from prefilter.models.known_error import KnownError
from prefilter.models.labels import CATEGORIES

UNSAFE = "unsafe"
POSITIVE = 0.5
FOLDERS: tuple[str, ...] = ("en", "ml")
FINER: tuple[str, ...] = ("severe_toxicity", "sexual_minors", "violence_graphic")
"""Columns of sub-categories, for which no model has a head."""
CONTEXTS: tuple[str, ...] = ("context", "prompt")
"""Columns that hold contexts; the first that a file has counts."""
SPANS = "spans"
_EXTRA = ("source", "lang", "functionality", "target_ident")


Spans = tuple[tuple[int, int], ...]
"""Half-open ranges of code points in a text."""


class SuiteError(KnownError, ValueError):
    """A suite cannot be found or read; the message names the suite and the column or row, never its text."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A test set of `n` rows in file order.

    `labels` maps a category (or `unsafe`) of which the file says something to float64 [n], NaN where
    unknown; `extra` maps `source`, `lang`, `functionality` and `target_ident` to a value per row where
    the file has them. `available` is the number of rows before a limit drew `n` of them. `context` is
    what each text was said to, `spans` the characters that people found harmful; None for a file, or a row,
    that says nothing of either.
    """

    name: str
    texts: list[object]
    labels: Mapping[str, NDArray[np.float64]]
    extra: Mapping[str, list[str | None]]
    available: int
    context: list[str | None] | None = None
    spans: list[Spans | None] | None = None

    @property
    def n(self) -> int:
        """Rows in the suite."""
        return len(self.texts)

    def known(self, category: str) -> NDArray[np.bool_]:
        """Return True [n] where the suite says something about the category."""
        return ~np.isnan(self.labels[category])

    def positive(self, category: str) -> NDArray[np.bool_]:
        """Return True [n] where the category is known to be present (0.5 or more)."""
        return np.asarray(self.labels[category] >= POSITIVE)

    def take(self, rows: NDArray[np.bool_]) -> Suite:
        """Return the suite of the rows [n] that are True."""
        picked = np.flatnonzero(rows).tolist()
        return Suite(
            self.name,
            [self.texts[i] for i in picked],
            {name: values[rows] for name, values in self.labels.items()},
            {name: [values[i] for i in picked] for name, values in self.extra.items()},
            self.available,
            None if self.context is None else [self.context[i] for i in picked],
            None if self.spans is None else [self.spans[i] for i in picked],
        )

    def lengths(self) -> NDArray[np.int64]:
        """Return the length of each text in code points, 0 where it is no text."""
        return np.array([len(t) if isinstance(t, str) else 0 for t in self.texts], dtype=np.int64)


def verdict(suite: Suite) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (known [n], positive [n]) of the one-number verdict of harm.

    The suite's own `unsafe` column decides where it exists. Without one, a row is positive where any known
    category is, negative where all known ones are negative, and unknown where no category is known.
    """
    if UNSAFE in suite.labels:
        return suite.known(UNSAFE), suite.positive(UNSAFE)
    known = np.zeros(suite.n, dtype=bool)
    positive = np.zeros(suite.n, dtype=bool)
    for category in CATEGORIES:
        if category in suite.labels:
            known |= suite.known(category)
            positive |= suite.positive(category)
    return known, positive


def find_suite(target: str, *, data_dir: Path | None = None) -> tuple[str, Path]:
    """Return (name, file) of a suite's name or of a Parquet path; raises SuiteError where there is none."""
    path = Path(target)
    if path.suffix == ".parquet":
        if not path.is_file():
            raise SuiteError(f"{target}: no such file")
        return path.stem, path
    root = data_dir if data_dir is not None else _environment_data_dir()
    if root is None:
        raise SuiteError(f"{target}: set PREFILTER_DATA_DIR to the labelled data, or give a .parquet file")
    if target in ("", ".", "..") or "/" in target or "\\" in target:
        raise SuiteError(f"{target}: a suite's name has no folders; give a .parquet file instead")
    for folder in FOLDERS:
        candidate = root / folder / f"{target}.parquet"
        if candidate.is_file():
            return target, candidate
    raise SuiteError(f"{target}: no {target}.parquet in {' or '.join(FOLDERS)} of the labelled data")


def load_suite(
    target: str, *, split: str | None = None, limit: int | None = None, data_dir: Path | None = None
) -> Suite:
    """Read a suite; `split` keeps the rows of one split, `limit` draws so many of them, the same each time.

    Raises SuiteError for a missing or broken file, a missing text column, a label that is no number in [0,1],
    and a split that no row has.
    """
    name, path = find_suite(target, data_dir=data_dir)
    try:
        table = pq.read_table(path, memory_map=False)
    except (pa.ArrowException, OSError) as error:
        raise SuiteError(f"{name}: cannot be read as Parquet ({type(error).__name__})") from None
    return _from_table(name, table, split=split, limit=limit)


def _from_table(name: str, table: pa.Table, *, split: str | None, limit: int | None) -> Suite:
    columns = table.column_names
    if len(set(columns)) != len(columns):
        raise SuiteError(f"{name}: a column name occurs twice")
    if "text" not in columns:
        raise SuiteError(f"{name}: has no column text")
    if not _is_string(table.column("text").type):
        raise SuiteError(f"{name}: column text does not hold strings")
    # A column without one known value says as little as no column (asked before rows are left out).
    spoken = [
        c for c in (*CATEGORIES, UNSAFE, *FINER) if c in columns and not np.isnan(_label(name, table, c)).all()
    ]
    if split is not None:
        table = _keep_split(name, table, split)
    if table.num_rows == 0:
        raise SuiteError(f"{name}: has no rows")
    available = table.num_rows
    if limit is not None and limit < available:
        rng = np.random.default_rng(_seed(name))
        table = table.take(pa.array(np.sort(rng.choice(available, size=limit, replace=False))))
    labels = {c: _label(name, table, c) for c in spoken}
    extra = {c: _strings(table, c) for c in _EXTRA if c in columns}
    answered = next((c for c in CONTEXTS if c in columns and _is_string(table.column(c).type)), None)
    context = None if answered is None else [value or None for value in _strings(table, answered)]
    spans = _spans(name, table) if SPANS in columns else None
    return Suite(name, _texts(table), labels, extra, available, context, spans)


def _keep_split(name: str, table: pa.Table, split: str) -> pa.Table:
    if "split" not in table.column_names:
        raise SuiteError(f"{name}: has no column split, so no split {split!r}")
    column = pc.cast(table.column("split"), pa.string())
    kept = table.filter(pc.equal(column, split))
    if kept.num_rows == 0:
        known = ", ".join(sorted(str(s) for s in pc.unique(column).to_pylist()))
        raise SuiteError(f"{name}: no row has split {split!r}; it has {known}")
    return kept


def _label(name: str, table: pa.Table, column: str) -> NDArray[np.float64]:
    raw = table.column(column)
    if pa.types.is_dictionary(raw.type) or _is_string(raw.type):
        raise SuiteError(f"{name}: column {column} does not hold numbers")
    try:
        numbers = pc.cast(pc.cast(raw, pa.int8()) if pa.types.is_boolean(raw.type) else raw, pa.float64())
    except pa.ArrowException:
        raise SuiteError(f"{name}: column {column} does not hold numbers") from None
    values = np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    wrong = np.flatnonzero(~np.isnan(values) & ~((values >= 0) & (values <= 1)))
    if wrong.size:
        raise SuiteError(f"{name}: column {column}, row {int(wrong[0])}: a label lies in [0, 1]")
    return values


def _texts(table: pa.Table) -> list[object]:
    column = table.column("text")
    try:
        texts: list[object] = column.to_pylist()
    except UnicodeDecodeError:
        # One row of broken UTF-8 is one error of the scorer, not the end of the suite.
        texts = [_decoded(value) for value in pc.cast(column, pa.large_binary()).to_pylist()]
    return texts


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", errors="surrogateescape")


def _strings(table: pa.Table, column: str) -> list[str | None]:
    return [None if v is None else str(v) for v in table.column(column).to_pylist()]


def _spans(name: str, table: pa.Table) -> list[Spans | None]:
    found: list[Spans | None] = []
    for row, value in enumerate(table.column(SPANS).to_pylist()):
        try:
            spans = None if value is None else tuple((int(start), int(end)) for start, end in value)
        except (TypeError, ValueError):
            raise SuiteError(f"{name}: column spans, row {row}: not pairs of numbers") from None
        if spans is not None and any(start < 0 or end < start for start, end in spans):
            raise SuiteError(f"{name}: column spans, row {row}: a span is [start, end) with 0 <= start <= end")
        found.append(spans)
    return found


def _is_string(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _environment_data_dir() -> Path | None:
    value = os.environ.get("PREFILTER_DATA_DIR", "").strip()
    return Path(value) if value else None
