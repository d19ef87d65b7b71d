"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bulk_fakes import artefact, rows_of, write_lines
from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from gate_samples import write_gates
from prefilter.cli.main import main
from prefilter.serving.policy.presets import load_preset

__all__ = ["artefact"]
CANARY = "canary text that no message may repeat"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artefact: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFILTER_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("PREFILTER_MODEL", str(artefact))
    monkeypatch.delenv("PREFILTER_DATABASE_URL", raising=False)
    write_lines(
        tmp_path / "in.jsonl", *({"text": t} for t in (CLEAN_TEXT, BORDERLINE_TEXT, HARMFUL_TEXT, CANARY))
    )


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_help_is_there_in_half_a_second() -> None:
    command = [sys.executable, "-m", "prefilter", "--help"]
    subprocess.run(command, check=True, capture_output=True)
    started = time.process_time(), os.times().children_user
    subprocess.run(command, check=True, capture_output=True)
    assert os.times().children_user - started[1] < 0.5


def test_help_imports_no_model_no_database_and_no_server() -> None:
    program = "import sys, prefilter.cli.main; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"numpy", "pyarrow", "onnxruntime", "sqlalchemy", "fastapi", "tokenizers"} & set(loaded)


def test_score_writes_the_file_and_counts_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "in.jsonl", "-o", "out.parquet", "--workers", "1"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "4 rows: 2 allow, 1 review, 1 block, 0 error → out.parquet\n")
    assert [row["outcome"] for row in rows_of(Path("out.parquet"))] == ["allow", "review", "block", "allow"]


def test_broken_rows_are_rows_and_no_failure() -> None:
    write_lines(Path("bad.jsonl"), "{", {"text": CLEAN_TEXT}, {"text": 1})
    assert main(["score", "bad.jsonl", "-o", "out.jsonl"]) == 0
    assert [row["error"] is None for row in rows_of(Path("out.jsonl"))] == [False, True, False]


def test_columns_go_by_the_names_given() -> None:
    write_lines(Path("own.jsonl"), {"body": BORDERLINE_TEXT, "key": "k", "lang": "de", "stream": "chat"})
    options = [
        "--text-column",
        "body",
        "--id-column",
        "key",
        "--language-column",
        "lang",
        "--source-column",
        "stream",
    ]
    assert main(["score", "own.jsonl", "-o", "out.jsonl", *options]) == 0
    (row,) = rows_of(Path("out.jsonl"))
    assert (row["id"], row["source"], row["because"]) == ("k", "chat", '[{"reason":"unreadable_language"}]')


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["score", "none.jsonl", "-o", "out.parquet"], 2, "none.jsonl: no such file"),
        (["score", "in.jsonl", "-o", "out.xls"], 2, "out.xls: this name stands for no known format"),
        (["score", "in.jsonl", "-o", "out.parquet", "--policy", "nope"], 2, "policy nope: neither a preset"),
        (["score", "in.jsonl", "-o", "out.parquet", "--model", "nope"], 2, "no model 'nope'"),
        (["score", "in.jsonl", "-o", "out.parquet", "--unordered"], 2, "--unordered is for --engine ray"),
        (["score", "in.jsonl", "-o", "out.parquet", "--engine", "other"], 2, "local or ray"),
        (["score", "cut.parquet", "-o", "out.parquet"], 1, "cut.parquet: truncated"),
        (["score", "no.csv", "-o", "out.parquet"], 1, "no.csv: no column 'text'"),
        (["decide", "in.jsonl", "-o", "out.parquet", "--policy", "model-output"], 1, "in.jsonl"),
        (["certify"], 2, "not in this release"),
        (["train", "none.toml"], 2, "none.toml: no such recipe"),
        (["policy", "activate", "model-output", "--reason", "x"], 2, "needs NAME@VERSION"),
        (["policy", "show", "nope"], 1, "no such active policy"),
        (["key", "revoke", "--name", "nobody"], 1, "no such key"),
        (["key", "create", "--role", "king", "--name", "x"], 1, "role is one of"),
        (["model", "promote", "nope", "--store", "."], 2, "no model 'nope'"),
        (["model", "rollback", "--store", "."], 2, "names no model before"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    arguments: list[str], code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cut.parquet").write_bytes(b"PAR1cut off")
    Path("no.csv").write_text("body\none\n", encoding="utf-8")
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("prefilter: ")
    assert complaint in err
    assert len(err.splitlines()) == 1


def test_what_does_not_work_yet_is_not_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert {"score", "evaluate"} <= listed
    assert "certify" not in listed
    assert main(["certify", "--policy", "model-output", "--miss", "0.01"]) == 2
    assert "not in this release" in capsys.readouterr().err


def test_an_unknown_command_or_option_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scoer"]) == 2
    assert main(["score", "in.jsonl"]) == 2


def test_no_message_repeats_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    broken = [
        f'{{"text": "{CANARY}"',
        f'{{"text": "{CANARY}\\ud800"}}',
        f'{{"text": ["{CANARY}"]}}',
        f'["{CANARY}"]',
    ]
    write_lines(Path("bad.jsonl"), *broken, f'{{"text": "{CANARY}", "id": ["{CANARY}"]}}')
    main(["score", "bad.jsonl", "-o", "out.jsonl"])
    main(["decide", "bad.jsonl", "-o", "again.jsonl", "--policy", "model-output"])
    assert CANARY not in "".join(capsys.readouterr()) + Path("out.jsonl").read_text(encoding="utf-8")


def test_a_missing_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "prefilter.classifier.training.trainer", raising=False)
    Path("recipe.toml").touch()
    assert main(["train", "recipe.toml"]) == 1
    assert "pip install 'harm-prefilter[train]'" in capsys.readouterr().err


