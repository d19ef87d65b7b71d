"""The manifest beside an output: what it is made of and what came out, the same whatever happened on the way."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bulk_fakes import MILD, FileScorer, Stopping, artefact, spoken_run, write_lines
from prefilter.serving.bulk.bulk_errors import RunDiffers
from prefilter.serving.bulk.redecision import decide_file
from prefilter.serving.bulk.write.run_manifest import manifest_path, read_identity
from prefilter.serving.policy.presets import load_preset

__all__ = ["artefact"]
TEXTS = [MILD, "threat=0.6", "hate=0.99", " "]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "in.jsonl", *({"text": text} for text in TEXTS * 30))


def manifest(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(manifest_path(output).read_text(encoding="utf-8"))
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl.zst"])
def test_it_names_inputs_model_policy_and_what_came_out(artefact: Path, lines: Path, name: str) -> None:
    edges = load_preset("model-output").edges_for(None)
    spoken_run(artefact, [lines], lines.with_name(name), scorer=FileScorer(certified=edges))
    found = manifest(lines.with_name(name))
    assert found["inputs"] == [{"bytes": lines.stat().st_size, "sha256": sha256(lines)}]
    assert found["model"]["manifest_sha256"] == sha256(artefact / "manifest.json")
    assert (found["policy"]["name"], len(found["policy_sha256"])) == ("model-output@1", 64)
    assert found["output"]["sha256"] == sha256(lines.with_name(name))
    assert found["outcomes"] == {"allow": 30, "review": 30, "block": 30, "error": 30}
    assert (found["rows"], found["stages"]) == (120, {"fast": 30, "full": 60})
    assert (found["exact"], found["cleared_under"]) == (False, {"": edges})
    assert set(found["versions"]) == {"harm-prefilter", "onnxruntime", "pyarrow", "numpy"}


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl"])
def test_it_says_nothing_of_when_where_or_how_often(artefact: Path, lines: Path, name: str) -> None:
    output, whole = lines.with_name(name), lines.with_name(f"whole_{name}")
    spoken_run(artefact, [lines], whole)
    with pytest.raises(KeyboardInterrupt):
        spoken_run(artefact, [lines], output, part_rows=10, scorer=Stopping(after=70))
    spoken_run(artefact, [lines], output, part_rows=25)
    assert manifest_path(output).read_bytes() == manifest_path(whole).read_bytes()


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl"])
def test_one_that_was_lost_is_written_again_or_the_run_is_done_again(
    artefact: Path, lines: Path, name: str
) -> None:
    output = lines.with_name(name)
    spoken_run(artefact, [lines], output)
    before = manifest_path(output).read_bytes()
    manifest_path(output).unlink()
    spoken_run(artefact, [lines], output)
    assert manifest_path(output).read_bytes() == before


def test_one_of_an_earlier_output_is_replaced(artefact: Path, lines: Path) -> None:
    output = lines.with_name("out.parquet")
    spoken_run(artefact, [lines], output, policy="monitor-only")
    earlier = manifest_path(output).read_bytes()
    spoken_run(artefact, [lines], output)
    manifest_path(output).write_bytes(earlier)  # as if killed between the output and its manifest
    spoken_run(artefact, [lines], output)
    assert manifest(output)["policy"]["name"] == "model-output@1"


def test_lines_of_the_same_run_are_not_made_again(artefact: Path, lines: Path) -> None:
    spoken_run(artefact, [lines], lines.with_name("out.jsonl"))
    scorer = FileScorer()
    assert spoken_run(artefact, [lines], lines.with_name("out.jsonl"), scorer=scorer).resumed == 120
    assert scorer.seen == []


def test_it_speaks_for_no_other_bytes(artefact: Path, lines: Path) -> None:
    output = lines.with_name("out.jsonl")
    spoken_run(artefact, [lines], output)
    assert read_identity(output) is not None
    output.write_bytes(output.read_bytes().replace(b"allow", b"block"))
    assert read_identity(output) is None


def test_deciding_again_writes_one_too(artefact: Path, lines: Path) -> None:
    spoken_run(artefact, [lines], lines.with_name("scores.parquet"))
    output = lines.with_name("out.parquet")
    decide_file(lines.with_name("scores.parquet"), output, policy=load_preset("monitor-only"))
    assert manifest(output)["policy"]["name"] == "monitor-only@1"
    assert manifest(output)["inputs"] == manifest(lines.with_name("scores.parquet"))["inputs"]
    assert manifest(output)["output"]["sha256"] == sha256(output)


def test_the_size_of_parts_may_change_on_the_way_but_not_what_is_made(artefact: Path, lines: Path) -> None:
    output = lines.with_name("out.parquet")
    with pytest.raises(KeyboardInterrupt):
        spoken_run(artefact, [lines], output, part_rows=10, scorer=Stopping(after=70))
    with pytest.raises(RunDiffers, match="another policy; run again with the same, or with --restart"):
        spoken_run(artefact, [lines], output, policy="monitor-only")
    assert spoken_run(artefact, [lines], output, part_rows=40).rows == 120
