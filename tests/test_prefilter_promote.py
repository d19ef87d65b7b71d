"""`prefilter model promote`: a model that regresses does not become live, and the table says what failed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gate_samples import BLIND, GATES, NEARLY, build_model, write_gates
from prefilter.cli.main import main
from prefilter.eval.card.table import NONE
from prefilter.models.calibrator import Curve
from prefilter.models.registry import list_models, live_name

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFILTER_HOME", str(tmp_path / "var"))
    for name in ("PREFILTER_MODEL", "PREFILTER_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    write_gates(tmp_path)
    build_model(Path("store"), "first")
    assert promote("first") == 0


def promote(name: str, *more: str) -> int:
    return main(["model", "promote", name, "--store", "store", "--gates", "gates.toml", *more])


def table(capture: Capture) -> list[list[str]]:
    """The cells of the last table printed."""
    lines = capture.readouterr().out.splitlines()
    start = max(i for i, line in enumerate(lines) if line.startswith("gate "))
    return [re.split(r"  +", line) for line in lines[start + 1 :] if not line.startswith("live: ")]


def test_an_equal_model_is_promoted_and_measured_on_the_way(capsys: Capture) -> None:
    build_model(Path("store"), "second")
    assert promote("second") == 0
    assert "live: second (before: first)" in capsys.readouterr().out
    assert live_name(Path("store")) == "second"
    kept = json.loads(Path("store/second.gauge.json").read_bytes())
    assert kept["command"].startswith("prefilter model gauge second")


def test_a_model_that_regresses_is_refused_and_the_table_names_what_fell(capsys: Capture) -> None:
    build_model(Path("store"), "second", insult=BLIND)
    assert promote("second") == 1
    out, err = capsys.readouterr()
    assert err.endswith("second is not promoted: 1 of 6 gated metrics fell; live: first\n")
    assert live_name(Path("store")) == "first"
    fell = [line for line in out.splitlines() if "worse than" in line or "beyond its" in line]
    assert len(fell) == 1
    assert re.match(r"ranking +checks\.categories\.insult\.auprc +1\.0000 +0\.3333 .*beyond its", fell[0])


def test_what_fell_stands_first_and_every_metric_on_request(capsys: Capture) -> None:
    build_model(Path("store"), "second", hate=BLIND)
    capsys.readouterr()
    assert promote("second", "--all") == 1
    rows = table(capsys)
    assert [(row[1].split(".")[-2], row[-1]) for row in rows] == [
        ("doubtful_h", "worse than live"),
        ("hate", "beyond its bound"),
        ("clean_nh", "holds"),
        ("insult", "holds"),
        ("toxicity", "holds"),
        ("int8", "optional, not there"),
    ]


def test_a_better_model_is_promoted(capsys: Capture) -> None:
    build_model(Path("store"), "second", hate=Curve(1.0, 1.0, -0.1))
    assert promote("second") == 0
    assert next(row for row in table(capsys) if row[0] == "accuracy")[-1] == "2 hold, this one closest"


def test_a_loss_within_the_interval_is_promoted(capsys: Capture) -> None:
    build_model(Path("store"), "better", hate=NEARLY)
    assert promote("better") == 0
    assert promote("first", "--all") == 0
    (row,) = [row for row in table(capsys) if "doubtful_h" in row[1]]
    assert float(row[2]) > float(row[3].split()[0])


def test_a_metric_that_is_gone_is_a_fall(capsys: Capture) -> None:
    build_model(Path("store"), "second", flips=0.001)
    assert promote("second") == 0
    build_model(Path("store"), "third")
    assert promote("third") == 1
    assert table(capsys)[0] == ["flips", "manifest.int8.flips", "0.0010", NONE, "≤ 0.0200", "not measured"]
    assert live_name(Path("store")) == "second"


def test_the_first_model_of_a_store_meets_the_bounds_alone(capsys: Capture) -> None:
    Path("store/live.json").unlink()
    build_model(Path("store"), "second", flips=0.5)
    assert promote("second") == 1
    assert "live: none" in capsys.readouterr().err
    build_model(Path("store"), "third", flips=0.01)
    assert promote("third") == 0


def test_a_measurement_of_other_files_is_refused(capsys: Capture) -> None:
    build_model(Path("store"), "second")
    assert main(["model", "gauge", "second", "--store", "store", "--gates", "gates.toml"]) == 0
    build_model(Path("store"), "second", insult=BLIND)
    assert promote("second") == 1
    assert "second was measured with other files than these; measure it: prefilter model gauge second " in (
        capsys.readouterr().err
    )
    assert live_name(Path("store")) == "first"


def test_a_measurement_for_other_gates_is_refused(capsys: Capture) -> None:
    more = '[[gate]]\nname = "more"\nmetrics = ["suites.checks.any.auprc"]\nbetter = "higher"\nleast = 0.1\n'
    write_gates(Path(), GATES + more)
    assert promote("first") == 1
    assert "first was measured for other gates than gates.toml" in capsys.readouterr().err


def test_models_measured_on_different_rows_are_not_compared(capsys: Capture) -> None:
    write_gates(Path(), GATES.replace('role = "hatecheck"', 'role = "hatecheck"\nmax_rows = 80'))
    build_model(Path("store"), "second")
    assert promote("second") == 1
    said = capsys.readouterr().err
    assert "second and first were measured on different suite checks; measure the older one again" in said
    assert "prefilter model gauge first --store store" in said


def test_without_the_suites_it_says_which_command_measures(capsys: Capture) -> None:
    build_model(Path("store"), "second")
    Path("checks.parquet").rename("away")
    assert promote("second") == 1
    said = capsys.readouterr().err
    assert "measure it: prefilter model gauge second --store store --gates gates.toml" in said
    assert main(["model", "promote", "second", "--store", "store"]) == 1
    assert "set PREFILTER_DATA_DIR" in capsys.readouterr().err


def test_a_changed_model_is_refused_before_anything_is_measured(capsys: Capture) -> None:
    folder = build_model(Path("store"), "second")
    (folder / "calibration.json").write_text("{}", encoding="utf-8")
    assert promote("second") == 1
    assert "calibration.json: sha256 differs" in capsys.readouterr().err
    assert not Path("store/second.gauge.json").exists()


def test_rolling_back_asks_no_gate() -> None:
    build_model(Path("store"), "second")
    assert promote("second") == 0
    build_model(Path("store"), "first", insult=BLIND)
    assert main(["model", "rollback", "--store", "store"]) == 0
    assert live_name(Path("store")) == "first"


def test_a_live_model_that_is_gone_is_no_free_pass(capsys: Capture) -> None:
    build_model(Path("store"), "second")
    Path("store/first").rename("store/.away")
    assert promote("second") == 2
    assert "the live model 'first' is not in store" in capsys.readouterr().err


def test_a_measurement_beside_a_model_is_no_model() -> None:
    assert [model.name for model in list_models(Path("store"))] == ["first"]


@pytest.mark.parametrize(
    ("gates", "complaint"), [("none.toml", "No such file"), ("checks.parquet", "not TOML")]
)
def test_a_wrong_gates_file_is_one_line(gates: str, complaint: str, capsys: Capture) -> None:
    assert main(["model", "promote", "first", "--store", "store", "--gates", gates]) == 1
    assert complaint in capsys.readouterr().err


def test_a_broken_measurement_is_named(capsys: Capture) -> None:
    Path("store/first.gauge.json").write_text('{"format": 2}', encoding="utf-8")
    assert promote("first") == 1
    assert "first.gauge.json: not a measurement of format 1" in capsys.readouterr().err
