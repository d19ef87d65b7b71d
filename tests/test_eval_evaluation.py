"""`prefilter evaluate`: the document others rely on, exit codes, and a report that leaks no text."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eval_samples import UNKNOWN, write_mixed, write_suite
from fakes import CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from prefilter.eval.card.report_files import write_report
from prefilter.eval.evaluation import evaluate
from prefilter.eval.judge.suite_judge import judge
from prefilter.eval.rivals.published import published
from prefilter.eval.suites.suite_plan import Entry, Role, planned_suites, role_of

KEYS = {"n", "positives", "auroc", "auprc", "recall_at_1pct_fpr", "ece", "ci95"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return build_artefact(tmp_path / "model")


def run(capsys: pytest.CaptureFixture[str], *targets: object, **options: Any) -> dict[str, Any]:
    """Evaluate with --json and return the document of the last line."""
    assert evaluate([str(t) for t in targets], json_out=True, no_cache=True, **options) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return document


def test_the_document_has_the_promised_shape(tmp_path: Path, model: Path, capsys: Any) -> None:
    document = run(capsys, write_mixed(tmp_path), model=model)
    suite = document["suites"]["mixed"]
    assert document["model_version"] == "fake-1"
    assert suite["n"] == 40
    assert set(suite["categories"]) == {"toxicity", "insult"}
    for measures in (*suite["categories"].values(), suite["any"]):
        assert measures.keys() >= KEYS
        assert len(measures["ci95"]["auprc"]) == 2
    assert suite["slices"]["source"].keys() == {"here", "there"}
    assert suite["slices"]["length"]


def test_unknown_labels_are_masked(tmp_path: Path, model: Path, capsys: Any) -> None:
    suite = run(capsys, write_mixed(tmp_path), model=model)["suites"]["mixed"]
    assert suite["categories"]["toxicity"]["n"] == 40
    assert suite["categories"]["insult"] | {"n": 30, "positives": 20} == suite["categories"]["insult"]
    assert suite["any"]["auroc"] == 1.0


def test_a_suite_of_one_class_has_nulls(tmp_path: Path, model: Path, capsys: Any) -> None:
    path = write_suite(tmp_path, "bad", text=[HARMFUL_TEXT, HARMFUL_TEXT], unsafe=[1.0, 1.0])
    measured = run(capsys, path, model=model)["suites"]["bad"]["any"]
    assert (measured["auroc"], measured["ci95"]["auroc"]) == (None, None)


def test_unscored_rows_are_counted_not_scored(tmp_path: Path, model: Path, capsys: Any) -> None:
    texts = [CLEAN_TEXT, HARMFUL_TEXT, "Это совсем другой язык.", " "]
    path = write_suite(tmp_path, "odd", text=texts, unsafe=[0.0, 1.0, 1.0, 0.0])
    suite = run(capsys, path, model=model)["suites"]["odd"]
    assert (suite["n"], suite["n_scored"], suite["n_unscored"], suite["n_errors"]) == (4, 2, 1, 1)
    assert (suite["any"]["n"], suite["any"]["n_unscored"]) == (2, 2)
    assert suite["error_codes"] == {"empty_text": 1}


def test_policies_are_judged_on_what_a_stream_meets(tmp_path: Path, model: Path, capsys: Any) -> None:
    suite = run(capsys, write_mixed(tmp_path), model=model)["suites"]["mixed"]
    point = suite["operating"]["model-output"]
    assert (point["harmful"], point["benign"]) == (20, 20)
    assert (point["miss_rate"], point["overblock_rate"]) == (0.0, 0.0)
    assert point["allow"] == 0.5


def test_two_files_of_one_name_are_told_apart(tmp_path: Path, model: Path, capsys: Any) -> None:
    first, second = write_mixed(tmp_path / "a"), write_mixed(tmp_path / "b")
    assert set(run(capsys, first, second, model=model)["suites"]) == {str(first), str(second)}


@pytest.mark.parametrize(
    ("targets", "options", "complaint"),
    [
        ([], {}, "name at least one suite"),
        (["nowhere.parquet"], {}, "nowhere.parquet: no such file"),
        (["mixed.parquet"], {"split": "valid"}, "no row has split 'valid'"),
        (["mixed.parquet", "mixed.parquet"], {}, "named twice"),
        (["mixed.parquet"], {"model": "no-such-model"}, "no-such-model"),
        (["mixed.parquet"], {"limit": 0}, "limit must be at least 1"),
        ([], {"all_suites": True, "split": "test"}, "its own splits"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, model: Path, capsys: Any, monkeypatch: Any, targets: list, options: dict, complaint: str
) -> None:
    write_mixed(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert evaluate(targets, no_cache=True, **{"model": model, **options}) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err
    assert err.count("\n") == 1


def test_without_a_place_for_scores_it_still_measures(tmp_path: Path, model: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("not a folder")
    path = write_mixed(tmp_path)
    assert evaluate([str(path)], model=model, cache_dir=tmp_path / "file" / "cache") == 0
    out, err = capsys.readouterr()
    assert "scores are not kept" in err
    assert "mixed" in out


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of one report by ending: the card and the tables behind it are one text."""
    folder = tmp_path_factory.mktemp("report")
    return a_report(folder, build_artefact(folder / "model"))


