"""What two policies say differently is told field by field, by dotted path."""

from __future__ import annotations

from prefilter.serving.policy.policy import Policy
from prefilter.serving.policy.policy_difference import ABSENT, Difference, differences


def policy(**categories: dict[str, float | None]) -> Policy:
    return Policy.from_body("own", 1, {"categories": categories, "unreadable": "review"})


def test_a_policy_differs_in_nothing_from_itself() -> None:
    assert differences(policy(hate={"review": 0.4}), policy(hate={"review": 0.4})) == []


def test_a_changed_field_is_told_with_both_values() -> None:
    found = differences(policy(hate={"review": 0.4}), policy(hate={"review": 0.25}))
    assert found == [Difference("categories.hate.review", 0.4, 0.25)]


def test_a_category_that_only_one_has_is_absent_in_the_other() -> None:
    both = policy(hate={"review": 0.4}, threat={"review": 0.5})
    (found,) = (one for one in differences(policy(hate={"review": 0.4}), both) if one.field.endswith("threat.review"))
    assert (found.before, found.after) == (ABSENT, 0.5)
