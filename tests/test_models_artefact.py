"""An artefact opened: nothing is used before its hash matches, and parts that do not fit are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes import build_artefact
from prefilter.models.artefact import Artefact
from prefilter.models.labels import HEADS
from prefilter.models.manifest import ManifestError
from prefilter.models.scorer import Scorer, ScorerError


def test_an_artefact_gives_the_parts_that_score(tmp_path: Path) -> None:
    found = Artefact.open(build_artefact(tmp_path / "fake-1"), threads=2)
    assert (found.manifest.name, found.calibrator.heads, found.network.threads) == ("fake-1", HEADS, 2)
    assert (found.cutter.length, found.cutter.overlap, found.cutter.context) == (128, 32, 24)
    assert found.clearance is None


def test_nothing_is_loaded_before_the_hashes_match(tmp_path: Path) -> None:
    folder = build_artefact(tmp_path / "fake-1")
    (folder / "model.onnx").write_bytes(b"swapped")
    with pytest.raises(ManifestError, match=r"model\.onnx"):
        Scorer.load(folder)


def test_files_that_make_no_model_are_refused(tmp_path: Path) -> None:
    folder = build_artefact(tmp_path / "fake-1", spans=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["heads"] = manifest["heads"][:-1]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ScorerError, match="heads"):
        Scorer.load(folder)


def test_a_model_that_promises_more_than_its_network_has_is_refused(tmp_path: Path) -> None:
    folder = build_artefact(tmp_path / "old-1", context=0, spans=False)
    manifest = folder / "manifest.json"
    plain = manifest.read_text()
    manifest.write_text(plain.replace('"overlap": 32', '"overlap": 32, "context": 24'))
    with pytest.raises(ScorerError, match="context"):
        Scorer.load(folder)
    manifest.write_text(plain.replace('"spans": {}', '"spans": {"any": 0.0}'))
    with pytest.raises(ScorerError, match="evidence"):
        Scorer.load(folder)
