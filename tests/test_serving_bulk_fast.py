"""The fast stage in files: what it cleared says so, and no estimate allows a row under another policy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulk_fakes import MILD, FileScorer, Stopping, artefact, rows_of, spoken_run, write_lines
from fakes import build_artefact
from prefilter.cli.main import main
from prefilter.serving.bulk.bulk_errors import RunDiffers
from prefilter.serving.bulk.redecision import decide_file
from prefilter.serving.bulk.run.screener import Screener
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.policy.policy import Bands, Policy
from prefilter.serving.policy.presets import load_preset

__all__ = ["artefact"]
POLICY = load_preset("model-output")
FAST_STAGE_ONLY = '[{"reason":"fast_stage_only"}]'
TEXTS = [MILD, "threat=0.6", MILD, "foreign"]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "in.jsonl", *({"text": text, "source": "web"} for text in TEXTS))


@pytest.fixture
def scores(artefact: Path, lines: Path) -> Path:
    """A scores file of which the fast stage cleared two rows under the edges of model-output."""
    output = lines.with_name("scores.parquet")
    spoken_run(artefact, [lines], output, scorer=FileScorer(certified=POLICY.edges_for(None)))
    return output


def column(output: Path, name: str) -> list[Any]:
    return [row[name] for row in rows_of(output)]


def shifted(policy: Policy, **sources: dict[str, Bands]) -> Policy:
    """The policy with another edge for threats, or with bands of its own for some sources."""
    if sources:
        return replace(policy, sources=sources)
    return replace(policy, categories={**policy.categories, "threat": Bands(0.3, 0.9)})


def test_a_cleared_row_says_so_and_the_summary_counts_it(artefact: Path, lines: Path) -> None:
    scorer = FileScorer(certified=POLICY.edges_for(None))
    summary = spoken_run(artefact, [lines], lines.with_name("out.parquet"), scorer=scorer)
    assert column(lines.with_name("out.parquet"), "stage") == ["fast", "full", "fast", "full"]
    assert column(lines.with_name("out.parquet"), "tokens_total")[0] == 0
    assert summary.to_line() == "4 rows: 2 allow, 2 review, 0 block, 0 error; 2 cleared by the fast stage"


def test_exact_asks_for_no_certificate_and_clears_nothing(artefact: Path, lines: Path) -> None:
    scorer = FileScorer(certified=POLICY.edges_for(None))
    spoken_run(artefact, [lines], lines.with_name("out.parquet"), scorer=scorer, exact=True)
    assert column(lines.with_name("out.parquet"), "stage") == ["full"] * 4
    assert scorer.asked == []


def test_a_certificate_is_asked_for_once_per_distinct_edges(artefact: Path) -> None:
    scorer, bands = FileScorer(), {"threat": Bands(0.1, 0.9)}
    policy = shifted(POLICY, web=bands, chat=bands, plain={"threat": POLICY.categories["threat"]})
    Screener(scorer, Terms.of(artefact, policy))
    assert scorer.asked == [policy.edges_for(None), policy.edges_for("web")]


def test_exact_does_not_go_on_with_the_parts_of_a_run_without(artefact: Path, lines: Path) -> None:
    output = lines.with_name("out.parquet")
    many = write_lines(lines, *({"text": MILD} for _ in range(99)))
    with pytest.raises(KeyboardInterrupt):
        spoken_run(artefact, [many], output, part_rows=20, scorer=Stopping(after=70))
    with pytest.raises(RunDiffers, match="another setting of --exact"):
        spoken_run(artefact, [many], output, part_rows=20, exact=True)


def test_the_same_edges_decide_cleared_rows_whatever_else_changed(scores: Path) -> None:
    policy = replace(POLICY, name="other", categories={**POLICY.categories, "threat": Bands(0.35, 0.99)})
    summary = decide_file(scores, scores.with_name("out.parquet"), policy=policy)
    assert column(scores.with_name("out.parquet"), "outcome") == ["allow", "review", "allow", "review"]
    assert summary.estimated == 0


def test_other_edges_defer_what_only_the_fast_stage_saw(scores: Path) -> None:
    summary = decide_file(scores, scores.with_name("out.parquet"), policy=shifted(POLICY))
    assert column(scores.with_name("out.parquet"), "outcome") == ["review"] * 4
    because = column(scores.with_name("out.parquet"), "because")
    assert (because[0], json.loads(because[3])) == (FAST_STAGE_ONLY, [{"reason": "unreadable_language"}])
    assert summary.estimated == 2


def test_a_source_with_edges_of_its_own_defers_only_its_rows(artefact: Path, tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "in.jsonl", *({"text": MILD, "source": s} for s in ("web", None, "chat")))
    spoken_run(artefact, [lines], tmp_path / "s.jsonl", scorer=FileScorer(certified=POLICY.edges_for(None)))
    decide_file(
        tmp_path / "s.jsonl",
        tmp_path / "out.jsonl",
        policy=shifted(POLICY, web={"threat": Bands(0.4, None)}, chat={"threat": Bands(0.35, None)}),
    )
    assert column(tmp_path / "out.jsonl", "outcome") == ["review", "allow", "allow"]


def test_deciding_back_allows_again_what_was_certified(scores: Path) -> None:
    away, back = scores.with_name("away.parquet"), scores.with_name("back.parquet")
    decide_file(scores, away, policy=shifted(POLICY))
    decide_file(away, back, policy=POLICY)
    assert rows_of(back) == rows_of(scores)


def test_a_file_that_does_not_say_its_edges_has_its_cleared_rows_deferred(
    artefact: Path, lines: Path
) -> None:
    output = lines.with_name("s.jsonl")
    spoken_run(artefact, [lines], output, scorer=FileScorer(certified=POLICY.edges_for(None)))
    output.with_name("s.jsonl.manifest.json").unlink()
    decide_file(output, lines.with_name("out.jsonl"), policy=POLICY, uncalibrated=())
    assert column(lines.with_name("out.jsonl"), "because")[0] == FAST_STAGE_ONLY


def test_the_command_says_how_to_get_the_scores_of_deferred_rows(
    scores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        ["decide", str(scores), "-o", str(scores.with_name("out.parquet")), "--policy", "pretraining-corpus"]
    )
    assert code == 0
    assert "2 of them to review only because the fast stage" in capsys.readouterr().err


def test_the_real_scorer_takes_the_terms(tmp_path: Path, lines: Path) -> None:
    model = build_artefact(tmp_path / "model")
    command = [
        "score",
        str(lines),
        "-o",
        str(tmp_path / "out.parquet"),
        "--model",
        str(model),
        "--workers",
        "1",
    ]
    assert main([*command, "--exact"]) == 0
    assert column(tmp_path / "out.parquet", "stage") == ["full"] * 4
