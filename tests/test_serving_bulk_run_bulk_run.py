"""The run: one row per row, in order, and whatever stops it, the file of an unbroken run in the end."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bulk_fakes import MILD, FileScorer, Stopping, artefact, errors_of, rows_of, spoken_run, write_lines
from fakes import HARMFUL_TEXT, build_artefact
from prefilter.models.labels import HEADS
from prefilter.models.scorer import Scorer
from prefilter.serving.bulk.bulk_errors import InputUnreadable, OutputBusy, RunDiffers, WrongRequest
from prefilter.serving.bulk.read.input_rows import Columns
from prefilter.serving.bulk.run.bulk_run import Run, score_files
from prefilter.serving.bulk.write.output_lock import sole_writer
from prefilter.serving.bulk.write.scores_table import COLUMNS
from prefilter.serving.policy.presets import load_preset

__all__ = ["artefact"]


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """250 rows of every kind."""
    kinds = [
        {"text": MILD, "id": "mild"},
        {"text": "threat=0.6 any=0.7"},
        {"text": "hate=0.99"},
        "not json",
        {"text": "foreign"},
    ]
    return write_lines(tmp_path / "in.jsonl", *(kind for _ in range(50) for kind in kinds))


def test_every_row_has_its_row_with_the_columns_that_others_rely_on(artefact: Path, spoken: Path) -> None:
    summary = spoken_run(artefact, [spoken], spoken.with_name("out.parquet"))
    table = pq.read_table(spoken.with_name("out.parquet"))
    assert tuple(table.schema.names) == COLUMNS
    assert table.schema.field("score_any").type == pa.float32()
    assert table.schema.field("evidence_start").type == pa.int64()
    assert table.column("outcome").to_pylist() == ["allow", "review", "block", None, "review"] * 50
    assert summary.to_line() == "250 rows: 50 allow, 100 review, 50 block, 50 error"


def test_a_row_says_why_and_by_whom_it_was_decided(artefact: Path, spoken: Path) -> None:
    spoken_run(artefact, [spoken], spoken.with_name("out.parquet"))
    row = rows_of(spoken.with_name("out.parquet"))[1]
    band = {"category": "threat", "score": float(np.float32(0.6)), "band": [0.35, 0.9]}
    assert json.loads(row["because"])[0] == band
    assert (row["id"], row["score_threat"], row["stage"]) == ("1", np.float32(0.6), "full")
    assert (row["model_version"], row["policy_version"]) == ("fake-1", "model-output@1")
    assert (row["evidence_start"], row["evidence_end"], row["enforced"]) == (0, 18, True)


def test_a_row_is_scored_by_what_its_text_answers(artefact: Path, tmp_path: Path) -> None:
    prompts = ["a question threat=0.6", None, " "]
    lines = write_lines(tmp_path / "in.jsonl", *({"text": MILD, "prompt": prompt} for prompt in prompts))
    spoken_run(artefact, [lines], tmp_path / "out.parquet", columns=Columns(context="prompt"))
    pair, alone, blank = rows_of(tmp_path / "out.parquet")
    assert [row["outcome"] for row in (pair, alone, blank)] == ["review", "allow", "allow"]
    assert [(row["context_seen"], row["context_total"]) for row in (pair, alone)] == [(2, 3), (None, None)]
    assert pair["tokens_total"] == alone["tokens_total"]


def test_the_file_and_the_scorer_give_a_pair_the_same_bits(artefact: Path, tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "in.jsonl", {"text": MILD, "prompt": HARMFUL_TEXT})
    run = Run(
        inputs=[lines],
        output=tmp_path / "out.parquet",
        policy=load_preset("model-output"),
        model=artefact,
        columns=Columns(context="prompt"),
    )
    score_files(run)
    (row,) = rows_of(run.output)
    alone = Scorer.load(artefact).score_one(MILD, context=HARMFUL_TEXT)
    assert {head: row[f"score_{head}"] for head in HEADS} == alone.scores


def test_a_model_that_reads_no_context_makes_the_row_an_error(artefact: Path, tmp_path: Path) -> None:
    lines = write_lines(
        tmp_path / "in.jsonl", {"text": MILD, "prompt": "why"}, {"text": MILD, "prompt": "a\ud800"}
    )
    deaf = FileScorer(reads_context=False)
    spoken_run(artefact, [lines], tmp_path / "out.parquet", scorer=deaf, columns=Columns(context="prompt"))
    unsupported, broken = errors_of(tmp_path / "out.parquet")
    assert unsupported is not None
    assert broken is not None
    assert unsupported["code"] == "context_unsupported"
    assert broken["code"] == "context_lone_surrogate"
    assert broken["message"].startswith("in.jsonl line 2: context has")


def test_another_context_column_does_not_go_on_with_old_parts(artefact: Path, spoken: Path) -> None:
    output = stopped(artefact, spoken)
    with pytest.raises(RunDiffers):
        spoken_run(artefact, [spoken], output, part_rows=40, columns=Columns(context="prompt"))


def test_an_error_has_no_outcome_and_an_unreadable_text_no_scores(artefact: Path, spoken: Path) -> None:
    spoken_run(artefact, [spoken], spoken.with_name("out.parquet"))
    broken, foreign = rows_of(spoken.with_name("out.parquet"))[3:5]
    assert json.loads(broken["error"]) == {
        "code": "broken_line",
        "message": "in.jsonl line 4: not valid JSON",
    }
    assert [broken[name] for name in ("outcome", "because", "score_any", "windows")] == [None] * 4
    assert json.loads(foreign["because"]) == [{"reason": "unreadable_language"}]
    assert all(foreign[f"score_{head}"] is None for head in HEADS)


def test_a_text_the_scorer_refuses_is_an_error_that_names_its_line(artefact: Path, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", {"text": MILD}, {"text": " "}, {"text": "a\ud800"})
    spoken_run(artefact, [path], tmp_path / "out.parquet")
    errors = list(errors_of(tmp_path / "out.parquet"))
    assert [error and error["code"] for error in errors] == [None, "empty_text", "lone_surrogate"]
    assert errors[1] is not None
    assert errors[1]["message"].startswith("in.jsonl line 2: ")


def test_a_scorer_that_fails_on_one_row_costs_only_that_row(artefact: Path, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", {"text": MILD}, {"text": "faulty"}, {"text": MILD})
    spoken_run(artefact, [path], tmp_path / "out.parquet")
    rows = rows_of(tmp_path / "out.parquet")
    assert [row["outcome"] for row in rows] == ["allow", "review", "allow"]
    assert json.loads(rows[1]["because"]) == [{"reason": "internal_fault"}]


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst"])
def test_jsonl_holds_the_very_values_of_parquet(artefact: Path, spoken: Path, name: str) -> None:
    spoken_run(artefact, [spoken], spoken.with_name("out.parquet"))
    spoken_run(artefact, [spoken], spoken.with_name(name))
    from prefilter.serving.bulk.write.scores_file import read_scores

    (ours,) = read_scores(spoken.with_name(name))
    assert ours.equals(pq.read_table(spoken.with_name("out.parquet")))


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl", "out.jsonl.gz", "out.jsonl.zst"])
@pytest.mark.parametrize("after", [0, 1, 65, 150, 199])
def test_a_run_that_was_stopped_ends_in_the_bytes_of_an_unbroken_one(
    artefact: Path, spoken: Path, name: str, after: int
) -> None:
    output, whole = spoken.with_name(name), spoken.with_name(f"whole_{name}")
    spoken_run(artefact, [spoken], whole, part_rows=40)
    with pytest.raises(KeyboardInterrupt):
        spoken_run(artefact, [spoken], output, part_rows=40, scorer=Stopping(after=after))
    assert not output.exists()
    spoken_run(artefact, [spoken], output, part_rows=40)
    assert output.read_bytes() == whole.read_bytes()
    assert not output.with_name(name + ".parts").exists()


def test_finished_parts_are_not_scored_again(artefact: Path, spoken: Path) -> None:
    output = spoken.with_name("out.parquet")
    with pytest.raises(KeyboardInterrupt):
        spoken_run(artefact, [spoken], output, part_rows=40, scorer=Stopping(after=150))
    scorer = FileScorer()
    assert spoken_run(artefact, [spoken], output, part_rows=40, scorer=scorer).resumed == 160
    assert len(scorer.seen) == 72


@pytest.mark.parametrize("damage", ["torn", "lost", "changed"])
def test_a_part_that_is_not_whole_is_made_again(artefact: Path, spoken: Path, damage: str) -> None:
    output, whole = spoken.with_name("out.parquet"), spoken.with_name("whole.parquet")
    spoken_run(artefact, [spoken], whole, part_rows=40)
    with pytest.raises(KeyboardInterrupt):
        spoken_run(artefact, [spoken], output, part_rows=40, scorer=Stopping(after=150))
    journal, part = (
        spoken.with_name("out.parquet.parts") / name for name in ("journal.jsonl", "part-000001.parquet")
    )
    if damage == "torn":
        journal.write_bytes(journal.read_bytes()[:-9])
    elif damage == "lost":
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:-1] + b"x")
    spoken_run(artefact, [spoken], output, part_rows=40)
    assert output.read_bytes() == whole.read_bytes()


def stopped(artefact: Path, spoken: Path) -> Path:
    output = spoken.with_name("out.parquet")
    with pytest.raises(KeyboardInterrupt):
        spoken_run(artefact, [spoken], output, part_rows=40, scorer=Stopping(after=150))
    return output


def test_another_policy_input_or_model_does_not_go_on_with_old_parts(
    artefact: Path, spoken: Path, tmp_path: Path
) -> None:
    output = stopped(artefact, spoken)
    with pytest.raises(RunDiffers, match="another policy"):
        spoken_run(artefact, [spoken], output, part_rows=40, policy="monitor-only")
    other = build_artefact(tmp_path / "other", name="fake-2")
    with pytest.raises(RunDiffers, match="another model"):
        spoken_run(other, [spoken], output, part_rows=40)
    spoken.write_bytes(spoken.read_bytes().replace(b"0.6", b"0.7"))
    with pytest.raises(RunDiffers, match="another input"):
        spoken_run(artefact, [spoken], output, part_rows=40)


def test_restart_drops_old_parts(artefact: Path, spoken: Path) -> None:
    output = stopped(artefact, spoken)
    summary = spoken_run(artefact, [spoken], output, part_rows=40, policy="monitor-only", restart=True)
    assert (summary.rows, summary.resumed) == (250, 0)
    assert rows_of(output)[0]["policy_version"] == "monitor-only@1"


def test_a_run_over_a_finished_output_of_the_same_changes_nothing(artefact: Path, spoken: Path) -> None:
    output = spoken.with_name("out.parquet")
    spoken_run(artefact, [spoken], output)
    before = output.stat()
    scorer = FileScorer()
    assert spoken_run(artefact, [spoken], output, scorer=scorer).resumed == 250
    assert (scorer.seen, output.stat().st_mtime_ns) == ([], before.st_mtime_ns)


def test_an_output_of_another_policy_stays_until_the_new_one_is_whole(artefact: Path, spoken: Path) -> None:
    output = spoken.with_name("out.parquet")
    spoken_run(artefact, [spoken], output, policy="monitor-only")
    before = output.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        spoken_run(artefact, [spoken], output, part_rows=40, scorer=Stopping(after=150))
    assert output.read_bytes() == before


def test_two_runs_never_write_one_output(artefact: Path, spoken: Path) -> None:
    output = spoken.with_name("out.parquet")
    with (
        sole_writer(output.with_name("out.parquet.parts"), output=output),
        pytest.raises(OutputBusy, match="another run"),
    ):
        spoken_run(artefact, [spoken], output)
    assert spoken_run(artefact, [spoken], output).rows == 250


def two_inputs(folder: Path) -> tuple[list[Path], bytes]:
    first = write_lines(folder / "a.jsonl", *({"text": f"{MILD} {n}"} for n in range(200)))
    lines = write_lines(
        folder / "b.jsonl", *({"text": f"{MILD} {n * 7919}"} for n in range(200))
    ).read_bytes()
    return [first, folder / "b.jsonl.gz"], gzip.compress(lines)


def test_an_input_cut_off_keeps_what_was_scored(artefact: Path, tmp_path: Path) -> None:
    inputs, whole = two_inputs(tmp_path)
    inputs[1].write_bytes(whole[:-30])
    with pytest.raises(InputUnreadable, match=r"b\.jsonl\.gz"):
        spoken_run(artefact, inputs, tmp_path / "out.parquet", part_rows=100)
    assert len(list((tmp_path / "out.parquet.parts").glob("part-*"))) >= 2


def test_an_input_mended_before_its_first_finished_part_costs_nothing_of_the_others(
    artefact: Path, tmp_path: Path
) -> None:
    inputs, whole = two_inputs(tmp_path)
    inputs[1].write_bytes(whole[:-30])
    with pytest.raises(InputUnreadable):
        spoken_run(artefact, inputs, tmp_path / "out.parquet", part_rows=200)
    inputs[1].write_bytes(whole)
    summary = spoken_run(artefact, inputs, tmp_path / "out.parquet", part_rows=200)
    assert (summary.rows, summary.resumed) == (400, 200)


def test_a_broken_input_leaves_nothing_beside_an_old_output(
    artefact: Path, spoken: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.parquet"
    spoken_run(artefact, [spoken], output)
    before = output.read_bytes()
    (tmp_path / "cut.parquet").write_bytes(before[:-10])
    with pytest.raises(InputUnreadable, match=r"cut\.parquet: truncated"):
        spoken_run(artefact, [tmp_path / "cut.parquet"], output)
    assert output.read_bytes() == before
    assert not (tmp_path / "out.parquet.parts").exists()


def test_no_rows_make_an_empty_file_of_all_columns(artefact: Path, tmp_path: Path) -> None:
    assert spoken_run(artefact, [write_lines(tmp_path / "in.jsonl")], tmp_path / "out.parquet").rows == 0
    assert tuple(pq.read_schema(tmp_path / "out.parquet").names) == COLUMNS


def test_a_policy_under_monitoring_says_what_would_have_been_done(artefact: Path, spoken: Path) -> None:
    spoken_run(artefact, [spoken], spoken.with_name("out.parquet"), policy="monitor-only")
    assert [row["enforced"] for row in rows_of(spoken.with_name("out.parquet"))[:4]] == [
        False,
        False,
        False,
        None,
    ]


@pytest.mark.parametrize("name", ["in.jsonl", "out.csv", "out.txt", "no/out.parquet", "."])
def test_an_output_that_cannot_be_is_refused_before_anything_is_touched(
    artefact: Path, spoken: Path, name: str
) -> None:
    before = sorted(spoken.parent.iterdir())
    with pytest.raises(WrongRequest):
        spoken_run(artefact, [spoken], spoken.parent / name)
    assert sorted(spoken.parent.iterdir()) == before
