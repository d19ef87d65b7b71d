"""Tiny suites as Parquet files, for tests: mild words whose scores the fake model fixes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fakes import CLEAN_TEXT, HARMFUL_TEXT
from prefilter.eval.suites.suite import Suite

UNKNOWN = float("nan")


def write_suite(folder: Path, name: str, **columns: list[Any]) -> Path:
    """Write `columns` as NAME.parquet with the labelled-data schema's types; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        key: pa.array(values, pa.float32() if isinstance(values[0], float) else pa.large_string())
        for key, values in columns.items()
    }
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table(arrays), path, compression="zstd")
    return path


def write_mixed(folder: Path, name: str = "mixed", *, rows: int = 40) -> Path:
    """Write a suite of clean and rude sentences in turn; every fourth label of insult is unknown."""
    harmful = [bool(row % 2) for row in range(rows)]
    return write_suite(
        folder,
        name,
        text=[f"{HARMFUL_TEXT if bad else CLEAN_TEXT} {row}" for row, bad in enumerate(harmful)],
        lang=["en"] * rows,
        source=["here" if row < rows // 2 else "there" for row in range(rows)],
        split=["train" if row < 10 else "test" for row in range(rows)],
        toxicity=[float(bad) for bad in harmful],
        insult=[UNKNOWN if row % 4 == 0 else float(bad) for row, bad in enumerate(harmful)],
    )


def a_suite(**labels: list[float]) -> Suite:
    """A suite in memory with the given labels."""
    arrays = {name: np.array(values, dtype=np.float64) for name, values in labels.items()}
    rows = len(next(iter(arrays.values())))
    return Suite("tiny", [f"text {row}" for row in range(rows)], arrays, {}, rows)