def test_a_terminal_sees_a_bar_with_rate_and_time_left(artefact: Path) -> None:
    write_lines(Path("many.jsonl"), *({"text": f"{CLEAN_TEXT} {n}"} for n in range(2000)))
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "prefilter",
        "score",
        "many.jsonl",
        "-o",
        "out.parquet",
        "--workers",
        "1",
    ]
    with subprocess.Popen(command, stderr=theirs, stdout=theirs) as process:
        os.close(theirs)
        seen = b""
        while process.poll() is None or not seen.endswith(b"out.parquet\r\n"):
            try:
                seen += os.read(ours, 65536)
            except OSError:
                break
    os.close(ours)
    assert b"/2000 [" in seen
    assert b" rows/s" in seen


def test_cases_are_opened_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "in.jsonl", "-o", "out.parquet", "--cases"]) == 0
    assert main(["cases", "import", "out.parquet", "--input", "in.jsonl"]) == 0
    err = capsys.readouterr().err.splitlines()
    assert err[1:] == ["1 cases opened, 0 were there already", "0 cases opened, 1 were there already"]
    assert main(["audit", "verify"]) == 0
    assert main(["erase", "1"]) == 0
    assert last_line(capsys) == "erased the texts of 1 cases"
    assert main(["purge"]) == 0


def test_a_key_stands_alone_on_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "create", "--role", "reviewer", "--name", "ann"]) == 0
    first = last_line(capsys)
    assert main(["key", "rotate", "--name", "ann"]) == 0
    second = last_line(capsys)
    assert first != second
    assert first.startswith("pf_")
    assert second.startswith("pf_")
    assert main(["key", "revoke", "--name", "ann"]) == 0
    assert main(["key", "list"]) == 0
    assert last_line(capsys).split()[:2] == ["ann", "reviewer"]


def test_a_broken_audit_chain_fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import sqlite3

    main(["key", "create", "--role", "lead", "--name", "ann"])
    with sqlite3.connect(tmp_path / "var" / "prefilter.db") as database:
        database.execute("UPDATE audit SET actor = 'someone' WHERE seq = 1")
    database.close()
    assert main(["audit", "verify"]) == 1
    assert last_line(capsys) == "broken at entry 1"


def test_an_audit_sees_what_was_edited_beside_the_chain_and_an_end_that_was_cut(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import sqlite3

    main(["key", "create", "--role", "lead", "--name", "ann"])
    assert main(["audit", "verify", "--head", "0" * 64]) == 0
    assert main(["audit", "verify", "--head", "f" * 64]) == 1
    assert "cut or rewritten" in last_line(capsys)
    with sqlite3.connect(tmp_path / "var" / "prefilter.db") as database:
        database.execute("UPDATE keys SET role = 'admin'")
    database.close()
    assert main(["audit", "verify"]) == 1
    assert "not the name and role" in last_line(capsys)


def test_a_policy_is_exported_changed_applied_activated_and_rolled_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["policy", "show", "model-output@1"]) == 0
    body = json.loads(capsys.readouterr().out)
    body["categories"]["hate"]["review"] = 0.25
    Path("model-output@2.json").write_text(json.dumps(body), encoding="utf-8")
    assert main(["policy", "diff", "model-output@1", "model-output@2.json"]) == 0
    assert capsys.readouterr().out == "categories.hate.review: 0.4 → 0.25\n"
    assert main(["policy", "apply", "model-output@2.json", "--reason", "a trial"]) == 0
    assert last_line(capsys) == "model-output@2"
    assert main(["policy", "activate", "model-output@2", "--reason", "a trial"]) == 0
    assert main(["policy", "rollback", "model-output", "--reason", "enough"]) == 0
    assert last_line(capsys) == "active: model-output@1"
    assert main(["policy", "list"]) == 0


def test_an_exported_policy_decides_without_the_database(capsys: pytest.CaptureFixture[str]) -> None:
    body = {"name": "calm", "version": 7, **load_preset("monitor-only").to_body()}
    Path("calm@7.json").write_text(json.dumps(body), encoding="utf-8")
    assert main(["score", "in.jsonl", "-o", "scores.parquet"]) == 0
    assert main(["decide", "scores.parquet", "-o", "out.jsonl", "--policy", "calm@7"]) == 0
    assert {row["policy_version"] for row in rows_of(Path("out.jsonl"))} == {"calm@7"}
    assert not Path("var").exists()


def test_models_are_listed_verified_promoted_and_rolled_back(capsys: pytest.CaptureFixture[str]) -> None:
    store, gates = Path("store"), str(write_gates(Path()))
    for name in ("fake-1", "fake-2"):
        build_artefact(store / name, name=name)
        assert main(["model", "promote", name, "--store", "store", "--gates", gates]) == 0
    assert main(["model", "rollback", "--store", "store"]) == 0
    assert main(["model", "list", "--store", "store"]) == 0
    assert [line.split()[:3] for line in capsys.readouterr().out.splitlines()[-2:]] == [
        ["fake-1", "fake-1", "live"],
        ["fake-2", "fake-2", "candidate"],
    ]
    (store / "fake-2" / "calibration.json").write_text("{}", encoding="utf-8")
    assert main(["model", "promote", "fake-2", "--store", "store", "--gates", gates]) == 1
    assert "calibration.json: sha256 differs" in capsys.readouterr().err


def test_the_python_door_opens_from_a_folder_with_rooms_of_its_own(tmp_path: Path, artefact: Path) -> None:
    for name in ("models", "eval", "serving"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError", encoding="utf-8")
    program = "from prefilter import Scorer; print(Scorer.load().score(['The library opens.'])[0].windows)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert main(["score", "in.jsonl", "-o", "out.parquet", "--workers", "2"]) == 0
