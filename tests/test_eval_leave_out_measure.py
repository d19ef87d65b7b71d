"""The leave-out measure: only people judge, every source stands in one group, a better ranking scores higher."""

from __future__ import annotations

import numpy as np
import pytest

from prefilter.classifier.corpus.sources import is_test_suite
from prefilter.eval.document import plain
from prefilter.eval.leave_out.left_out_measure import GroupsError, Judged, load_groups, summary
from prefilter.eval.leave_out.left_out_measure import measure_left_out as measured
from prefilter.models.labels import HEADS

TOXICITY, HATE, ANY = (HEADS.index(h) for h in ("toxicity", "hate", "any"))


def measure_left_out(parts, **options):
    return plain(measured(parts, **options))


def judged(source, *, noise, n=400, heads=(TOXICITY, ANY), seed=1):
    rng = np.random.default_rng(seed)
    labels = np.full((n, len(HEADS)), np.nan, dtype=np.float32)
    truth = (rng.random(n) < 0.3).astype(np.float32)
    labels[:, list(heads)] = truth[:, None]
    scores = (truth + rng.normal(0, noise, n))[:, None].repeat(len(HEADS), axis=1)
    return Judged(source, scores.astype(np.float32), labels)


def test_a_perfect_ranking_scores_one_and_a_worse_one_less():
    perfect = measure_left_out([judged("a", noise=0.0)], replicates=20)
    worse = measure_left_out([judged("a", noise=1.0)], replicates=20)
    assert perfect["mean"]["auprc"] == perfect["mean"]["recall_at_1pct_fpr"] == 1
    assert worse["mean"]["auprc"] < 0.9


def test_the_mean_is_over_heads_of_means_over_sources():
    parts = [judged("a", noise=0.5), judged("b", noise=2.0, heads=(TOXICITY,))]
    document = measure_left_out(parts, replicates=20)
    rows = document["sources"]
    toxicity = (rows["a"]["toxicity"]["auprc"] + rows["b"]["toxicity"]["auprc"]) / 2
    assert document["categories"]["toxicity"]["auprc"] == pytest.approx(toxicity, abs=1e-3)
    mean = (document["categories"]["toxicity"]["auprc"] + document["categories"]["any"]["auprc"]) / 2
    assert document["mean"]["auprc"] == pytest.approx(mean, abs=1e-3)


def test_the_interval_holds_the_value_and_narrows_with_rows():
    few, many = (measure_left_out([judged("a", noise=0.7, n=n)], replicates=60) for n in (200, 3000))
    widths = [d["mean"]["ci95"]["auprc"][1] - d["mean"]["ci95"]["auprc"][0] for d in (few, many)]
    assert few["mean"]["ci95"]["auprc"][0] <= few["mean"]["auprc"] <= few["mean"]["ci95"]["auprc"][1]
    assert widths[1] < widths[0]


def test_a_head_that_a_source_knows_too_little_of_is_not_judged():
    part = judged("a", noise=0.5)
    part.labels[:, HATE] = 0.0
    assert "hate" not in measure_left_out([part], replicates=5)["categories"]


def test_the_comparison_names_the_verdict():
    line = plain(summary("x", measured([judged("a", noise=0.5)], replicates=5)))
    assert line["name"] == "x"
    assert line["any_auprc"] > 0.5


def test_a_source_in_two_groups_is_refused(tmp_path):
    (tmp_path / "groups.toml").write_text('[groups]\na = ["x", "y"]\nb = ["y"]\n')
    with pytest.raises(GroupsError, match="y stands in two groups"):
        load_groups(tmp_path / "groups.toml")


def test_the_projects_groups_name_no_test_suite():
    names = {source for sources in load_groups().values() for source in sources}
    assert len(names) > 40
    assert not [name for name in names if is_test_suite(name)]
