"""A certificate keeps its promise: on unseen texts the share of the flagged that is cleared is below the target."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from fast_samples import OUTPUTS, PLAIN_BUT_HARMFUL, PLAIN_TEXT, VERDICT, fast_arrays
from prefilter.eval.certify.certificates import Cannot, Judged, issue, judge
from prefilter.models.fast.fast_stage import FastStage
from prefilter.models.labels import HEADS

EDGES = {"hate": 0.5}
STAGE = FastStage(fast_arrays(), outputs=OUTPUTS)


def simulated(flagged: int, rng: np.random.Generator, *, benign: int = 100) -> Judged:
    """Flagged texts whose verdicts are normal around 2, benign ones around -6; estimates far below every edge."""
    n = flagged + benign
    scores = np.zeros((n, len(HEADS)), dtype=np.float32)
    is_flagged = np.arange(n) < flagged
    scores[is_flagged, HEADS.index("hate")] = 0.9
    logits = np.full((n, len(OUTPUTS)), -8.0, dtype=np.float32)
    logits[:, OUTPUTS.index(VERDICT)] = rng.normal(np.where(is_flagged, 2.0, -6.0), 1.5)
    return Judged(scores, logits, np.full(n, "made"))


def test_a_promise_of_95_percent_is_broken_in_at_most_one_draw_of_twenty() -> None:
    rng = np.random.default_rng(3)
    broken = 0
    for _ in range(300):
        found = issue("p", simulated(2_000, rng), STAGE, EDGES, verdict=VERDICT)
        assert isinstance(found, dict)
        # the true share of flagged texts below the cut, by the normal distribution they were drawn from
        from scipy.stats import norm

        broken += norm.cdf(found["cut"], 2.0, 1.5) > 0.005
    assert broken <= binom.ppf(0.999, 300, 0.05)


def test_a_cut_clears_more_the_more_flagged_texts_were_seen() -> None:
    rng = np.random.default_rng(4)
    few, many = (issue("p", simulated(n, rng), STAGE, EDGES, verdict=VERDICT) for n in (700, 50_000))
    assert isinstance(few, dict)
    assert isinstance(many, dict)
    assert few["cut"] < many["cut"]
    assert few["bound"] <= 0.005
    assert many["bound"] <= 0.005


def test_too_few_flagged_texts_certify_nothing_and_say_how_many_are_missing() -> None:
    assert issue("p", simulated(597, np.random.default_rng(5)), STAGE, EDGES, verdict=VERDICT) == Cannot(1)


def test_a_stage_that_clears_harm_first_certifies_nothing() -> None:
    judged = simulated(5_000, np.random.default_rng(6))
    judged.logits[:, OUTPUTS.index(VERDICT)] = -20.0
    assert issue("p", judged, STAGE, EDGES, verdict=VERDICT) == Cannot(0)


def test_the_counts_by_category_and_source_add_up() -> None:
    found = issue("p", simulated(4_500, np.random.default_rng(7), benign=4_500), STAGE, EDGES, verdict=VERDICT)
    assert isinstance(found, dict)
    assert found["by_category"]["hate"] == {"flagged": found["flagged"], "cleared": found["flagged_cleared"]}
    texts, flagged, cleared, missed = found["by_source"]["rows"]["made"]
    assert (texts, flagged, missed) == (9_000, found["flagged"], found["flagged_cleared"])
    assert cleared > 4_000


def test_texts_are_judged_by_what_ships_and_short_ones_count_for_nothing() -> None:
    texts = [PLAIN_TEXT, PLAIN_BUT_HARMFUL, "Too short."]
    judged = judge(STAGE, texts, np.zeros((3, len(HEADS)), dtype=np.float32), ["made"] * 3)
    verdicts = judged.verdict(STAGE, VERDICT, EDGES)
    assert judged.eligible().tolist() == [True, True, False]
    assert verdicts[0] == pytest.approx(-5.0)
    assert np.isinf(verdicts[1:]).all()  # the second's estimates reach their edge
