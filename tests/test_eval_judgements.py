"""HateCheck, identity bias, identity terms and operating points, each on rows whose answer is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from eval_samples import a_suite
from prefilter.eval.document import plain
from prefilter.eval.judge.hatecheck import check
from prefilter.eval.judge.identity_bias import identity_bias, power_mean
from prefilter.eval.judge.operating import causes, decide_all, held_by_length, length_parts, operating_point
from prefilter.eval.scoring.suite_scores import ERROR, SCORED, UNSCORED, Pass
from prefilter.eval.suites.identity_terms import find_terms, load_terms, mark_terms
from prefilter.models.labels import HEADS
from prefilter.serving.policy.policy import Bands, Outcome, Policy

STRICT = Policy("strict", 1, {"hate": Bands(0.4, 0.8)})


def a_pass(
    hate: list[float], status: list[int] | None = None, reason: bytes = b"unreadable_language"
) -> Pass:
    """A pass whose `hate` scores are given and whose other heads score zero."""
    states = np.array(status or [SCORED] * len(hate), dtype=np.uint8)
    scores = np.zeros((len(hate), len(HEADS)), dtype=np.float32)
    scores[:, HEADS.index("hate")] = hate
    scores[states != SCORED] = np.nan
    return Pass(scores, states, np.where(states == SCORED, b"", reason).astype("S40"))


def test_hatecheck_accuracy_by_functionality() -> None:
    suite = dataclasses.replace(
        a_suite(hate=[1, 1, 0, 0]), extra={"functionality": ["slur_h", "slur_h", "negate_nh", "negate_nh"]}
    )
    found = plain(check(suite, a_pass([0.9, 0.2, 0.1, 0.5])))
    assert found["all"]["accuracy"] == 0.5
    assert found["functionalities"]["slur_h"] == found["hateful"]
    assert found["functionalities"]["negate_nh"]["accuracy"] == 0.5  # 0.5 is at the threshold: called hateful
    assert (found["head"], found["threshold"]) == ("hate", 0.5)


def test_hatecheck_leaves_unscored_cases_out() -> None:
    suite = dataclasses.replace(a_suite(hate=[1, 1]), extra={"functionality": ["a_h", "b_h"]})
    found = plain(check(suite, a_pass([0.9, 0.0], [SCORED, UNSCORED])))
    assert found["all"]["n"] == 1
    assert found["functionalities"]["b_h"]["accuracy"] is None


def templates() -> list[str]:
    sayings = ["kind", "rude", "calm", "loud"]
    return [f"Being {t} is {s}" for t in ("young", "middle aged") for s in sayings] + ["Being late is rude"]


def test_identity_terms_are_what_meets_every_saying() -> None:
    assert find_terms(templates()) == ["middle aged", "young"]
    assert find_terms(["A template of another kind"]) == []


def test_the_listed_terms_are_fifty_and_sorted() -> None:
    terms = load_terms()
    assert len(terms) == 50
    assert list(terms) == sorted(terms)


def test_the_longest_term_wins_and_parts_of_words_do_not_count() -> None:
    marked = mark_terms(
        ["An old-timer", "middle aged Folk", "Bold folk", None], ["aged", "middle aged", "old"]
    )
    assert marked == ["old", "middle aged", None, None]


def test_a_term_that_raises_scores_shows_in_bpsn() -> None:
    texts = ["a young one"] * 40 + ["an old one"] * 40
    toxic = np.tile([True, False], 40)
    scores = np.where(toxic, 0.6, 0.1) + np.array([0.3] * 40 + [0.0] * 40) * ~toxic + 0.35 * ~toxic
    found = plain(identity_bias(texts, scores, toxic, terms=["young", "old"]))
    assert found["terms"]["young"]["bpsn"] == 0.0  # benign texts of the young outscore toxic ones of others
    assert found["terms"]["old"]["subgroup"] == 1.0
    assert (found["worst"]["bpsn"]["term"], found["worst"]["bpsn"]["auroc"]) == ("young", 0.0)
    assert found["worst"]["bpsn"]["ci95"]["auroc"] == [0.0, 0.0]
    assert found["terms"]["young"]["bnsp"] == 1.0


def test_a_term_with_few_texts_is_left_out() -> None:
    found = plain(identity_bias(["young"] * 4, np.zeros(4), np.array([True, False] * 2), terms=["young"]))
    assert found["terms"] == {}
    assert found["power_mean"]["subgroup"] is None


def test_the_power_mean_weighs_the_worst() -> None:
    assert power_mean([0.8, 0.8]) == pytest.approx(0.8)
    assert 0.5 < power_mean([0.5, 1.0]) < 0.6
    assert math.isnan(power_mean([]))


def test_rates_count_the_right_rows() -> None:
    outcomes = decide_all(a_pass([0.1, 0.9, 0.9, 0.5, 0.1, 0.9, 0.5, 0.5]), STRICT)
    point = plain(operating_point(outcomes, known=np.ones(8, dtype=bool), harmful=np.arange(8) < 4))
    assert [point[o.value] for o in Outcome] == pytest.approx([2 / 8, 3 / 8, 3 / 8])
    assert point["miss_rate"] == pytest.approx(1 / 4)  # review counts as not allowed
    assert point["overblock_rate"] == pytest.approx(1 / 4)
    assert point["held_benign_rate"] == pytest.approx(3 / 4)


def test_unscored_rows_are_reviewed_and_errors_have_no_outcome() -> None:
    outcomes = decide_all(a_pass([0.1, 0, 0], [SCORED, UNSCORED, ERROR]), STRICT)
    point = plain(operating_point(outcomes, known=None, harmful=None))
    assert (point["n"], point["errors"], point["review"]) == (2, 1, 0.5)
    assert outcomes.held.tolist() == [False, True, True]
    assert causes(outcomes, np.ones(3, dtype=bool)) == {"error": 1, "unreadable_language": 1}


def test_an_uncalibrated_category_never_blocks_here_either() -> None:
    outcomes = decide_all(a_pass([0.95]), STRICT, uncalibrated=("hate",))
    assert outcomes.is_(Outcome.REVIEW).all()


def test_length_parts_keep_equal_lengths_together() -> None:
    lengths = np.array([5] * 8 + [9, 12], dtype=np.int64)
    parts = length_parts(lengths)
    assert [(low, high, int(rows.sum())) for low, high, rows in parts] == [(5, 5, 8), (9, 9, 1), (12, 12, 1)]
    assert length_parts(np.empty(0, dtype=np.int64)) == []


def test_deciles_cover_every_row_once() -> None:
    lengths = np.random.default_rng(0).integers(1, 5_000, 1_003)
    outcomes = decide_all(a_pass([0.5] * 1_003), STRICT)
    table = [plain(row) for row in held_by_length(outcomes, lengths)]
    assert len(table) == 10
    assert sum(row["n"] for row in table) == 1_003
    assert {row["held"] for row in table} == {1.0}
