"""A scoring run that is killed with -9 at several points and run again writes the same file as an unbroken run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bulk_fakes import artefact
from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT

__all__ = ["artefact"]
ROWS = 600
LONG = 12  # repetitions, so that a row takes long enough to be killed in


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A few hundred rows of mixed lengths, some of them broken."""
    texts = [CLEAN_TEXT, HARMFUL_TEXT * LONG, BORDERLINE_TEXT, CLEAN_TEXT * LONG]
    rows = [json.dumps({"id": f"r{n}", "text": f"{texts[n % 4]} {n}"}) for n in range(ROWS)]
    rows[100] = rows[101] = "{"
    (tmp_path / "in.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path / "in.jsonl"


def start(lines: Path, output: Path, model: Path, *, workers: int = 2) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "prefilter",
        "score",
        str(lines),
        "-o",
        str(output),
        "--model",
        str(model),
    ]
    return subprocess.Popen(
        [*command, "--part-rows", "50", "--workers", str(workers)], start_new_session=True
    )


def finish(lines: Path, output: Path, model: Path, *, workers: int = 2) -> bytes:
    with start(lines, output, model, workers=workers) as process:
        assert process.wait(120) == 0
    assert not Path(f"{output}.parts").exists()
    return output.read_bytes()


def kill_when(process: subprocess.Popen[bytes], parts: Path, finished: int) -> None:
    """Kill the run, and nothing else, as soon as so many parts are finished."""
    while process.poll() is None and len(list(parts.glob("part-*.parquet"))) < finished:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl.zst"])
def test_a_run_killed_again_and_again_ends_in_the_file_of_an_unbroken_one(
    lines: Path, artefact: Path, tmp_path: Path, name: str
) -> None:
    whole = finish(lines, tmp_path / f"whole_{name}", artefact, workers=1)
    output = tmp_path / name
    for finished in (0, 1, 4, 7):
        process = start(lines, output, artefact)
        kill_when(process, Path(f"{output}.parts"), finished)
        assert process.returncode == -signal.SIGKILL
        assert not output.exists()
    assert finish(lines, output, artefact) == whole


def test_a_second_run_on_the_same_output_is_refused_while_the_first_one_writes(
    lines: Path, artefact: Path, tmp_path: Path
) -> None:
    with start(lines, tmp_path / "out.parquet", artefact) as first:
        parts = tmp_path / "out.parquet.parts"
        while not list(parts.glob("part-*")):
            time.sleep(0.002)
        os.kill(first.pid, signal.SIGSTOP)
        second = start(lines, tmp_path / "out.parquet", artefact)
        assert second.wait(60) == 1
        os.kill(first.pid, signal.SIGCONT)
        assert first.wait(120) == 0
