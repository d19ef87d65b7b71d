"""A run that is killed at any moment, several times, writes the same bytes and manifest as an unbroken one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_fakes import artefact, rows_of, write_lines
from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT

__all__ = ["artefact"]
ROWS = 5_000
KINDS = (CLEAN_TEXT * 3, HARMFUL_TEXT, "not json", BORDERLINE_TEXT, " ")


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        kind if (kind := KINDS[n % 5]) == "not json" else {"text": f"{kind} {n}", "id": f"r{n}"}
        for n in range(ROWS)
    ]
    return write_lines(tmp_path_factory.mktemp("in") / "in.jsonl", *rows)


@pytest.fixture(scope="module")
def whole(artefact: Path, lines: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that nobody broke off."""
    output = tmp_path_factory.mktemp("whole") / "out.parquet"
    assert start(artefact, lines, output).wait() == 0
    return output


def start(artefact: Path, lines: Path, output: Path, *, workers: int = 1) -> subprocess.Popen[bytes]:
    """Start `prefilter score` in a process group of its own."""
    command = [sys.executable, "-m", "prefilter", "score", str(lines), "-o", str(output)]
    command += ["--model", str(artefact), "--workers", str(workers), "--part-rows", "250"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)


def kill_when(run: subprocess.Popen[bytes], moment: Callable[[], bool]) -> bool:
    """Kill the whole group at that moment; False where the run ended before it came."""
    while not moment():
        if run.poll() is not None:
            return False
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return True


def same_in_the_end(output: Path, whole: Path) -> None:
    """The output, its manifest, and nothing else."""
    assert output.read_bytes() == whole.read_bytes()
    names = [output.name, f"{output.name}.manifest.json"]
    assert (output.parent / names[1]).read_bytes() == (whole.parent / names[1]).read_bytes()
    assert sorted(path.name for path in output.parent.iterdir()) == names


@pytest.mark.parametrize(("seed", "workers"), [(1, 1), (2, 2), (3, 2)])
def test_killed_at_random_moments(
    artefact: Path, lines: Path, whole: Path, tmp_path: Path, seed: int, workers: int
) -> None:
    chance, output, kills = random.Random(seed), tmp_path / "out.parquet", 0
    while kills < 4:
        run = start(artefact, lines, output, workers=workers)
        at = time.monotonic() + chance.uniform(0.3, 2.0)
        if not kill_when(run, lambda at=at: time.monotonic() >= at):  # type: ignore[misc]
            break
        kills += 1
    else:
        assert start(artefact, lines, output, workers=workers).wait() == 0
    assert kills
    same_in_the_end(output, whole)


@pytest.mark.parametrize("moment", ["out.parquet.parts/output.partial", "out.parquet"])
def test_killed_while_the_output_is_put_together(
    artefact: Path, lines: Path, whole: Path, tmp_path: Path, moment: str
) -> None:
    output = tmp_path / "out.parquet"
    for _ in range(3):
        if kill_when(start(artefact, lines, output), (tmp_path / moment).exists):
            assert (tmp_path / "out.parquet.parts").exists() or output.exists()
    assert start(artefact, lines, output, workers=2).wait() == 0
    same_in_the_end(output, whole)


def test_no_row_is_lost_or_doubled(lines: Path, whole: Path) -> None:
    wanted = [f"r{n}" if KINDS[n % 5] != "not json" else str(n) for n in range(ROWS)]
    assert [row["id"] for row in rows_of(whole)] == wanted
