"""Deciding stored scores: whole columns at once, and row for row what `decide` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_fakes import MILD, artefact, rows_of, spoken_run, write_lines
from prefilter.models.labels import HEADS
from prefilter.serving.bulk.bulk_errors import InputUnreadable, WrongRequest
from prefilter.serving.bulk.cleared_rows import edges_by_source
from prefilter.serving.bulk.redecision import decide_file, decide_table
from prefilter.serving.bulk.write.compact_json import to_json
from prefilter.serving.bulk.write.run_manifest import manifest_path, read_identity
from prefilter.serving.bulk.write.scores_table import COLUMNS, arrow_schema
from prefilter.serving.policy.decide import decide
from prefilter.serving.policy.policy import Bands, Outcome, Policy
from prefilter.serving.policy.presets import PRESETS, load_preset

__all__ = ["artefact"]
EDGES = [0.0, 0.1, 0.3, 0.35, 0.5, 0.95, 1.0]
scores = st.one_of(
    st.sampled_from(EDGES).map(np.float32), st.floats(0, 1, width=32).map(np.float32), st.none()
)
edges = st.one_of(st.none(), st.sampled_from(EDGES))


@st.composite
def bands(draw: st.DrawFn) -> Bands:
    low, high = draw(edges), draw(edges)
    return Bands(high, low) if low is not None and high is not None and low > high else Bands(low, high)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    by_category = st.dictionaries(st.sampled_from(HEADS), bands(), min_size=1)
    return Policy("drawn", 3, draw(by_category), sources={"web": draw(by_category)})


rows = st.fixed_dictionaries(
    {
        "source": st.sampled_from([None, "web", "chat"]),
        "unscored": st.sampled_from([None] * 5 + ["deadline", "unreadable_language"]),
        "scores": st.lists(scores, min_size=len(HEADS), max_size=len(HEADS)),
        "stage": st.sampled_from(["full", "full", "fast"]),
    }
)


def stored(drawn: list[dict[str, Any]]) -> pa.Table:
    """The rows as a scores file holds them."""
    made = []
    for row in drawn:
        values = dict.fromkeys(COLUMNS) | {"id": "x", "source": row["source"], "because": "[]"}
        values["stage"] = row["stage"]
        if row["unscored"]:
            values["because"] = json.dumps([{"reason": row["unscored"]}])
        else:
            values |= {f"score_{head}": score for head, score in zip(HEADS, row["scores"], strict=True)}
        made.append(values)
    return pa.Table.from_pylist(made, schema=arrow_schema())


@settings(deadline=None, max_examples=300)
@given(
    drawn=st.lists(rows, min_size=1, max_size=8),
    policy=policies(),
    uncalibrated=st.sets(st.sampled_from(HEADS)),
    before=st.one_of(st.none(), policies()),
)
def test_a_stored_row_is_decided_as_decide_decides_it(
    drawn: list[dict[str, Any]], policy: Policy, uncalibrated: set[str], before: Policy | None
) -> None:
    then = None if before is None else edges_by_source(before)
    table = decide_table(stored(drawn), policy, uncalibrated=uncalibrated, cleared_under=then)
    for row, ours in zip(drawn, table.to_pylist(), strict=True):
        named = {} if row["unscored"] else dict(zip(HEADS, row["scores"], strict=True))
        present = {head: score for head, score in named.items() if score is not None}
        wanted = decide(
            present, policy, source=row["source"], unscored=row["unscored"], uncalibrated=uncalibrated
        )
        outcome, because = wanted.outcome, to_json([ground.to_json() for ground in wanted.because])
        edges = policy.edges_for(row["source"])
        known = before is not None and before.edges_for(row["source"]) == edges
        if row["stage"] == "fast" and not row["unscored"] and not known:
            outcome, because = Outcome.REVIEW, '[{"reason":"fast_stage_only"}]'
        assert (ours["outcome"], ours["because"]) == (outcome, because)
        assert (ours["policy_version"], ours["enforced"]) == ("drawn@3", True)


@settings(deadline=None, max_examples=50)
@given(drawn=st.lists(rows, min_size=1, max_size=8), first=policies(), second=policies())
def test_what_was_decided_in_between_leaves_no_trace(
    drawn: list[dict[str, Any]], first: Policy, second: Policy
) -> None:
    then = edges_by_source(second)
    away = decide_table(stored(drawn), first, cleared_under=then)
    there = decide_table(stored(drawn), second, cleared_under=then)
    assert decide_table(away, second, cleared_under=then).equals(there)


@pytest.mark.parametrize("policy", PRESETS)
def test_deciding_again_gives_the_file_that_scoring_with_that_policy_gives(
    artefact: Path, tmp_path: Path, policy: str
) -> None:
    texts = [MILD, "threat=0.6", "hate=0.95", "illicit=0.99", "foreign", " ", "any=0.4"]
    path = write_lines(tmp_path / "in.jsonl", *({"text": text} for text in texts))
    spoken_run(artefact, [path], tmp_path / "scores.parquet")
    spoken_run(artefact, [path], tmp_path / "wanted.parquet", policy=policy)
    decide_file(tmp_path / "scores.parquet", tmp_path / "out.parquet", policy=load_preset(policy))
    ours, wanted = (tmp_path / name for name in ("out.parquet", "wanted.parquet"))
    assert pq.read_table(ours).equals(pq.read_table(wanted))
    others = {"cleared_under": None}  # the edges that rows were cleared under stay those of the first policy
    assert (read_identity(ours) or {}) | others == (read_identity(wanted) or {}) | others


def test_lines_can_be_decided_where_the_model_is_named(artefact: Path, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", {"text": "illicit=0.99"}, {"text": "hate=0.99"})
    spoken_run(artefact, [path], tmp_path / "scores.jsonl")
    manifest_path(tmp_path / "scores.jsonl").unlink()
    policy = load_preset("model-output")
    with pytest.raises(WrongRequest, match="name its model"):
        decide_file(tmp_path / "scores.jsonl", tmp_path / "out.jsonl", policy=policy)
    decide_file(tmp_path / "scores.jsonl", tmp_path / "out.jsonl", policy=policy, uncalibrated=["illicit"])
    assert [row["outcome"] for row in rows_of(tmp_path / "out.jsonl")] == ["review", "block"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b'{"text": "x"}\n', b"[]\n", b"\xff\n"])
def test_what_is_no_scores_file_is_told_and_nothing_is_written(tmp_path: Path, content: bytes) -> None:
    name = "scores.parquet" if content in (b"", b"PAR1") else "scores.jsonl"
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputUnreadable, match=name):
        decide_file(
            tmp_path / name, tmp_path / "out.parquet", policy=load_preset("model-output"), uncalibrated=()
        )
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_rows_joined_from_a_file_of_another_policy_are_not_trusted() -> None:
    policy = load_preset("model-output")
    scores = [0.01] * len(HEADS)
    drawn = [{"source": None, "stage": "fast", "unscored": None, "scores": scores}] * 2
    table = stored(drawn)
    table = table.set_column(
        table.schema.get_field_index("policy_version"),
        "policy_version",
        pa.array(["model-output@1", "pretraining-corpus@1"]),
    )
    found = decide_table(table, policy, cleared_under=edges_by_source(policy), decided_by="model-output@1")
    assert found.column("outcome").to_pylist() == ["allow", "review"]
