"""The what-if decides columns exactly as `decide` decides rows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prefilter.models.labels import HEADS
from prefilter.serving.policy.columns import ORDER, ScoreColumns, compare, outcome_codes, recorded_codes
from prefilter.serving.policy.policy import Policy, decide

EDGES = [0.0, 0.1, 0.3, 0.7, 1.0]
SCORES = st.sampled_from(
    [*EDGES, float(np.float32(0.1)), float(np.float32(0.3)), 0.29999998, float("nan"), None]
)
ROWS = st.tuples(
    st.dictionaries(st.sampled_from(HEADS[:4]), SCORES),
    st.sampled_from([None, "forum", "news", "else"]),
    st.sampled_from([None, None, "deadline", "unreadable_language"]),
)
BANDS = st.lists(st.one_of(st.none(), st.sampled_from(EDGES)), min_size=2, max_size=2).map(
    lambda edges: dict(
        zip(("review", "block"), sorted(edges, key=lambda e: 2 if e is None else e), strict=True)
    )
)
CATEGORIES = st.dictionaries(st.sampled_from(HEADS[:5]), BANDS, min_size=1)
BODIES = st.fixed_dictionaries(
    {
        "categories": CATEGORIES,
        "unreadable": st.sampled_from(["review", "block"]),
        "sources": st.dictionaries(st.sampled_from(["forum", "news"]), CATEGORIES),
    }
)


def columns(rows: list[tuple[dict[str, float | None], str | None, str | None]]) -> ScoreColumns:
    scores = {head: np.array([row[0].get(head) for row in rows], dtype=np.float32) for head in HEADS}
    return ScoreColumns(["allow"] * len(rows), [row[1] for row in rows], [row[2] for row in rows], scores)


@settings(deadline=None, max_examples=300)
@given(rows=st.lists(ROWS, max_size=8), body=BODIES, uncalibrated=st.sets(st.sampled_from(HEADS[:5])))
def test_columns_and_rows_are_decided_alike(
    rows: list[Any], body: dict[str, Any], uncalibrated: set[str]
) -> None:
    policy = Policy.from_body("p", 1, body)
    codes = outcome_codes(columns(rows), policy, uncalibrated=uncalibrated)
    one_by_one = [
        decide(
            {head: np.float32(score) for head, score in scores.items() if score is not None},
            policy,
            source=source,
            unscored=unscored,
            uncalibrated=uncalibrated,
        ).outcome
        for scores, source, unscored in rows
    ]
    assert [ORDER[code] for code in codes] == one_by_one


def test_flips_are_counted_by_pair() -> None:
    before, after = np.array([0, 0, 1, 2, 2], np.int8), np.array([0, 1, 1, 0, 1], np.int8)
    answer = compare(before, after)
    assert answer["flips"] == {"allow>review": 1, "block>allow": 1, "block>review": 1}
    assert answer["before"] == {"allow": 2, "review": 1, "block": 2}
    assert answer["after"] == {"allow": 2, "review": 3, "block": 0}
    assert Counter(answer["before"]).total() == answer["n"] == 5


def test_what_was_recorded_can_be_compared_too() -> None:
    recorded = ScoreColumns(["allow", "block", "review"], [None] * 3, [None] * 3, {})
    assert recorded_codes(recorded).tolist() == [0, 2, 1]
