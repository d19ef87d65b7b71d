"""The fast stage clears under a certificate for exactly the caller's edges, and never otherwise."""

from __future__ import annotations

import dataclasses
import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from fakes import HARMFUL_TEXT, build_artefact
from fast_samples import OUTPUTS, PLAIN_BUT_HARMFUL, PLAIN_TEXT, add_fast_stage, certificate, fast_arrays
from prefilter.models.fast.fast_stage import ALLOWANCE, MAX_WORDS, MIN_WORDS, Certificate, FastStage, FastStageError
from prefilter.models.fast.ngrams import ngrams
from prefilter.models.labels import HEADS
from prefilter.models.registry import live_name, resolve
from prefilter.models.scorer import Scorer, ScorerError
from prefilter.models.text.normalisation import normalise
from prefilter.models.text.windows import load_tokenizer, spellable, windows
from prefilter.serving.policy.presets import PRESETS, load_preset

EDGES = {"toxicity": 0.5, "hate": 0.4}
NON_ENGLISH = "Die Bibliothek macht um neun Uhr auf und um sechs Uhr wieder zu, und alle bringen Brot und Tee mit."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_fast_stage(build_artefact(tmp_path_factory.mktemp("models") / "fake-1"), EDGES)


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Scorer:
    return Scorer.load(folder)


def test_a_plain_text_is_cleared_under_the_certificate(scorer: Scorer) -> None:
    found = scorer.score_one(PLAIN_TEXT, certificate=scorer.certificate_for(EDGES))
    assert found.stage == "fast"
    assert (found.tokens_seen, found.tokens_total, found.windows, found.evidence) == (0, 0, 0, ())
    assert set(found.scores) == set(HEADS)
    assert all(found.scores[name] < edge for name, edge in EDGES.items())


def test_without_a_certificate_the_transformer_scores(scorer: Scorer) -> None:
    exact = scorer.score_one(PLAIN_TEXT)
    assert exact.stage == "full"
    assert scorer.score([PLAIN_TEXT] * 2, certificates=[None, "fake-0"])[0] == exact


@pytest.mark.parametrize(
    "edges", [{}, {"toxicity": 0.5}, {**EDGES, "hate": 0.41}, {**EDGES, "hate": 0.39}, {**EDGES, "threat": 0.9}]
)
def test_other_edges_have_no_certificate(scorer: Scorer, edges: dict[str, float]) -> None:
    assert scorer.certificate_for(edges) is None


def test_edges_are_the_same_in_any_order_and_as_float32(scorer: Scorer) -> None:
    assert scorer.certificate_for({"hate": float(np.float32(0.4)), "toxicity": 0.5}) == "fake-0"


@pytest.mark.parametrize("text", [HARMFUL_TEXT, PLAIN_BUT_HARMFUL, "Bread and tea.", "bread and tea " * MAX_WORDS])
def test_a_doubtful_a_short_and_an_endless_text_go_to_the_transformer(scorer: Scorer, text: str) -> None:
    assert scorer.score_one(text, certificate="fake-0") == scorer.score_one(text)


def test_what_the_language_gate_holds_is_never_cleared(scorer: Scorer) -> None:
    assert scorer.score_one(NON_ENGLISH, certificate="fake-0").unscored == "unreadable_language"
    assert scorer.score_one(PLAIN_TEXT, language="de", certificate="fake-0").unscored == "unreadable_language"


def test_a_text_beside_a_context_is_never_cleared(scorer: Scorer) -> None:
    assert scorer.score_one(PLAIN_TEXT, context="What is open?", certificate="fake-0").stage == "full"


def test_a_certificate_that_was_not_issued_clears_nothing(scorer: Scorer) -> None:
    assert scorer.score_one(PLAIN_TEXT, certificate="another").unscored == "internal_fault"


def test_an_estimate_at_its_edge_is_not_cleared_whatever_the_verdict() -> None:
    arrays = fast_arrays()
    arrays["b2"][HEADS.index("hate")] = 0.0
    stage = FastStage(arrays, outputs=OUTPUTS)
    assert stage.clear(PLAIN_TEXT, Certificate.from_json(certificate({"hate": 0.5}))) is None
    assert stage.clear(PLAIN_TEXT, Certificate.from_json(certificate({"hate": 0.51}))) is not None


def test_a_verdict_at_the_cut_is_not_cleared() -> None:
    stage = FastStage(fast_arrays(), outputs=OUTPUTS)
    assert stage.clear(PLAIN_TEXT, Certificate.from_json(certificate(EDGES, cut=-5.0))) is None
    assert stage.clear(PLAIN_TEXT, Certificate.from_json(certificate(EDGES, cut=-4.9))) is not None


@pytest.mark.parametrize("body", [{}, {"edges": {}}, {"edges": {"hate": "x"}}, {"cut": float("nan")}])
def test_a_broken_certificate_is_refused(folder: Path, tmp_path: Path, body: dict[str, object]) -> None:
    other = add_fast_stage(build_artefact(tmp_path / "fake-2"), EDGES)
    document = json.loads((other / "manifest.json").read_text())
    issued = {} if not body else {**document["fast"]["certificates"][0], **body}
    document["fast"]["certificates"] = [issued]
    (other / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ScorerError, match="certificate"):
        Scorer.load(other)


