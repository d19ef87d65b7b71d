"""Memory: what a run holds does not grow with its input; real processes, real peaks."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bulk_fakes import artefact, dump

__all__ = ["artefact"]
RUN = """
import re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from bulk_fakes import InstantPool
from prefilter.serving.bulk.run.bulk_run import Run, score_files
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.policy.presets import load_preset
model, source, output = map(Path, sys.argv[2:])
run = Run(inputs=[source], output=output, policy=load_preset("model-output"), model=model)
score_files(run, pool=InstantPool(Terms.of(model, run.policy)))
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


READ = """
import sys
from pathlib import Path
import pyarrow as pa
from prefilter.serving.bulk.read.input_files import find_inputs
from prefilter.serving.bulk.read.row_readers import read_rows
from prefilter.serving.bulk.read.input_rows import Columns
for row in read_rows(find_inputs([sys.argv[1]]), Columns()):
    pass
print(pa.default_memory_pool().max_memory() // 1024)
"""
CHANCE = random.Random(3)


def texts(rows: int) -> list[str]:
    """Texts of 500 characters that no compression makes small."""
    return [f"{CHANCE.getrandbits(2000):0500x}" for _ in range(rows)]


def peak_mb(program: str, *arguments: object) -> float:
    """What the program prints, in MB."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024


def test_a_longer_input_takes_no_more_memory(artefact: Path, tmp_path: Path) -> None:
    peaks = []
    for rows in (50_000, 150_000):  # both fill more than a row group of the output
        source = tmp_path / f"{rows}.jsonl"
        source.write_bytes(b"".join(dump({"text": text}) + b"\n" for text in texts(rows)))
        peaks.append(peak_mb(RUN, Path(__file__).parent, artefact, source, tmp_path / f"{rows}.parquet"))
    assert source.stat().st_size > 75e6
    assert peaks[1] - peaks[0] < 40, f"{peaks} MB"


def test_a_row_group_larger_than_memory_is_read_in_pieces(tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": texts(80_000)}), source, row_group_size=80_000, compression="none")
    assert source.stat().st_size > 40e6
    assert peak_mb(READ, source) < 15
