"""Ray: a real cluster of two nodes makes the very bytes that this machine makes, also when it loses a node."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from bulk_cluster import TwoNodes, two_nodes
from bulk_fakes import artefact, rows_of, write_lines
from fakes import HARMFUL_TEXT
from prefilter.models.registry import RegistryError
from prefilter.serving.bulk.read.input_rows import Columns
from prefilter.serving.bulk.run.ray_cluster import _READ_SCHEMA, Actor, _read, find_model
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.policy.presets import load_preset

__all__ = ["artefact"]
ROWS = 500  # of each shard
WORDS = ("library", "opens", "at", "nine", "closes", "late", "on", "friday", "when", "rain", "falls")


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    with two_nodes() as running:
        yield running


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three files of long mild rows, short harmful ones, broken lines and lone surrogates."""
    folder, chance = tmp_path_factory.mktemp("shards"), random.Random(7)

    def row(number: int) -> object:
        if number % 50 == 0:
            return ["broken", {"text": "a\ud800"}, {"text": HARMFUL_TEXT, "source": "chat"}][number % 3]
        return {"text": " ".join(chance.choices(WORDS, k=chance.randint(50, 300)))}

    return [write_lines(folder / f"{n}.jsonl", *map(row, range(n, ROWS + n))) for n in range(3)]


@pytest.fixture(scope="module")
def alone(artefact: Path, shards: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a local run over the shards."""
    output = tmp_path_factory.mktemp("alone") / "out.parquet"
    finish(start(artefact, shards, output))
    return output


def start(
    model: Path, inputs: list[Path], output: Path, *options: str, nodes: TwoNodes | None = None
) -> subprocess.Popen[str]:
    """Start `prefilter score`, on the cluster where one is given."""
    command = [sys.executable, "-m", "prefilter", "score", *map(str, inputs), "-o", str(output)]
    command += ["--model", str(model), "--part-rows", "100", *options]
    if nodes is not None:
        command += ["--engine", "ray"]
    env = os.environ | ({"RAY_ADDRESS": nodes.address} if nodes is not None else {})
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)


def finish(run: subprocess.Popen[str]) -> str:
    """Wait for a run that must succeed; return what it said."""
    said = run.communicate()[1]
    assert run.returncode == 0, said
    return said


def wait_for_parts(run: subprocess.Popen[str], output: Path) -> None:
    """Wait until the run has finished its second part and is in its midst."""
    part = output.with_name(output.name + ".parts") / "part-000001.parquet"
    while not part.exists():
        assert run.poll() is None, run.communicate()[1]
        time.sleep(0.05)


def test_unordered_gives_the_same_rows_in_any_order(
    nodes: TwoNodes, artefact: Path, shards: list[Path], alone: Path, tmp_path: Path
) -> None:
    said = finish(start(artefact, shards[:1], tmp_path / "out.jsonl", "--unordered", nodes=nodes))
    assert WORDS[0] not in said
    ours, wanted = rows_of(tmp_path / "out.jsonl"), rows_of(alone)[:ROWS]
    assert sorted(map(json.dumps, ours)) == sorted(map(json.dumps, wanted))


def test_a_run_whose_driver_is_killed_goes_on_without_the_cluster(
    nodes: TwoNodes, artefact: Path, shards: list[Path], alone: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.parquet"
    run = start(artefact, shards, output, nodes=nodes)
    wait_for_parts(run, output)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    assert "of them by an earlier run" in finish(start(artefact, shards, output))
    assert output.read_bytes() == alone.read_bytes()


def test_a_model_that_differs_on_a_node_stops_the_run(artefact: Path) -> None:
    terms = replace(Terms.of(artefact, load_preset("model-output")), manifest_sha256="0" * 64)
    cells = json.dumps([0, "0", 0, "line 1", "some text", None, None, None, None]).encode()
    batch = pa.Table.from_pylist([{"number": 0, "input_index": 0, "row": cells}], schema=_READ_SCHEMA)
    with closing(Actor(json.dumps(terms.to_json()), "/")) as actor:
        (row,) = actor(batch).to_pylist()
    assert "another model than the run was started with" in row["fault"]


@pytest.mark.parametrize("model", ["/elsewhere/fake-1", "/driver/kept/fake-1"])
def test_a_model_is_found_in_what_was_shipped_with_the_work(
    artefact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    shutil.copytree(artefact, tmp_path / "kept" / "fake-1")
    monkeypatch.chdir(tmp_path)
    if model.startswith("/driver"):
        assert find_model(Path(model), "/driver") == tmp_path / "kept" / "fake-1"
    else:
        with pytest.raises(RegistryError, match="no model 'fake-1' in the installed package"):
            find_model(Path(model), "/driver")


def test_an_input_that_breaks_off_is_told_as_a_value(tmp_path: Path) -> None:
    cut = tmp_path / "in.jsonl.gz"
    cut.write_bytes(gzip.compress(b'{"text": "some text"}\n' * 900)[:-12])
    order = {"path": str(cut), "kind": "jsonl", "compression": "gz", "index": 0, "start": 5, "skip": 0}
    orders = pa.Table.from_pylist([order | {"columns": json.dumps(Columns().to_json())}])
    *_, last = _read(orders)
    assert "in.jsonl.gz: truncated" in last.column("fault")[0].as_py()


def test_a_run_that_loses_a_node_ends_in_the_bytes_of_a_local_one(
    nodes: TwoNodes, artefact: Path, shards: list[Path], alone: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.parquet"
    run = start(artefact, shards, output, nodes=nodes)
    wait_for_parts(run, output)
    nodes.lose_a_node()
    finish(run)
    assert output.read_bytes() == alone.read_bytes()
