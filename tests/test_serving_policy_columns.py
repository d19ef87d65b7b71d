"""Columns are decided exactly as `decide` decides rows, outcome and grounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prefilter.models.labels import HEADS
from prefilter.serving.policy.columns import ScoreColumns, decide_columns
from prefilter.serving.policy.decide import Decision, decide
from prefilter.serving.policy.policy import OUTCOMES, UNREADABLE, Bands, Outcome, Policy

Row = tuple[dict[str, float | None], str | None, str | None]
EDGES = [0.0, 0.1, 0.3, 0.35, 0.7, 0.95, 1.0]
BESIDE = [float(np.nextafter(np.float32(edge), np.float32(to))) for edge in (0.1, 0.3, 0.7) for to in (0, 1)]
SCORES = st.one_of(
    st.sampled_from([*EDGES, *(float(np.float32(edge)) for edge in EDGES), *BESIDE, -0.0]),
    st.sampled_from([None, float("nan"), float("inf"), float("-inf")]),
    st.floats(0, 1, width=32),
)
REASONS = st.sampled_from([None, None, None, "deadline", "internal_fault", *sorted(UNREADABLE)])
ROWS = st.tuples(
    st.dictionaries(st.sampled_from(HEADS), SCORES),
    st.sampled_from([None, "forum", "news", "else"]),
    REASONS,
)
BANDS = st.lists(st.one_of(st.none(), st.sampled_from(EDGES)), min_size=2, max_size=2).map(
    lambda edges: dict(
        zip(("review", "block"), sorted(edges, key=lambda e: 2 if e is None else e), strict=True)
    )
)
CATEGORIES = st.dictionaries(st.sampled_from(HEADS), BANDS, min_size=1)
BODIES = st.fixed_dictionaries(
    {
        "categories": CATEGORIES,
        "unreadable": st.sampled_from(["review", "block"]),
        "sources": st.dictionaries(st.sampled_from(["forum", "news"]), CATEGORIES),
    }
)


def columns(rows: Sequence[Row], heads: Sequence[str] = HEADS) -> ScoreColumns:
    scores = {head: np.array([row[0].get(head) for row in rows], dtype=np.float32) for head in heads}
    sources, unscored = (np.array([row[place] for row in rows], dtype=np.object_) for place in (1, 2))
    return ScoreColumns(scores, sources, unscored)


def one_by_one(rows: Sequence[Row], policy: Policy, uncalibrated: set[str]) -> list[Decision]:
    return [
        decide(
            {head: np.float32(score) for head, score in scores.items() if score is not None},
            policy,
            source=source,
            unscored=unscored,
            uncalibrated=uncalibrated,
        )
        for scores, source, unscored in rows
    ]


def check(rows: Sequence[Row], policy: Policy, uncalibrated: set[str], decided_of: ScoreColumns) -> None:
    decided = decide_columns(decided_of, policy, uncalibrated=uncalibrated)
    wanted = one_by_one(rows, policy, uncalibrated)
    assert [OUTCOMES[code] for code in decided.codes] == [decision.outcome for decision in wanted]
    grounds = decided.grounds()
    assert grounds.because() == [decision.because for decision in wanted]
    firsts = [decision.because[0] for decision in wanted]
    assert [(kind.category, kind.reason) for kind in grounds.leading()] == [(a.category, a.reason) for a in firsts]


@settings(deadline=None, max_examples=300)
@given(rows=st.lists(ROWS, max_size=12), body=BODIES, uncalibrated=st.sets(st.sampled_from(HEADS)))
@example(rows=[], body={"categories": {"hate": {"review": 0.3}}}, uncalibrated=set())
@example(rows=[({"hate": 0.7}, None, None)], body={"categories": {"hate": {"review": 0.7}}}, uncalibrated=set())
@example(rows=[({"hate": 0.7}, None, None)], body={"categories": {"hate": {"block": 0.7}}}, uncalibrated={"hate"})
def test_columns_and_rows_are_decided_alike(
    rows: list[Row], body: dict[str, Any], uncalibrated: set[str]
) -> None:
    check(rows, Policy.from_body("p", 1, body), uncalibrated, columns(rows))


@settings(deadline=None)
@given(
    rows=st.lists(ROWS, max_size=6), body=BODIES, heads=st.lists(st.sampled_from(HEADS), unique=True)
)
def test_a_head_without_a_column_is_one_without_scores(
    rows: list[Row], body: dict[str, Any], heads: list[str]
) -> None:
    held = [({head: row[0].get(head) for head in heads}, row[1], row[2]) for row in rows]
    check(held, Policy.from_body("p", 1, body), set(), columns(held, heads))


def test_a_policy_without_categories_defers_in_columns_too() -> None:
    check([({"hate": 0.1}, None, None), ({}, "forum", "deadline")], Policy("p", 1, {}), set(), columns(
        [({"hate": 0.1}, None, None), ({}, "forum", "deadline")]
    ))


def test_crossed_edges_and_categories_of_others_are_decided_alike() -> None:
    bands = {"hate": Bands(0.9, 0.5), "spam": Bands(0.2, 0.4), "any": Bands(0.5, None)}
    rows: list[Row] = [({"hate": score, "any": 0.6}, None, None) for score in (0.4, 0.5, 0.95)]
    for policy in (Policy("p", 1, bands), Policy("p", 1, {"hate": Bands(0.9, 0.5)})):
        for uncalibrated in (set[str](), {"hate"}):
            check(rows, policy, uncalibrated, columns(rows))


def test_outcomes_are_ordered_in_one_place() -> None:
    assert OUTCOMES == (Outcome.ALLOW, Outcome.REVIEW, Outcome.BLOCK)
    assert [outcome.severity for outcome in OUTCOMES] == [0, 1, 2]
