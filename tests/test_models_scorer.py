"""The scorer: one text, one score to the bit; a bad row never touches its neighbours."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT, HARMFUL_WORDS, build_artefact
from prefilter.models.labels import HEADS
from prefilter.models.manifest import Manifest
from prefilter.models.registry import live_name
from prefilter.models.scored import Scored
from prefilter.models.scorer import Scorer

ANYTHING = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=()), max_size=80),
    st.text(alphabet="\x00\ud800\udfff\u200b\u202e a\U0001f600\ufffd", max_size=20),
    st.none(),
    st.integers(),
    st.binary(max_size=5),
)
MIXED = [
    " ".join(f"Sentence {i} tells of bread and {i * 7} boats." for i in range(n))
    for n in (1, 2, 3, 9, 40, 150)
]
MIXED += [
    CLEAN_TEXT,
    HARMFUL_TEXT,
    BORDERLINE_TEXT,
    "gg",
    "caf\u00e9 \U0001f600 time",
    "NUL\x00inside the text",
]


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_artefact(tmp_path_factory.mktemp("models") / "fake-1")


@pytest.fixture(scope="module")
def scorer(artefact: Path) -> Scorer:
    return Scorer.load(artefact)


@pytest.fixture(scope="module", params=["fake", "shipped"])
def model(request: pytest.FixtureRequest, artefact: Path) -> Path | str:
    """The small model and, from its release on, the one that is shipped."""
    if request.param == "fake":
        return artefact
    return live_name() or artefact


def bits(scored: Scored) -> dict[str, bytes]:
    return {head: np.float32(score).tobytes() for head, score in scored.scores.items()}


def test_a_score_is_the_same_to_the_bit_everywhere(model: Path | str) -> None:
    one, two = Scorer.load(model), Scorer.load(model, threads=2)
    alone = [bits(one.score_one(text)) for text in MIXED]
    assert all(alone)
    assert [bits(s) for s in one.score(MIXED)] == alone
    assert [bits(s) for s in two.score(MIXED)] == alone
    assert [bits(s) for s in two.score(MIXED[::-1])] == alone[::-1]
    assert [bits(s) for s in two.score(MIXED * 3)] == alone * 3


def test_the_model_answers_its_self_test(model: Path | str) -> None:
    Scorer.load(model).self_test()


def test_every_head_has_a_float32_probability(scorer: Scorer) -> None:
    scored = scorer.score_one(CLEAN_TEXT)
    assert tuple(scored.scores) == HEADS
    assert all(isinstance(s, np.float32) and 0 <= s <= 1 for s in scored.scores.values())


@pytest.mark.parametrize(("word", "categories"), HARMFUL_WORDS.items())
def test_the_small_model_knows_its_words(scorer: Scorer, word: str, categories: tuple[str, ...]) -> None:
    scores = scorer.score_one(f"They found it {word} of him.").scores
    assert {head for head, score in scores.items() if score > 0.9} == {*categories, "any"}


@settings(deadline=None, max_examples=150)
@given(st.lists(ANYTHING, max_size=4))
def test_any_row_gets_an_answer_and_spares_its_neighbours(scorer: Scorer, rows: list[object]) -> None:
    answers = scorer.score([CLEAN_TEXT, *rows, HARMFUL_TEXT])
    assert len(answers) == len(rows) + 2
    assert bits(answers[0]) == bits(scorer.score_one(CLEAN_TEXT))
    assert bits(answers[-1]) == bits(scorer.score_one(HARMFUL_TEXT))
    for answer in answers:
        assert (answer.error is not None) + (answer.unscored is not None) + bool(answer.scores) == 1


@pytest.mark.parametrize(
    ("text", "code"), [(None, "not_a_string"), (" ", "empty_text"), ("\udc00", "lone_surrogate")]
)
def test_a_broken_row_has_an_error_and_no_score(scorer: Scorer, text: object, code: str) -> None:
    scored = scorer.score_one(text)
    assert scored.error is not None
    assert scored.error.code == code
    assert scored.scores == {}


def test_what_cannot_be_read_says_why(scorer: Scorer) -> None:
    texts = [
        CLEAN_TEXT,
        "\u041f\u0440\u0438\u0432\u0435\u0442, \u0434\u0440\u0443\u0433",
        "\u200b\u200c",
        "\U0001f600",
    ]
    scored = scorer.score(texts, languages=["fr", None, None, None])
    assert [s.unscored for s in scored] == [
        "unreadable_language",
        "unreadable_script",
        "unknown_word_pieces",
        "unknown_word_pieces",
    ]
    assert not any(s.scores for s in scored)


def test_a_fault_inside_is_a_reason_and_the_log_keeps_the_text_to_itself(
    artefact: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scorer = Scorer.load(artefact)
    monkeypatch.setattr(scorer._network, "run", lambda _: 1 / 0)
    with caplog.at_level(logging.DEBUG):
        assert scorer.score_one("canary words").unscored == "internal_fault"
    assert "ZeroDivisionError" in caplog.text
    assert "canary" not in caplog.text
    with pytest.raises(ZeroDivisionError):
        scorer.self_test()


def test_evidence_points_at_the_window_that_decided(scorer: Scorer) -> None:
    text = "  " + "A calm line about bread. " * 60 + HARMFUL_TEXT + " More calm words follow. " * 60
    scored = scorer.score_one(text)
    assert scored.tokens_seen == scored.tokens_total
    assert scored.windows > 3
    assert {e.category for e in scored.evidence} == {"toxicity", "insult", "any"}
    for evidence in scored.evidence:
        span = text[evidence.start : evidence.end]
        assert "rude" in span
        assert span == span.strip()
        assert len(span) < len(text) / 3


def test_a_text_over_the_limit_is_an_error_and_the_limit_can_be_lifted(artefact: Path) -> None:
    error = Scorer.load(artefact, max_chars=10).score_one(CLEAN_TEXT).error
    assert error is not None
    assert error.code == "text_too_long"
    assert Scorer.load(artefact, max_chars=None).score_one("A calm line. " * 90_000).scores


@pytest.mark.parametrize("text", ["one bare text", b"one bare text"])
def test_a_bare_text_is_not_taken_for_a_list_of_letters(scorer: Scorer, text: Any) -> None:
    with pytest.raises(TypeError, match="score_one"):
        scorer.score(text)


def test_languages_of_another_length_are_refused(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match="languages"):
        scorer.score([CLEAN_TEXT], languages=[])


class InMemory:
    """A store of repeats that is no file."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Scored] = {}

    def serves(self, manifest: Manifest) -> bool:
        return manifest.name == "fake-1"

    def key(self, normalised: str, text: str, *, language: str | None, context: str | None) -> bytes:
        return repr((normalised, text, language, context)).encode()

    def get(self, key: bytes) -> Scored | None:
        return self.kept.get(key)

    def put(self, key: bytes, scored: Scored) -> None:
        self.kept[key] = scored


def test_any_store_of_repeats_will_do(artefact: Path, scorer: Scorer) -> None:
    store = InMemory()
    keeping = Scorer.load(artefact, repeats=store)
    assert keeping.score([HARMFUL_TEXT, CLEAN_TEXT, HARMFUL_TEXT]) == scorer.score(
        [HARMFUL_TEXT, CLEAN_TEXT, HARMFUL_TEXT]
    )
    assert len(store.kept) == 2


def test_it_works_from_a_folder_with_the_same_names(artefact: Path, tmp_path: Path) -> None:
    for name in ("models", "eval", "serving", "classifier"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the wrong one')")
    code = (
        f"from prefilter import Scorer; print(len(Scorer.load({str(artefact)!r}).score(['bread'])[0].scores))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["11"]
