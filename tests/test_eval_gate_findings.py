"""Gates: what counts as a fall, and what is only noise."""

from __future__ import annotations

from typing import Any

import pytest

from prefilter.eval.card.table import NONE
from prefilter.eval.gate.finding_table import rows
from prefilter.eval.gate.findings import Verdict, compare
from prefilter.eval.gate.metric_gate import Gate, Reading, match, mean_reading
from prefilter.eval.metrics import wilson


def a_gate(*metrics: str, higher: bool = True, **options: Any) -> Gate:
    """A gate that compares with the live model unless it is told otherwise."""
    return Gate(
        name="g", metrics=metrics or ("suites.s.x",), higher_is_better=higher, **{"regress": True, **options}
    )


def share(events: int, n: int) -> Reading:
    """A share with its interval."""
    return Reading(events / n, n, wilson(events, n))


def verdict(gate: Gate, ours: Reading | None, live: Reading | None) -> Verdict:
    """What the gate says of one metric."""
    (finding,) = compare(
        [gate],
        {} if ours is None else {"suites.s.x": ours},
        None if live is None else {"suites.s.x": live},
    )
    return finding.verdict


def test_an_equal_or_better_model_holds() -> None:
    assert verdict(a_gate(), share(80, 100), share(80, 100)) is Verdict.HOLDS
    assert verdict(a_gate(), share(99, 100), share(80, 100)) is Verdict.HOLDS
    assert verdict(a_gate(higher=False), share(0, 100), share(8, 100)) is Verdict.HOLDS


def test_a_loss_within_the_interval_of_the_difference_holds() -> None:
    assert verdict(a_gate(), share(70, 100), share(80, 100)) is Verdict.HOLDS
    assert verdict(a_gate(), share(60, 100), share(80, 100)) is Verdict.WORSE
    assert verdict(a_gate(), share(700, 1000), share(800, 1000)) is Verdict.WORSE


def test_the_interval_of_the_difference_is_newcombes() -> None:
    """Newcombe 1998, table II, line (a): 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    (found,) = compare([a_gate()], {"suites.s.x": share(48, 80)}, {"suites.s.x": share(56, 70)})
    assert found.verdict is Verdict.WORSE
    assert found.bound is not None
    assert found.bound - 48 / 80 == pytest.approx(0.0524, abs=5e-5)


def test_where_lower_is_better_a_rise_is_the_loss() -> None:
    (found,) = compare(
        [a_gate(higher=False)], {"suites.s.x": share(56, 70)}, {"suites.s.x": share(48, 80)}
    )
    assert found.verdict is Verdict.WORSE
    assert verdict(a_gate(higher=False), share(50, 80), share(48, 80)) is Verdict.HOLDS


def test_a_bound_holds_whatever_the_live_model_does() -> None:
    assert verdict(a_gate(bound=0.9), share(80, 100), share(70, 100)) is Verdict.BEYOND
    assert verdict(a_gate(bound=0.9), share(80, 100), None) is Verdict.BEYOND
    assert verdict(a_gate(bound=0.02, higher=False), share(3, 100), None) is Verdict.BEYOND
    assert verdict(a_gate(bound=0.8), share(80, 100), None) is Verdict.HOLDS


def test_enough_lets_a_loss_pass_and_a_margin_a_small_one() -> None:
    assert verdict(a_gate(enough=0.75), share(760, 1000), share(900, 1000)) is Verdict.HOLDS
    assert verdict(a_gate(enough=0.75), share(740, 1000), share(900, 1000)) is Verdict.WORSE
    gate = a_gate(higher=False, margin=0.005)
    assert verdict(gate, Reading(0.014), Reading(0.01)) is Verdict.HOLDS
    assert verdict(gate, Reading(0.016), Reading(0.01)) is Verdict.WORSE
    assert verdict(a_gate(higher=False), Reading(0.0101), Reading(0.01)) is Verdict.WORSE


def test_what_was_not_measured_falls() -> None:
    assert verdict(a_gate(), None, None) is Verdict.MISSING
    assert verdict(a_gate(optional=True), None, None) is Verdict.ABSENT
    assert verdict(a_gate(optional=True), None, share(1, 2)) is Verdict.MISSING


def test_a_family_is_judged_one_by_one_and_none_of_the_live_ones_may_be_gone() -> None:
    gate = a_gate("suites.s.*.acc", bound=0.1, bounds={"a": 0.5, "z": 0.1})
    ours = {"suites.s.a.acc": Reading(0.4), "suites.s.b.acc": Reading(0.4)}
    found = compare([gate], ours, {"suites.s.c.acc": Reading(0.2)})
    assert {f.metric: f.verdict for f in found} == {
        "suites.s.a.acc": Verdict.BEYOND,
        "suites.s.b.acc": Verdict.HOLDS,
        "suites.s.c.acc": Verdict.MISSING,
        "suites.s.z.acc": Verdict.MISSING,
    }


def test_a_star_stands_for_one_key() -> None:
    assert match("suites.*.any.*", "suites.s.any.auprc") == "s.auprc"
    assert match("suites.*.auprc", "suites.s.any.auprc") is None
    assert match("suites.s", "suites.t") is None


def test_a_mean_is_judged_on_what_both_have() -> None:
    gate = a_gate("suites.s.*", "suites.t.*", mean=True, bound=0.5)
    live = {"suites.s.a": Reading(0.6), "suites.t.a": Reading(0.8)}
    assert [f.verdict for f in compare([gate], live, live)] == [Verdict.HOLDS]
    (more,) = compare([gate], {**live, "suites.t.b": Reading(0.3)}, live)
    assert (more.verdict, more.candidate) == (Verdict.HOLDS, Reading(0.7, 2))
    (less,) = compare([gate], {"suites.s.a": Reading(0.9)}, live)
    assert less.verdict is Verdict.MISSING
    (worse,) = compare([gate], {**live, "suites.t.a": Reading(0.7)}, live)
    assert worse.verdict is Verdict.WORSE


def test_the_interval_of_a_mean_takes_suites_for_independent_and_categories_of_one_not() -> None:
    wide = Reading(0.5, 10, (0.4, 0.6))
    assert mean_reading({"suites.s.a": wide, "suites.s.b": wide}).ci95 == pytest.approx((0.4, 0.6))
    low, high = mean_reading({"suites.s.a": wide, "suites.t.a": wide}).ci95 or (0, 0)
    assert high - low == pytest.approx(0.2 / 2**0.5)


def test_the_table_begins_with_what_fell_and_counts_what_holds() -> None:
    gate = a_gate("suites.s.*", bound=0.5)
    ours = {"suites.s.a": Reading(0.9), "suites.s.b": Reading(0.6), "suites.s.c": share(3, 10)}
    found = compare([gate], ours, None)
    assert [row[1:] for row in rows(found)] == [
        ("s.c", NONE, f"0.3000 (0.1078{NONE}0.6032)", "≥ 0.5000", "beyond its bound"),
        ("s.b", NONE, "0.6000", "≥ 0.5000", "2 hold, this one closest"),
    ]
    assert [row[1] for row in rows(found, every=True)] == ["s.c", "s.a", "s.b"]