def test_layers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FastStageError, match="fit together"):
        FastStage(fast_arrays(), outputs=OUTPUTS[:-1])
    with pytest.raises(FastStageError, match="not an npz"):
        FastStage.from_bytes(b"no file", outputs=OUTPUTS)
    arrays = fast_arrays()
    del arrays["pairs"]
    with pytest.raises(FastStageError, match="not a fast stage"):
        FastStage(arrays, outputs=OUTPUTS)


@cache
def spelling() -> tuple[Tokenizer, re.Pattern[str]]:
    tokenizer = load_tokenizer(resolve(live_name()) / "tokenizer.json")
    return tokenizer, spellable(tokenizer)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=0x2122), max_size=60))
def test_a_text_that_is_spellable_has_no_unknown_piece(text: str) -> None:
    tokenizer, unspellable = spelling()
    normalised = normalise(text)
    if unspellable.search(normalised.text) is None:
        unknown = tokenizer.token_to_id("[UNK]")
        assert not any((window.ids == unknown).any() for window in windows(normalised, tokenizer)[0])


@pytest.mark.parametrize("policy", PRESETS)
def test_the_shipped_model_clears_plain_prose_under_each_shipped_policy(policy: str) -> None:
    shipped = Scorer.load()
    name = shipped.certificate_for(load_preset(policy).edges_for(None))
    assert name is not None
    text = (
        "The river rises in the hills above the town and runs for forty kilometres through meadows and small "
        "villages before it reaches the lake. Its valley is known for apple orchards, stone bridges and an old mill "
        "that was restored in the last century and now houses a museum of local history."
    )
    found = shipped.score_one(text, certificate=name)
    assert found.stage == "fast"
    body = next(c for c in shipped.manifest.fast["certificates"] if c["name"] == name)
    assert body["bound"] <= body["target"] == 0.005
    assert body["confidence"] == 0.95
    assert body["flagged"] >= 598
    assert sum(row[1] for row in body["by_source"]["rows"].values()) == body["flagged"]


def test_buckets_are_the_same_everywhere() -> None:
    found = ngrams("Bread and tea, caf\u00e9 and \u201cbread\u201d.")
    assert found is not None
    assert len(found) == 6
    assert found.words[0] == found.words[5]
    assert found.words[1] == found.words[4]
    assert found.words.tolist() == [66388, 76387, 103442, 105202, 76387, 66388]
    alone = ngrams("bread")
    assert alone is not None
    assert alone.words[0] == found.words[0]


@given(st.lists(st.sampled_from(["bread", "tea", "and", "9", "caf\u00e9"]), max_size=30))
def test_a_word_has_one_bucket_wherever_it_stands(words: list[str]) -> None:
    found = ngrams(" . ".join(words))
    alone = [ngrams(word) for word in words]
    assert found is not None
    assert found.words.tolist() == [int(a.words[0]) for a in alone if a is not None]


def test_no_length_of_harmless_text_hides_a_harmful_sentence() -> None:
    prose = " ".join([PLAIN_TEXT] * 20)
    stage, leave = FastStage(fast_arrays(), outputs=OUTPUTS), Certificate.from_json(certificate(EDGES))
    assert stage.clear(prose, leave) is not None
    for place in (0, len(prose) // 2, len(prose)):
        assert stage.clear(f"{prose[:place]} {HARMFUL_TEXT} {prose[place:]}", leave) is None


def test_a_window_that_says_far_more_than_the_whole_decides() -> None:
    arrays = fast_arrays()
    arrays["w1"][:, 0] = (0, 1, 0, 0, 0)  # the mean of the whole alone, which length waters down
    stage = FastStage(arrays, outputs=OUTPUTS)
    short = stage.logits(PLAIN_BUT_HARMFUL)
    long = stage.logits(" ".join([PLAIN_TEXT] * 40) + HARMFUL_TEXT)
    assert short is not None
    assert long is not None
    assert long[-1] > 40 / np.sqrt(48) - 5 - ALLOWANCE - 1


def test_of_two_certificates_for_the_same_edges_the_stricter_one_holds(tmp_path: Path) -> None:
    folder = add_fast_stage(build_artefact(tmp_path / "fake-4"), EDGES, EDGES)
    document = json.loads((folder / "manifest.json").read_text())
    document["fast"]["certificates"][1]["cut"] = -1.0
    (folder / "manifest.json").write_text(json.dumps(document))
    assert Scorer.load(folder).certificate_for(EDGES) == "fake-1"


def test_a_fast_stage_needs_texts_of_some_length() -> None:
    stage = FastStage(fast_arrays(), outputs=OUTPUTS)
    assert stage.logits("bread " * (MIN_WORDS - 1)) is None
    assert stage.logits("bread " * MIN_WORDS) is not None
    assert stage.logits("bread " * MAX_WORDS) is not None
    assert stage.logits("bread " * (MAX_WORDS + 1)) is None


def test_a_model_without_a_fast_stage_has_no_certificate(tmp_path: Path) -> None:
    plain = Scorer.load(build_artefact(tmp_path / "fake-3"))
    assert plain.certificate_for(EDGES) is None
    assert dataclasses.replace(plain.score_one(PLAIN_TEXT), language=None).stage == "full"
