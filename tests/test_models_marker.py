"""Spans: the words that speak for a category, on the text as sent, and no more than those."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from fakes import CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from prefilter.models.marker import MAX_SPANS, Marker, Span
from prefilter.models.scored import Scored
from prefilter.models.scorer import Scorer
from prefilter.models.text.normalisation import normalise
from prefilter.models.text.windows import load_tokenizer, windows

DISGUISED = ["rude", "r.u.d.e", "r\u200bude", "&#114;ude", "&amp;#114;ude", "ruuuude", "\uff52ude"]


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return Scorer.load(build_artefact(tmp_path_factory.mktemp("models") / "fake-1"))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(build_artefact(tmp_path_factory.mktemp("model")) / "tokenizer.json")


def marked(text: str, scored: Scored, category: str) -> list[str]:
    return [text[s.start : s.end] for s in scored.spans if s.category == category]


def by_hand(text: str, tokenizer: Tokenizer, **log_odds: float) -> list[Span]:
    """The spans of a text whose pieces have the given log-odds by name, every other -9; the edge is 0."""
    cut, _ = windows(normalise(text), tokenizer)
    said = {tokenizer.token_to_id(name.replace("__", "##")): value for name, value in log_odds.items()}
    evidence = [
        np.array([[said.get(int(i), -9.0)] for i in w.ids[1:-1]], dtype=np.float32).reshape(-1, 1)
        for w in cut
    ]
    return Marker(text, cut, evidence).spans(0, edge=0.0, deciding=0)


def parts(text: str, tokenizer: Tokenizer, **log_odds: float) -> list[str]:
    return [text[span.start : span.end] for span in by_hand(text, tokenizer, **log_odds)]


@pytest.mark.parametrize("word", ["rude", "r.u.d.e", "r\u200bude", "&#114;ude", "\uff52ude", "r\u00adude"])
def test_a_span_covers_the_word_as_it_was_sent(scorer: Scorer, word: str) -> None:
    text = f"It was a {word} thing, they found."
    scored = scorer.score_one(text)
    assert marked(text, scored, "insult") == marked(text, scored, "any") == [word]


def test_each_category_has_its_own_words_in_order(scorer: Scorer) -> None:
    text = "A rude man and a lewd one, a brawl at noon, and again a rude word."
    scored = scorer.score_one(text)
    assert marked(text, scored, "insult") == ["rude", "rude"]
    assert marked(text, scored, "sexual") == ["lewd"]
    assert marked(text, scored, "violence") == ["brawl"]
    assert marked(text, scored, "any") == ["rude", "lewd", "brawl", "rude"]
    assert marked(text, scored, "hate") == []


def test_a_span_says_how_strong_its_evidence_is(scorer: Scorer) -> None:
    (span,) = (s for s in scorer.score_one(HARMFUL_TEXT).spans if s.category == "insult")
    assert span.score == pytest.approx(1 / (1 + math.exp(-3)))
    assert [Span(0, 1, x).strength for x in (-800.0, 0.0, 800.0)] == [0.0, 0.5, 1.0]


def test_a_clean_text_has_only_its_strongest_word(scorer: Scorer) -> None:
    scored = scorer.score_one(CLEAN_TEXT)
    assert {s.category for s in scored.spans} == {scored.evidence[0].category}
    assert all(s.score < 0.1 for s in scored.spans)


def test_what_stands_in_the_context_is_never_marked(scorer: Scorer) -> None:
    scored = scorer.score_one(CLEAN_TEXT, context=HARMFUL_TEXT)
    assert scored.scores["insult"] > 0.6
    assert all(0 <= s.start < s.end <= len(CLEAN_TEXT) and s.score < 0.1 for s in scored.spans)


def test_without_evidence_the_deciding_windows_are_the_spans(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    old = Scorer.load(build_artefact(tmp_path_factory.mktemp("models") / "old-1", context=0, spans=False))
    scored = old.score_one(HARMFUL_TEXT)
    assert scored.spans == scored.evidence
    assert marked(HARMFUL_TEXT, scored, "insult") == [HARMFUL_TEXT]


def test_every_window_of_a_long_text_is_marked_and_overlap_once(scorer: Scorer) -> None:
    text = ("Calm words. " * 9 + "A rude one here. ") * 30
    found = marked(text, scorer.score_one(text), "insult")
    assert found == ["rude"] * 30


def test_a_word_is_marked_whole_by_any_of_its_pieces(tokenizer: Tokenizer) -> None:
    assert parts("the abcdef off", tokenizer, __d=2.0) == ["abcdef"]


@pytest.mark.parametrize("word", ["ab-cd", "d**n", "don't", "@cd", "#cd", "c$d"])
def test_signs_inside_a_word_belong_to_it(tokenizer: Tokenizer, word: str) -> None:
    assert parts(f"so {word}, he", tokenizer, d=1.0, c=1.0, __d=1.0, __n=1.0) == [word]


def test_marked_words_with_little_between_them_are_one_span(tokenizer: Tokenizer) -> None:
    assert parts("a rude, lewd thing", tokenizer, rude=1.0, lewd=1.0) == ["rude, lewd"]
    assert parts("a rude ...  lewd thing", tokenizer, rude=1.0, lewd=1.0) == ["rude", "lewd"]
    assert parts("a rude a lewd thing", tokenizer, rude=1.0, lewd=1.0) == ["rude", "lewd"]


def test_punctuation_is_no_span_of_its_own(tokenizer: Tokenizer) -> None:
    assert parts("so. rude!", tokenizer, **{".": 5.0, "rude": 1.0, "!": 5.0}) == ["rude"]


def test_where_nothing_reaches_the_edge_the_strongest_words_are_marked(tokenizer: Tokenizer) -> None:
    assert parts("a lewd thing, a rude thing", tokenizer, rude=-1.0, lewd=-2.0) == ["rude"]
    assert parts("lewd thing, lewd", tokenizer, lewd=-2.0) == ["lewd", "lewd"]
    assert by_hand("?!", tokenizer) == []


def test_too_many_spans_are_joined_and_none_is_lost(tokenizer: Tokenizer) -> None:
    text = ("rude so " * 20 + "calm words here ") * 40
    found = by_hand(text, tokenizer, rude=1.0)
    assert len(found) == MAX_SPANS
    assert all(
        text[s.start : s.end].startswith("rude") and text[s.start : s.end].endswith("rude") for s in found
    )
    assert sum(text[s.start : s.end].count("rude") for s in found) == 800


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([*DISGUISED, "lewd", "r@de", "&lt;b&gt;", "\u200b", "\U0001f600", "dubious"]),
            st.text(alphabet=" \t\n.,;&#x\u200b\u00a0\ufb03\u00bdab0\u0301", max_size=6),
        ),
        max_size=30,
    ),
    st.sampled_from(["", " ", "  ", "\u200b "]),
)
def test_spans_lie_inside_any_text_in_order_apart_and_without_blanks(
    scorer: Scorer, words: list[str], between: str
) -> None:
    text = between.join(words)
    scored = scorer.score_one(text, language="en")
    for category in {span.category for span in scored.spans}:
        found = [span for span in scored.spans if span.category == category]
        assert all(0 <= span.start < span.end <= len(text) and 0 < span.score < 1 for span in found)
        assert all(a.end < b.start for a, b in pairwise(found))
        assert all(text[s.start : s.end] == text[s.start : s.end].strip() for s in found)


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(["r.u.d.e", "r\u200bude", "&#114;ude", "rude"]),
    st.text(alphabet="ab \u200b.&\u00e9", max_size=30),
)
def test_a_disguised_word_is_marked_wherever_it_stands(scorer: Scorer, word: str, before: str) -> None:
    text = f"{before} the {word} one"
    found = [s for s in scorer.score_one(text, language="en").spans if s.category == "insult"]
    at = text.rindex(word)
    assert any(s.start <= at and at + len(word) <= s.end for s in found)
