"""Policies and the pure function that applies them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefilter.models.labels import CATEGORIES, HEADS
from prefilter.serving.policy.decide import decide
from prefilter.serving.policy.policy import UNREADABLE, Bands, Outcome, Policy, PolicyError
from prefilter.serving.policy.policy_file import load_toml
from prefilter.serving.policy.presets import PRESETS, load_preset

ALLOW, REVIEW, BLOCK = Outcome.ALLOW, Outcome.REVIEW, Outcome.BLOCK
edges = st.none() | st.floats(0, 1)


def policy(review: float | None = 0.4, block: float | None = 0.8, **more: Any) -> Policy:
    return Policy("test", 3, {"threat": Bands(review, block)}, **more)


def scores(threat: float, **others: float) -> dict[str, np.float32]:
    return {name: np.float32(value) for name, value in {"threat": threat, **others}.items()}


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0.0, ALLOW), (0.39, ALLOW), (0.4, REVIEW), (0.79, REVIEW), (0.8, BLOCK), (1.0, BLOCK)],
)
def test_bands_are_half_open_and_the_last_one_includes_one(score: float, expected: Outcome) -> None:
    assert decide(scores(score), policy()).outcome is expected


@pytest.mark.parametrize(
    ("review", "block", "score", "expected"),
    [
        (None, 0.8, 0.79, ALLOW),
        (None, 0.8, 0.8, BLOCK),
        (0.4, None, 1.0, REVIEW),
        (0.5, 0.5, 0.5, BLOCK),
        (None, None, 1.0, ALLOW),
        (0.0, 1.0, 0.0, REVIEW),
        (1.0, 1.0, 1.0, BLOCK),
    ],
)
def test_a_missing_edge_is_a_missing_band(
    review: float | None, block: float | None, score: float, expected: Outcome
) -> None:
    assert decide(scores(score), policy(review, block)).outcome is expected


@pytest.mark.parametrize("edge", [0.1, 0.3, 0.7, 0.9])
def test_a_score_meets_its_edge_in_float32(edge: float) -> None:
    assert decide(scores(edge), policy(edge, None)).outcome is REVIEW
    below = {"threat": np.nextafter(np.float32(edge), np.float32(0))}
    assert decide(below, policy(edge, None)).outcome is ALLOW


def test_because_names_the_category_its_score_and_its_band() -> None:
    ground = decide(scores(0.5), policy()).because[0].to_json()
    assert ground == {"category": "threat", "score": 0.5, "band": [0.4, 0.8]}


def test_the_harshest_category_decides_and_any_is_named_last() -> None:
    bands = {"any": Bands(0.4, 0.8), "hate": Bands(0.4, 0.8), "threat": Bands(0.4, 0.8)}
    decision = decide(scores(0.85, hate=0.9, any=0.99), Policy("test", 1, bands))
    assert decision.outcome is BLOCK
    assert [because.category for because in decision.because] == ["hate", "threat", "any"]


def test_an_allowed_item_says_what_came_closest() -> None:
    bands = {"hate": Bands(0.9, None), "threat": Bands(0.4, None)}
    decision = decide(scores(0.3, hate=0.5), Policy("test", 1, bands))
    assert [(b.category, b.band) for b in decision.because] == [("threat", (0.0, 0.4))]


def test_an_uncalibrated_category_never_blocks_alone() -> None:
    decision = decide(scores(0.99), policy(), uncalibrated=("threat",))
    assert decision.outcome is REVIEW
    assert decision.because[0].reason == "uncalibrated"
    bands = {"hate": Bands(0.4, 0.8), "threat": Bands(0.4, 0.8)}
    beside = decide(scores(0.99, hate=0.9), Policy("test", 1, bands), uncalibrated=("threat",))
    assert beside.outcome is BLOCK


@pytest.mark.parametrize("reason", ["deadline", "internal_fault", *sorted(UNREADABLE)])
def test_what_could_not_be_scored_is_reviewed_with_its_reason(reason: str) -> None:
    decision = decide({}, policy(), unscored=reason)
    assert (decision.outcome, decision.because[0].to_json()) == (REVIEW, {"reason": reason})


def test_unreadable_follows_the_policy_and_a_deadline_does_not() -> None:
    strict = policy(unreadable=BLOCK)
    assert decide({}, strict, unscored="unreadable_language").outcome is BLOCK
    assert decide({}, strict, unscored="deadline").outcome is REVIEW


@pytest.mark.parametrize("missing", [{}, {"threat": np.float32("nan")}, {"hate": np.float32(0.1)}])
def test_a_score_that_is_missing_or_no_number_defers(missing: dict[str, np.float32]) -> None:
    assert decide(missing, policy()).outcome is REVIEW


def test_a_source_overrides_only_the_categories_it_names() -> None:
    bands = {"hate": Bands(0.4, None), "threat": Bands(0.4, None)}
    streamed = Policy("test", 1, bands, sources={"forum": {"threat": Bands(0.9, None)}})
    assert decide(scores(0.5, hate=0.1), streamed).outcome is REVIEW
    assert decide(scores(0.5, hate=0.1), streamed, source="forum").outcome is ALLOW
    assert decide(scores(0.5, hate=0.5), streamed, source="forum").outcome is REVIEW


@given(st.floats(0, 1, width=32), edges, edges)
def test_a_higher_score_is_never_judged_more_mildly(
    score: float, one: float | None, two: float | None
) -> None:
    if one is not None and two is not None:
        one, two = sorted((one, two))
    order = [ALLOW, REVIEW, BLOCK]
    lower, higher = (decide(scores(s), policy(one, two)).outcome for s in (score / 2, score))
    assert order.index(lower) <= order.index(higher)


@given(st.floats(0, 1, width=32), edges, edges)
def test_the_band_that_is_named_holds_the_score(score: float, one: float | None, two: float | None) -> None:
    if one is not None and two is not None:
        one, two = sorted((one, two))
    band = decide(scores(score), policy(one, two)).because[0].band
    assert band is not None
    low, high = (float(np.float32(edge)) for edge in band)
    assert low <= score < high or (high == 1.0 and score == 1.0)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_its_body_and_gives_reasons(name: str) -> None:
    preset = load_preset(name)
    assert Policy.from_body(preset.name, preset.version, preset.to_body()) == preset
    assert (preset.name, preset.unreadable) == (name, REVIEW)
    assert set(preset.categories) == set(HEADS)
    assert preset.reason
    assert all(bands.reason for bands in preset.categories.values())


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_blocks_on_uncalibrated_categories(name: str) -> None:
    highest = {head: np.float32(1) for head in HEADS}
    assert decide(highest, load_preset(name), uncalibrated=HEADS).outcome is REVIEW


def test_the_corpus_preset_reviews_less_and_only_monitoring_is_not_enforced() -> None:
    corpus, output = load_preset("pretraining-corpus"), load_preset("model-output")
    for category in CATEGORIES:
        assert corpus.categories[category].first_edge > output.categories[category].first_edge
    assert [name for name in PRESETS if not load_preset(name).enforced] == ["monitor-only"]
    assert load_preset("monitor-only").categories == output.categories


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "categories"),
        ({"categories": {}}, "categories"),
        ({"categories": {"rudeness": {"review": 0.5}}}, "categories.rudeness"),
        ({"categories": {"threat": 0.5}}, "categories.threat"),
        ({"categories": {"threat": {}}}, "categories.threat"),
        ({"categories": {"threat": {"review": True}}}, "categories.threat.review"),
        ({"categories": {"threat": {"review": 1.1}}}, "categories.threat.review"),
        ({"categories": {"threat": {"review": float("nan")}}}, "categories.threat.review"),
        ({"categories": {"threat": {"review": 0.9, "block": 0.5}}}, "categories.threat.review"),
        ({"categories": {"threat": {"review": 0.5, "blok": 0.9}}}, "categories.threat.blok"),
        ({"categories": {"threat": {"review": 0.5}}, "unreadable": "allow"}, "unreadable"),
        ({"categories": {"threat": {"review": 0.5}}, "enforced": 1}, "enforced"),
        ({"categories": {"threat": {"review": 0.5}}, "reason": 1}, "reason"),
        ({"categories": {"threat": {"review": 0.5}}, "sources": []}, "sources"),
        ({"categories": {"threat": {"review": 0.5}}, "sources": {"a": {"x": {}}}}, "sources[0].x"),
        ({"categories": {"threat": {"review": 0.5}}, "treshold": 1}, "treshold"),
        ({"categories": {"threat": {"review": 0.5}}, "two words": 1}, "?"),
    ],
)
def test_a_wrong_body_names_its_field(body: object, field: str) -> None:
    with pytest.raises(PolicyError) as wrong:
        Policy.from_body("test", 1, body)
    assert wrong.value.field == field


def test_a_policy_file_that_is_not_toml_says_so(tmp_path: Any) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("review = = 1")
    with pytest.raises(PolicyError, match="not TOML"):
        load_toml(broken)


@pytest.mark.parametrize(
    ("streaming", "field"),
    [
        ([], "streaming"),
        ({"more": 1}, "streaming.more"),
        ({"max_unsafe_chars": -1}, "streaming.max_unsafe_chars"),
        ({"max_unsafe_chars": 10_001}, "streaming.max_unsafe_chars"),
        ({"max_unsafe_chars": True}, "streaming.max_unsafe_chars"),
        ({"max_unsafe_chars": 1.5}, "streaming.max_unsafe_chars"),
    ],
)
def test_a_bound_that_is_none_names_its_field(streaming: object, field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_body("p", 1, {"categories": {"threat": {"review": 0.5}}, "streaming": streaming})
    assert caught.value.field == field


def test_a_bound_survives_being_written_and_read() -> None:
    body = {"categories": {"threat": {"review": 0.5, "block": None}}, "streaming": {"max_unsafe_chars": 70}}
    policy = Policy.from_body("p", 1, body)
    assert policy.max_unsafe_chars == Policy.from_body("p", 1, policy.to_body()).max_unsafe_chars == 70
    assert Policy.from_body("p", 1, {"categories": body["categories"]}).max_unsafe_chars == 0
