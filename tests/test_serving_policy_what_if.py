"""What-ifs count outcomes before and after, and what changes between them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from prefilter.serving.policy.policy import Policy
from prefilter.serving.policy.what_if import compare, effect_of, recorded_codes
from prefilter.serving.store.decision_rows import DecisionColumns


def test_flips_are_counted_by_pair() -> None:
    before, after = np.array([0, 0, 1, 2, 2], np.int8), np.array([0, 1, 1, 0, 1], np.int8)
    answer = compare(before, after)
    assert answer["flips"] == {"allow>review": 1, "block>allow": 1, "block>review": 1}
    assert answer["before"] == {"allow": 2, "review": 1, "block": 2}
    assert answer["after"] == {"allow": 2, "review": 3, "block": 0}
    assert Counter(answer["before"]).total() == answer["n"] == 5


def test_what_was_recorded_can_be_compared_too() -> None:
    recorded = DecisionColumns(
        outcomes=["allow", "block", "review"], sources=[None] * 3, unscored=[None] * 3, scores={}
    )
    assert recorded_codes(recorded).tolist() == [0, 2, 1]


def test_a_draft_is_compared_with_what_was_recorded_or_with_the_active_policy() -> None:
    stored = DecisionColumns(
        outcomes=["allow", "block", "review"],
        sources=[None, "forum", None],
        unscored=[None, None, "unreadable_language"],
        scores={"hate": np.array([0.6, 0.6, np.nan], dtype=np.float32)},
    )
    draft = Policy.from_body("p", 2, {"categories": {"hate": {"review": 0.5, "block": 0.9}}})
    active = Policy.from_body("p", 1, {"categories": {"hate": {"block": 0.5}}, "unreadable": "block"})
    assert effect_of(draft, stored, active=None)["flips"] == {"allow>review": 1, "block>review": 1}
    assert effect_of(draft, stored, active=active)["flips"] == {"block>review": 3}
