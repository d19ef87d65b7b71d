"""`prefilter migrate`: a sample with stored scores in; how ours relate, and a policy that does as much, out."""

from __future__ import annotations

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulk_fakes import rows_of, write_lines
from prefilter.cli.main import main
from prefilter.serving.policy.policy_file import load_toml

PAGE = Path(__file__).parent.parent / "docs" / "perspective.md"
CANARY = "canary text that no message may repeat"
WHO = ("The librarian", "My neighbour", "A gardener", "The bus driver", "Our teacher", "A stranger")
DID = (
    "opened the window.",
    "was rude to the whole queue.",
    "sang an old song.",
    "called the cook a silly fool.",
    "mended the fence.",
    "swore at the broken printer.",
    "told a story of a battle.",
)
TEXTS = [f"{who} {did}" for who in WHO for did in DID]
THEIRS = [round(((5 * row) % 42 + 0.5) / 42, 4) for row in range(42)]
FLAGGED = sum(score >= 0.7 for score in THEIRS)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as JSONL with the real model's scores of it beside it."""
    folder = tmp_path_factory.mktemp("sample")
    labels = ["yes" if "rude" in text or "fool" in text or "swore" in text else "no" for text in TEXTS]
    rows = zip(TEXTS, THEIRS, labels, strict=True)
    write_lines(
        folder / "sample.jsonl",
        *({"text": t, "TOXICITY": s, "THREAT": s, "SEVERE_TOXICITY": s, "judged": y} for t, s, y in rows),
    )
    arguments = ["--exact", "--policy", "monitor-only", "--workers", "1"]
    assert main(["score", str(folder / "sample.jsonl"), "-o", str(folder / "scores.parquet"), *arguments]) == 0
    return folder