def a_report(tmp_path: Path, model: Path) -> dict[str, str]:
    """Write the report of four suites in their roles; returns its files by ending."""
    hatecheck = write_suite(
        tmp_path,
        "checks",
        text=[CLEAN_TEXT, HARMFUL_TEXT],
        functionality=["calm_nh", "rude_h"],
        hate=[0.0, 1.0],
    )
    bias = write_suite(
        tmp_path,
        "terms",
        text=[
            f"A {t} person is {w} {i}" for t in ("young", "old") for w in ("rude", "kind") for i in range(12)
        ],
        toxicity=[float(w == "rude") for _ in range(2) for w in ("rude", "kind") for _ in range(12)],
    )
    mixed = write_mixed(tmp_path, rows=60)
    benign = write_suite(tmp_path, "calm", text=[f"{CLEAN_TEXT} {i}" for i in range(30)], unsafe=[0.0] * 30)
    roles = {hatecheck: Role.HATECHECK, bias: Role.BIAS, mixed: Role.HARM, benign: Role.BENIGN}
    document, _ = judge([Entry(str(path), role) for path, role in roles.items()], model=model)
    found = write_report(tmp_path / "out.md", document)
    endings = {path.suffix for path in found}
    return {ending: "\n".join(p.read_text() for p in found if p.suffix == ending) for ending in endings}


def test_a_report_is_three_files_without_any_text_of_the_suites(report: dict[str, str]) -> None:
    assert set(report) == {".md", ".json", ".html"}
    for content in report.values():
        assert "library opens" not in content
        assert "rude thing" not in content
        assert "fake-1" in content


def test_the_page_needs_nothing_else(report: dict[str, str]) -> None:
    page = report[".html"]
    addresses = set(re.findall(r'(?:src|href)="([^"#][^"]*)"', page))
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert "<script" not in page
    assert page.count("<svg") == 5
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_page_shows_every_section(report: dict[str, str]) -> None:
    text = report[".md"]
    titles = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert titles[:2] == ["What it is, and for whom", "What the categories mean"]
    measured = {"One verdict of harm", "Categories", "HateCheck", "Identity bias", "False alarms"}
    assert measured | {"Known failures", "The shipped policies", "Beside published numbers"} <= set(titles)
    rows = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert min(rows) >= 3


def test_the_plan_trains_on_none_of_its_suites() -> None:
    from prefilter.classifier.corpus.sources import NEVER_TRAIN

    planned = {entry.target: entry for entry in planned_suites()}
    assert len(planned) == len(planned_suites())
    assert planned.keys() >= NEVER_TRAIN
    for name, entry in planned.items():
        assert entry.split == "test" or name in NEVER_TRAIN or name.endswith("_mhc"), name


def test_published_numbers_point_into_the_document(tmp_path: Path, model: Path, capsys: Any) -> None:
    assert role_of("hatecheck") is Role.HATECHECK
    assert role_of("my_own") is Role.HARM
    path = write_suite(
        tmp_path, "hatecheck", text=["a", "b"], functionality=["x_h", "x_h"], hate=[1.0, UNKNOWN]
    )
    document = run(capsys, path, model=model)
    found = {rival.set: rival.find_ours(document) for rival in published()}
    assert found["HateCheck, accuracy on all cases (%)"] == 0.0
    assert all(rival.ours or rival.note for rival in published())


def test_the_command_line_ends_with_one_document(tmp_path: Path, model: Path) -> None:
    path = write_mixed(tmp_path)
    words = [sys.executable, "-m", "prefilter", "evaluate", str(path), "--json", "--model", str(model)]
    environment = {**os.environ, "PREFILTER_HOME": str(tmp_path / "home")}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True)
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["suites"]["mixed"]["any"]["positives"] == 20
    assert str(tmp_path) not in document["command"]
