"""Targets are read against the document: the worst value counts, with its interval."""

from __future__ import annotations

import pytest

from prefilter.eval.card.targets import Target, targets

DOCUMENT = {
    "suites": {
        "checks": {"kinds": {"a": {"accuracy": 0.9}, "b": {"accuracy": 0.3, "ci95": {"accuracy": [0.2, 0.4]}}}},
        "calm": {"operating": {"strict": {"n": 100, "block": 0.05}, "loose": {"n": 100, "block": 0.0}}},
    }
}


def test_the_worst_counts_and_is_named() -> None:
    target = Target("kinds", "suites.checks.kinds.*.accuracy", least=0.4)
    found = target.reached(DOCUMENT)
    assert found is not None
    assert (found.value, found.where, found.ci95) == (0.3, "b", (0.2, 0.4))
    assert target.missed_by(found.value) == pytest.approx(0.1)


def test_where_less_is_better_the_highest_is_worst() -> None:
    target = Target("blocked", "suites.calm.operating.*.block", most=0.02)
    found = target.reached(DOCUMENT)
    assert found is not None
    assert (found.value, found.where) == (0.05, "strict")
    assert found.ci95 is not None
    assert found.ci95[0] < 0.05 < found.ci95[1]  # a share has its interval from the rows beside it


def test_what_was_not_measured_is_not_judged() -> None:
    assert Target("gone", "suites.gone.*.accuracy", least=0.4).reached(DOCUMENT) is None


def test_every_target_has_one_bound_and_a_suite_of_the_plan() -> None:
    from prefilter.eval.suites.suite_plan import planned_suites

    planned = {entry.target for entry in planned_suites()}
    for target in targets():
        assert (target.least is None) != (target.most is None), target.what
        root, name, *_ = target.path.split(".")
        assert root != "suites" or name in planned, target.path