@pytest.fixture(autouse=True)
def _home(scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFILTER_HOME", str(tmp_path / "var"))
    monkeypatch.delenv("PREFILTER_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("sample.jsonl", "scores.parquet"):
        (tmp_path / name).symlink_to(scored / name)


def migrate(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Run the command and return its document."""
    assert main(["migrate", *arguments, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return document


def test_the_model_here_and_its_stored_scores_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    here = migrate(capsys, "sample.jsonl", "--edge", "TOXICITY=0.7")
    stored = migrate(capsys, "sample.jsonl", "--edge", "TOXICITY=0.7", "--scores", "scores.parquet", "-o", "kept.json")
    assert here == stored == json.loads(Path("kept.json").read_text())
    (line,) = here["attributes"]["TOXICITY"]["edges"]
    assert line["theirs"]["volume"]["hits"] == line["matched"]["volume"]["volume"]["hits"] == FLAGGED
    assert list(here["attributes"]) == ["TOXICITY", "SEVERE_TOXICITY", "THREAT"]


@pytest.mark.parametrize("options", [["--edge", "TOXICITY=0.7"], ["--block-edge", "TOXICITY=0.7"]])
def test_the_policy_written_acts_on_as_many_rows_as_they_did(options: list[str]) -> None:
    assert main(["migrate", "sample.jsonl", "--scores", "scores.parquet", *options, "--policy-out", "moved.toml"]) == 0
    assert main(["decide", "scores.parquet", "-o", "out.parquet", "--policy", "moved.toml"]) == 0
    outcome = "review" if options[0] == "--edge" else "block"
    assert [row["outcome"] for row in rows_of(Path("out.parquet"))].count(outcome) == FLAGGED
    assert main(["policy", "apply", "moved.toml", "--reason", "moved over"]) == 0


def test_a_policy_only_watches_until_it_is_told_to_act() -> None:
    command = ["migrate", "sample.jsonl", "--scores", "scores.parquet", "--edge", "TOXICITY=0.7", "--policy-out"]
    assert main([*command, "watch.toml"]) == main([*command, "act.toml", "--enforce"]) == 0
    assert (load_toml("watch.toml").enforced, load_toml("act.toml").enforced) == (False, True)
    assert load_toml("watch.toml").name == "watch"


def test_a_derived_score_is_compared_but_has_no_band(capsys: pytest.CaptureFixture[str]) -> None:
    edges = ["--edge", "SEVERE_TOXICITY=0.7", "--edge", "TOXICITY=0.7", "--policy-out", "moved.toml"]
    document = migrate(capsys, "sample.jsonl", "--scores", "scores.parquet", *edges)
    found = document["attributes"]["SEVERE_TOXICITY"]
    assert (found["ours"], found["derived"]) == (None, True)
    assert found["edges"][0]["matched"]["volume"]["volume"]["hits"] == FLAGGED
    assert document["together"]["left_out"] == ["SEVERE_TOXICITY"]
    assert list(load_toml("moved.toml").categories) == ["toxicity"]
    assert "# No band for SEVERE_TOXICITY from 0.7" in Path("moved.toml").read_text()


def test_a_score_that_may_not_block_alone_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    document = migrate(capsys, "sample.jsonl", "--scores", "scores.parquet", "--block-edge", "THREAT=0.7")
    assert "uncalibrated" in [note["code"] for note in document["attributes"]["THREAT"]["edges"][0]["notes"]]


def test_labels_match_by_recall_and_by_precision_too(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--scores", "scores.parquet", "--edge", "TOXICITY=0.7", "--label-column", "TOXICITY=judged"]
    document = migrate(capsys, "sample.jsonl", *options, "--match", "recall", "--policy-out", "moved.toml")
    found = document["attributes"]["TOXICITY"]
    assert found["labels"] == {"harmful": 18, "benign": 24}
    matched = found["edges"][0]["matched"]
    assert matched["recall"]["recall"]["hits"] == found["edges"][0]["theirs"]["recall"]["hits"]
    assert load_toml("moved.toml").categories["toxicity"].review == pytest.approx(matched["recall"]["edge"])


def test_stored_answers_say_the_same_as_columns(capsys: pytest.CaptureFixture[str]) -> None:
    summary = [{"TOXICITY": {"summaryScore": {"value": score, "type": "PROBABILITY"}}} for score in THEIRS]
    answers = [{"attributeScores": one, "languages": ["en"]} for one in summary]
    write_lines(Path("bare.jsonl"), *({"text": t, **a} for t, a in zip(TEXTS, answers, strict=True)))
    write_lines(Path("whole.jsonl"), *({"text": t, "kept": a} for t, a in zip(TEXTS, answers, strict=True)))
    with Path("whole.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "kept"), *zip(TEXTS, map(json.dumps, answers), strict=True)])
    columns = migrate(capsys, "sample.jsonl", "--scores", "scores.parquet")["attributes"]["TOXICITY"]
    for name, options in (("bare.jsonl", []), ("whole.jsonl", ["kept"]), ("whole.csv", ["kept"])):
        more = [part for option in options for part in ("--response-column", option)]
        assert migrate(capsys, name, "--scores", "scores.parquet", *more)["attributes"]["TOXICITY"] == columns


def test_a_score_kept_in_four_bytes_meets_its_edge(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = pa.array([0.7] * 20 + [0.1] * 22, pa.float32())
    assert float(np.float32(0.7)) < 0.7
    pq.write_table(pa.table({"text": TEXTS, "toxicity": theirs}), "sample.parquet")
    document = migrate(
        capsys,
        *("sample.parquet", "--scores", "scores.parquet"),
        *("--their-column", "TOXICITY=toxicity", "--edge", "TOXICITY=0.7"),
    )
    assert document["attributes"]["TOXICITY"]["edges"][0]["theirs"]["volume"]["hits"] == 20


def test_rows_without_a_text_or_without_english_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    german = "Der Zug fährt heute leider eine halbe Stunde später ab als sonst."
    rows = [{"text": text, "TOXICITY": score} for text, score in zip(TEXTS, THEIRS, strict=True)]
    write_lines(Path("mixed.jsonl"), *rows, {"TOXICITY": 0.9}, {"text": german, "TOXICITY": 0.9})
    document = migrate(capsys, "mixed.jsonl", "--edge", "TOXICITY=0.7")
    assert (document["rows"], document["scored"], document["errors"]) == (44, 42, 1)
    assert document["unscored"] == {"unreadable_language": 1}
    assert document["attributes"]["TOXICITY"]["n"] == 42


def test_too_few_rows_are_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(Path("few.jsonl"), {"text": TEXTS[0], "TOXICITY": 0.9}, {"text": TEXTS[1], "TOXICITY": 0.2})
    document = migrate(capsys, "few.jsonl", "--edge", "TOXICITY=0.7")
    assert document["attributes"]["TOXICITY"]["notes"][0]["code"] == "too_few_rows"
    assert document["together"] is None
    assert main(["migrate", "few.jsonl", "--edge", "TOXICITY=0.7", "--policy-out", "moved.toml"]) == 2
    assert not Path("moved.toml").exists()


def test_the_tables_name_edges_costs_and_both_together(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--edge", "TOXICITY=0.7", "--label-column", "TOXICITY=judged", "--scores", "scores.parquet"]
    assert main(["migrate", "sample.jsonl", *options]) == 0
    said = capsys.readouterr().out
    for words in ("theirs (review)", "ours, same volume", "ours, same recall", "quantile", "All edges together"):
        assert words in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["sample.jsonl", "--edge", "RUDENESS=0.7"], "an edge names one of TOXICITY"),
        (["sample.jsonl", "--edge", "TOXICITY=7"], "an edge is a number from 0 to 1"),
        (["sample.jsonl", "--edge", "TOXICITY"], "an edge says what it is for TOXICITY"),
        (["sample.jsonl", "--edge", "INSULT=0.7"], "no row has a score of INSULT"),
        (["sample.jsonl", "--their-column", "INSULT=nope"], "no row has a column 'nope'"),
        (["sample.jsonl", "--policy-out", "moved.toml"], "--policy-out needs an --edge"),
        (["sample.jsonl", "--edge", "TOXICITY=0.7", "--policy-out", "moved.json"], "ends in .toml"),
        (["sample.jsonl", "--match", "luck"], "--match is volume, recall or precision"),
        (
            ["sample.jsonl", "--edge", "TOXICITY=0.9", "--block-edge", "TOXICITY=0.7", "--policy-out", "moved.toml"],
            "must not lie above",
        ),
        (
            ["sample.jsonl", "--edge", "TOXICITY=0.9", "--edge", "TOXICITY=0.7", "--policy-out", "moved.toml"],
            "one review edge for TOXICITY",
        ),
        (["odd.jsonl", "--edge", "TOXICITY=0.7"], "odd.jsonl line 1: TOXICITY is no number from 0 to 1"),
        (["sample.jsonl", "--label-column", "TOXICITY=text"], "sample.jsonl line 1: text is no label"),
        (["odd.jsonl", "--response-column", "kept"], "odd.jsonl line 1: kept is not a stored answer"),
        (["few.jsonl", "--scores", "scores.parquet"], "holds other rows than the sample"),
        (["sample.jsonl", "--scores", "fast.parquet"], "42 rows have the fast stage's estimates"),
    ],
)
def test_what_cannot_be_is_refused_without_a_word_of_the_text(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {"text": CANARY, "TOXICITY": CANARY, "kept": CANARY}
    write_lines(Path("odd.jsonl"), {key: value for key, value in odd.items() if key in ("text", *kept(arguments))})
    write_lines(Path("few.jsonl"), {"text": TEXTS[0], "TOXICITY": 0.9})
    table = pq.read_table("scores.parquet")
    stage = pa.array(["fast"] * table.num_rows)
    pq.write_table(table.set_column(table.schema.get_field_index("stage"), "stage", stage), "fast.parquet")
    assert main(["migrate", *arguments]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert CANARY not in said


def kept(arguments: list[str]) -> tuple[str, ...]:
    """Which broken columns the file of this case has: only the one that is at issue."""
    return ("kept",) if "kept" in arguments else ("TOXICITY",)


# --- the page -----------------------------------------------------------------------------------------


def test_the_commands_of_the_page_work_in_order(scored: Path) -> None:
    rows = map(json.loads, (scored / "sample.jsonl").read_text().splitlines())
    write_lines(Path("comments.jsonl"), *({**row, "INSULT": row["TOXICITY"]} for row in rows))
    blocks = re.findall(r"^```sh\n(prefilter .+?)```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 4
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0
    assert load_toml("moved.toml").categories.keys() == {"toxicity", "insult"}
    assert json.loads(Path("report.json").read_text())["attributes"]["TOXICITY"]["labels"]["harmful"] == 18


def test_the_pages_table_is_what_was_measured() -> None:
    document = json.loads((PAGE.parent / "perspective" / "held_out.json").read_text())
    page = PAGE.read_text(encoding="utf-8")
    for name, body in document["attributes"].items():
        (row,) = re.findall(rf"^\| `{name}` \| (?:`{body['ours']}`|derived) \| (.+) \|$", page, re.M)
        cells = row.split(" | ")
        edges = [line["matched"]["volume"] for line in body["edges"]]
        assert cells[0].startswith(f"{body['spearman']['value']:.2f} (")
        said = ["none flagged" if edge is None else f"{edge['edge']:.2f}" for edge in edges]
        assert [cell.partition(" (")[0] for cell in cells[1:5]] == said
        at = body["edges"][2]["theirs"]["volume"]["hits"]
        assert cells[6] == f"{edges[2]['agreement']['both']['n']} of {at}"
    assert f"{document['rows']:,} prompts" in page
    assert document["model_version"] in page
