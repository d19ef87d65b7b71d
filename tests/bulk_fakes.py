"""Files for the tests of the bulk room, and runs over them with scores that stand in the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from fakes import build_artefact
from prefilter.models.labels import HEADS
from prefilter.models.scored import Scored
from prefilter.serving.bulk.read.input_rows import Row
from prefilter.serving.bulk.run.bulk_run import Run, score_files
from prefilter.serving.bulk.run.chunks import InProcess, Pace, Screened, cut_chunks
from prefilter.serving.bulk.run.screener import Screener
from prefilter.serving.bulk.run.worker_messages import read_rows, read_table, write_rows, write_table
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.bulk.write.run_summary import Summary
from prefilter.serving.bulk.write.scores_table import output_table
from prefilter.serving.policy.presets import load_preset
from serving_fakes import SpokenScorer

MILD = "The library opens at nine."


@pytest.fixture(scope="session")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real model."""
    return build_artefact(tmp_path_factory.mktemp("models") / "fake-1")


def write_lines(path: Path, *rows: Any) -> Path:
    """Write JSONL; bytes and strings are written as they are."""
    lines = [
        row if isinstance(row, bytes) else row.encode() if isinstance(row, str) else dump(row) for row in rows
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def dump(row: Any) -> bytes:
    """One JSON line, lone surrogates escaped."""
    return json.dumps(row).encode()


def spoken_run(
    artefact: Path,
    inputs: list[Path],
    output: Path,
    *,
    scorer: Any = None,
    policy: str = "model-output",
    **options: Any,
) -> Summary:
    """Score files with the scorer that reads `threat=0.7` in a text."""
    run = Run(inputs=inputs, output=output, policy=load_preset(policy), model=artefact, **options)
    terms = Terms.of(artefact, run.policy, exact=run.exact)
    pace = Pace(rows=32, most=32)
    return score_files(run, pool=InProcess(Screener(scorer or FileScorer(), terms), pace=pace))


def rows_of(output: Path) -> list[dict[str, Any]]:
    """The rows of an output."""
    if output.suffix == ".parquet":
        return list(pq.read_table(output).to_pylist())
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def errors_of(output: Path) -> Iterator[dict[str, str] | None]:
    """The errors of an output's rows."""
    for row in rows_of(output):
        yield json.loads(row["error"]) if row["error"] else None


class FileScorer(SpokenScorer):
    """A scorer with a fast stage: under the edges of `certified` it clears what does not say `head=score`."""

    def __init__(self, *, certified: Mapping[str, float] | None = None, **options: Any) -> None:
        """Without `certified` there is no certificate."""
        super().__init__(**options)
        self._certified = certified
        self.asked: list[dict[str, float]] = []

    def certificate_for(self, edges: Mapping[str, float]) -> str | None:
        """Name the one certificate, for exactly its edges."""
        self.asked.append(dict(edges))
        return "web-1" if edges == self._certified else None

    def prepare(self, text: object, *, certificate: str | None = None, **beside: Any) -> Any:
        """A cleared text has estimates and no tokens."""
        found = super().prepare(text, **beside)
        clear = (
            certificate is not None
            and not isinstance(found, Scored)
            and not re.search("=|foreign", str(text))
        )
        return Scored(dict.fromkeys(HEADS, np.float32(0.01)), stage="fast") if clear else found


class Stopping(FileScorer):
    """A scorer that is stopped, as by a kill, after some texts."""

    def __init__(self, *, after: int) -> None:
        """Stop before the text numbered `after`."""
        super().__init__()
        self._after = after

    def prepare(self, text: object, **beside: Any) -> Any:
        """Prepare one text, or stop everything."""
        if len(self.seen) == self._after:
            raise KeyboardInterrupt
        return super().prepare(text, **beside)


class InstantPool:
    """A pool that answers at once, every row cleared: what a run costs then is reading, carrying and writing."""

    def __init__(self, terms: Terms) -> None:
        """Answer under `terms`."""
        self._terms = terms
        self._answer = Scored(dict.fromkeys(HEADS, np.float32(0.01)), stage="fast")

    def screen(self, rows: Iterable[Row]) -> Iterator[Screened]:
        """Yield output rows that have been through the messages of a worker."""
        for chunk in cut_chunks(rows, Pace(rows=500)):
            told = read_rows(write_rows(chunk))
            answers = [None if row.error else self._answer for row in told]
            table = read_table(bytes(write_table(output_table(told, answers, self._terms))))
            yield Screened(table, chunk[0].input_index)
