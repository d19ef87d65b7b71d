"""Context: a text is judged beside its context, or the row says why not."""

from __future__ import annotations

import numpy as np
import pytest

from fakes import CLEAN_TEXT, CONTEXT_PIECES, HARMFUL_TEXT, build_artefact
from prefilter.models.scored import Scored
from prefilter.models.scorer import Scorer
from prefilter.models.text.context import check_context, given_context


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return Scorer.load(build_artefact(tmp_path_factory.mktemp("models") / "fake-1"), threads=2)


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A model of texts alone."""
    return Scorer.load(build_artefact(tmp_path_factory.mktemp("models") / "old-1", context=0, spans=False))


def bits(scored: Scored) -> bytes:
    return np.array(list(scored.scores.values()), dtype=np.float32).tobytes()


def test_the_same_text_scores_by_what_it_answers(scorer: Scorer) -> None:
    alone, calm = scorer.score_one(CLEAN_TEXT), scorer.score_one(CLEAN_TEXT, context="When does it open?")
    harmful = scorer.score_one(CLEAN_TEXT, context=HARMFUL_TEXT)
    assert alone.scores["insult"] < 0.1 > calm.scores["insult"]
    assert 0.6 < harmful.scores["insult"] < 0.9
    assert len({bits(alone), bits(calm), bits(harmful)}) == 3


def test_a_pair_has_the_same_bits_alone_and_in_a_batch(scorer: Scorer) -> None:
    contexts = [None, HARMFUL_TEXT, "a calm question", " ", HARMFUL_TEXT * 30]
    alone = [bits(scorer.score_one(CLEAN_TEXT, context=context)) for context in contexts]
    assert [bits(s) for s in scorer.score([CLEAN_TEXT] * 5, contexts=contexts)] == alone
    assert [bits(s) for s in scorer.score([CLEAN_TEXT] * 5, contexts=contexts[::-1])] == alone[::-1]


@pytest.mark.parametrize("nothing", [None, "", "  \n\t"])
def test_no_context_an_empty_one_and_white_space_are_the_same(
    scorer: Scorer, deaf: Scorer, nothing: str | None
) -> None:
    assert scorer.score_one(CLEAN_TEXT, context=nothing) == scorer.score_one(CLEAN_TEXT)
    assert deaf.score_one(CLEAN_TEXT, context=nothing).error is None


def test_of_a_long_context_the_end_is_read_and_the_answer_says_so(scorer: Scorer) -> None:
    filler = "the bread is good and the boats are calm " * 20
    near, far = (scorer.score_one(CLEAN_TEXT, context=c) for c in (filler + "rude", "rude " + filler))
    assert near.scores["insult"] > 0.6 > far.scores["insult"]
    assert near.context_seen == far.context_seen == CONTEXT_PIECES < near.context_total
    assert near.tokens_seen == near.tokens_total == scorer.score_one(CLEAN_TEXT).tokens_total


def test_every_window_of_a_long_text_is_read_beside_its_context(scorer: Scorer) -> None:
    text = "A calm line about bread. " * 60
    alone, pair = scorer.score_one(text), scorer.score_one(text, context="calm words " * 40)
    assert pair.windows > alone.windows
    assert pair.tokens_seen == alone.tokens_seen
    assert pair.evidence[0].end <= len(text)


def test_a_context_in_another_tongue_leaves_the_text_readable(scorer: Scorer) -> None:
    foreign = "Привет, как дела?"
    assert scorer.score_one(CLEAN_TEXT, context=foreign).scores
    unread = scorer.score_one(foreign, context=CLEAN_TEXT)
    assert (unread.unscored, unread.context_seen) == ("unreadable_script", 0)


@pytest.mark.parametrize(
    ("context", "code"),
    [(7, "context_not_a_string"), (["a"], "context_not_a_string"), ("a\ud800", "context_lone_surrogate")],
)
def test_what_is_no_context_is_the_rows_error_and_names_it(
    scorer: Scorer, deaf: Scorer, context: object, code: str
) -> None:
    for model in (scorer, deaf):
        broken, fine = model.score([CLEAN_TEXT, CLEAN_TEXT], contexts=[context, None])
        assert broken.error is not None
        assert broken.error.code == code
        assert broken.error.message.startswith("context ")
        assert fine.scores


def test_a_model_that_reads_no_context_refuses_the_row_and_never_ignores_it(deaf: Scorer) -> None:
    pair, alone = deaf.score([CLEAN_TEXT, CLEAN_TEXT], contexts=["a question", None])
    assert pair.error is not None
    assert pair.error.code == "context_unsupported"
    assert pair.scores == {}
    assert alone.scores


def test_the_text_limit_is_the_contexts_too() -> None:
    error = check_context("a" * 11, max_chars=10)
    assert error is not None
    assert error.code == "context_too_long"
    assert check_context("a" * 11, max_chars=None) is None
    assert given_context(" a ") == " a "


def test_contexts_of_another_length_are_refused(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match="contexts"):
        scorer.score([CLEAN_TEXT], contexts=[])
