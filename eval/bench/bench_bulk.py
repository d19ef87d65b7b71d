"""`prefilter bench bulk`: the command line over files as a user runs it: one worker, two, a policy over a million rows.

The rows are all different and scored exactly, so that what is compared is the work of the transformer; then once
more with the fast stage. The stored rows have scores as a stream has them: most are far below every edge.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prefilter.eval.bench.bench_document import say
from prefilter.eval.bench.mild_texts import text_of
from prefilter.models.labels import HEADS
from prefilter.models.registry import resolve
from prefilter.serving.bulk.write.run_manifest import METADATA_KEY
from prefilter.serving.bulk.write.scores_table import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

CHARS = 450
POLICY = "pretraining-corpus"
ROUNDS = 3


def bench(*, rows: int, stored: int) -> dict[str, Any]:
    """Run the commands in turn and take medians; the time is the whole process's, start included."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        source = folder / "rows.jsonl"
        with source.open("w", encoding="utf-8") as file:
            for number in range(rows):
                file.write(json.dumps({"id": str(number), "text": text_of(CHARS, number)}) + "\n")
        taken: dict[str, list[float]] = {"1": [], "2": [], "fast 1": [], "fast 2": []}
        for round_ in range(ROUNDS):
            for name, seconds in taken.items():
                if name.startswith("fast") and round_:
                    continue
                say(f"bulk: {name} workers, round {round_ + 1}")
                output = folder / f"{name.replace(' ', '-')}-{round_}.parquet"
                exact = [] if name.startswith("fast") else ["--exact"]
                seconds.append(_run("score", str(source), "-o", str(output), "--workers", name[-1], *exact))
        start = _run("score", str(_few(folder)), "-o", str(folder / "few.parquet"))
        say(f"bulk: deciding {stored} stored rows")
        _store(folder / "stored.parquet", stored)
        decide = _run("decide", str(folder / "stored.parquet"), "-o", str(folder / "again.parquet"))
    one, two = (float(np.median(taken[name])) for name in ("1", "2"))
    ratios = [a / (2 * b) for a, b in zip(taken["1"], taken["2"], strict=True)]
    return {
        "rows": rows,
        "chars": CHARS,
        "rows_per_s": {"1": round(rows / one, 1), "2": round(rows / two, 1)},
        "efficiency": round(one / (2 * two), 3),
        "efficiency_of_rounds": [round(r, 3) for r in ratios],
        "rows_per_s_fast_stage": {n: round(rows / taken[f"fast {n}"][0], 1) for n in ("1", "2")},
        "start_s": round(start, 2),
        "decide": {"rows": stored, "seconds": round(decide, 2)},
    }


def _run(command: str, *arguments: str) -> float:
    begun = time.perf_counter()
    words = [sys.executable, "-m", "prefilter", command, *arguments, "--policy", POLICY]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"prefilter {command} ended with code {done.returncode}")
    return time.perf_counter() - begun


def _few(folder: Path) -> Path:
    path = folder / "few.jsonl"
    path.write_text(json.dumps({"id": "1", "text": text_of(CHARS)}) + "\n", encoding="utf-8")
    return path


def _store(path: Path, rows: int) -> None:
    """Write a scores file as `prefilter score` does, with scores drawn at random: 5 in 100 rows not allowed."""
    import pyarrow.parquet as pq

    manifest = resolve(None) / "manifest.json"
    uncalibrated = json.loads(manifest.read_bytes())["uncalibrated"]
    identity = {"model": {"uncalibrated": uncalibrated}}
    schema = arrow_schema({METADATA_KEY: json.dumps(identity)})
    rng = np.random.default_rng(0)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, 100_000):
            writer.write_table(_table(schema, start, min(100_000, rows - start), rng))


def _table(schema: pa.Schema, start: int, rows: int, rng: np.random.Generator) -> pa.Table:
    import pyarrow as pa

    scores = rng.beta(0.4, 9.0, (rows, len(HEADS))).astype(np.float32)
    high = rng.random(rows) < 0.05
    scores[high, rng.integers(len(HEADS), size=int(high.sum()))] = rng.uniform(0.7, 1.0, int(high.sum()))
    values: dict[str, Any] = {
        "id": [str(start + row) for row in range(rows)],
        "outcome": ["allow"] * rows,
        "because": ["[]"] * rows,
        "stage": ["full"] * rows,
        "model_version": ["stored"] * rows,
        "policy_version": ["none@1"] * rows,
        "source": [("crawl", "forum", None)[row % 3] for row in range(rows)],
    }
    values |= {f"score_{head}": scores[:, column] for column, head in enumerate(HEADS)}
    columns = []
    for field in schema:
        if field.name in values:
            columns.append(pa.array(values[field.name], field.type))
        elif pa.types.is_integer(field.type):
            columns.append(pa.array(np.ones(rows, dtype=np.int64), field.type))
        else:
            columns.append(pa.nulls(rows, field.type))
    return pa.Table.from_arrays(columns, schema=schema)
