"""The gauge: what is read out of a document, and what a kept measurement says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fast_samples import add_fast_stage
from gate_samples import build_model, write_gates
from prefilter.eval.gate.findings import compare
from prefilter.eval.gate.gate_file import GateFile
from prefilter.eval.gate.gauge import gauge, kept_or_made, read_metrics
from prefilter.eval.gate.measurement import GaugeError, Measurement, place_of
from prefilter.eval.gate.metric_gate import Reading
from prefilter.models.manifest import verify
from prefilter.models.registry import live_name, store_dir


def test_a_value_is_read_with_what_stands_beside_it() -> None:
    row = {"n": 7, "auprc": 0.5, "auroc": None, "ci95": {"auprc": [0.4, 0.6], "auroc": None}}
    document = {"suites": {"s": {"any": row, "n": 7, "flag": True}}}
    found = dict(read_metrics(document, "suites.s.any.auprc"))
    assert found == {"suites.s.any.auprc": Reading(0.5, 7, (0.4, 0.6))}
    assert dict(read_metrics(document, "suites.s.any.auroc")) == {}
    assert dict(read_metrics(document, "suites.s.*.auprc")) == found
    assert dict(read_metrics(document, "suites.t.any.auprc")) == {}
    assert dict(read_metrics(document, "suites.s.*")) == {"suites.s.n": Reading(7.0, 7)}


def test_a_plain_share_gets_the_interval_of_a_share() -> None:
    document = {"manifest": {"int8": {"flips": 0.0, "texts": 100}}, "block": {"block": 0.5, "n": 4}}
    assert dict(read_metrics(document, "manifest.int8.flips")) == {
        "manifest.int8.flips": Reading(0.0, 100, (0.0, 0.036993))
    }
    ((_, blocked),) = read_metrics(document, "block.block")
    assert blocked.ci95 == pytest.approx((0.150039, 0.849961))


def test_a_measurement_is_kept_beside_the_model_and_read_back(tmp_path: Path) -> None:
    gates = GateFile.load(write_gates(tmp_path))
    folder = build_model(tmp_path / "store", "first")
    made = gauge(folder, gates, command="prefilter model gauge first")
    made.save(place_of(folder))
    kept = Measurement.load(tmp_path / "store" / "first.gauge.json")
    assert kept == made
    assert kept_or_made(folder, gates, again="") == made
    assert kept.machine["cores"]
    assert kept.basis.keys() >= {"suite checks", "policy model-output"}
    assert verify(folder).name == "first"


def test_a_measurement_holds_no_text_and_no_path(tmp_path: Path) -> None:
    gates = GateFile.load(write_gates(tmp_path))
    folder = build_model(tmp_path / "store", "first")
    kept_or_made(folder, gates, again="prefilter model gauge first")
    said = place_of(folder).read_text(encoding="utf-8")
    assert str(tmp_path) not in said
    assert "library" not in said


def test_a_measurement_is_of_one_manifest_and_answers_its_gates(tmp_path: Path) -> None:
    gates = GateFile.load(write_gates(tmp_path))
    folder = build_model(tmp_path / "store", "first")
    made = gauge(folder, gates)
    made.check(folder, gates)
    with pytest.raises(GaugeError, match="for other gates"):
        dataclasses.replace(made, asked=made.asked[1:]).check(folder, gates)
    with pytest.raises(GaugeError, match="with other files"):
        made.check(build_model(tmp_path / "store", "second", flips=0.9), gates)


def test_a_measurement_outlives_a_fast_stage_and_its_certificates(tmp_path: Path) -> None:
    gates = GateFile.load(write_gates(tmp_path))
    folder = build_model(tmp_path / "store", "first")
    made = gauge(folder, gates)
    made.check(add_fast_stage(folder, {"hate": 0.5}), gates)


def test_gates_over_the_manifest_alone_need_no_suite(tmp_path: Path) -> None:
    text = '[[gate]]\nname = "f"\nmetrics = ["manifest.int8.flips"]\nbetter = "lower"\nmost = 0.1\n'
    gates = GateFile.load(write_gates(tmp_path, text))
    made = gauge(build_model(tmp_path / "store", "first", flips=0.01), gates)
    assert made.metrics["manifest.int8.flips"].value == 0.01


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "metrics": {"x": 1}}'])
def test_a_file_that_is_no_measurement_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "first.gauge.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GaugeError, match=r"first\.gauge\.json: not a measurement"):
        Measurement.load(path)


def test_a_shipped_measurement_is_of_the_shipped_files_and_the_live_model_holds_its_gates() -> None:
    gates, live = GateFile.load(), live_name()
    for path in sorted(store_dir().glob("*.gauge.json")):
        kept = Measurement.load(path)
        kept.check(store_dir() / path.name.removesuffix(".gauge.json"), gates)
        if kept.model == live:
            assert [f.metric for f in compare(gates.gates, kept.metrics, None) if f.fell] == []
