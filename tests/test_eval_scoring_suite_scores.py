"""Scoring a suite: order, errors and unscored rows kept apart, and a cache that holds no text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eval_samples import UNKNOWN, a_suite, write_mixed, write_suite
from fakes import CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from prefilter.eval.scoring.score_cache import ScoreCache
from prefilter.eval.scoring.suite_scores import ERROR, ROW_DTYPE, SCORED, UNSCORED, Pass, open_cache, score_suite
from prefilter.eval.suites.suite import load_suite
from prefilter.models.labels import ANY, CATEGORIES, HEADS
from prefilter.models.scored import Scored
from prefilter.models.scorer import Scorer

GERMAN = "Die Bibliothek öffnet am Montag um neun Uhr und schließt am Abend um sechs Uhr."


class CountingScorer:
    """A real scorer that counts how often it is asked."""

    def __init__(self, model: Path) -> None:
        self.inner = Scorer.load(model, threads=2)
        self.model_version, self.categories = self.inner.model_version, self.inner.categories
        self.asked = 0

    def score_one(self, text: object, *, language: str | None = None) -> Scored:
        self.asked += 1
        return self.inner.score_one(text, language=language)


@pytest.fixture
def scorer(tmp_path: Path) -> CountingScorer:
    return CountingScorer(build_artefact(tmp_path / "model"))


def test_scores_stand_in_row_order(tmp_path: Path, scorer: CountingScorer) -> None:
    suite = load_suite(str(write_mixed(tmp_path)))
    scoring = score_suite(suite, scorer, cache=ScoreCache(None, dtype=ROW_DTYPE), workers=2)
    high = scoring.declared.of("toxicity") > 0.5
    assert (high == suite.positive("toxicity")).all()
    assert (scoring.tokens > 0).all()


def test_a_second_run_asks_no_model(tmp_path: Path, scorer: CountingScorer) -> None:
    suite = load_suite(str(write_mixed(tmp_path)))
    results = []
    for _ in range(2):
        cache = open_cache(tmp_path / "cache", tmp_path / "model")
        results.append(score_suite(suite, scorer, cache=cache, workers=2))
    assert scorer.asked == suite.n
    assert (results[0].declared.scores == results[1].declared.scores).all()


def test_another_model_has_another_cache(tmp_path: Path, scorer: CountingScorer) -> None:
    suite = load_suite(str(write_mixed(tmp_path)))
    other = build_artefact(tmp_path / "other", name="fake-2")
    for model in (tmp_path / "model", other):
        score_suite(suite, scorer, cache=open_cache(tmp_path / "cache", model), workers=2)
    assert scorer.asked == 2 * suite.n


def test_the_cache_holds_no_text_and_a_key_of_its_own(tmp_path: Path, scorer: CountingScorer) -> None:
    suite = load_suite(str(write_suite(tmp_path, "one", text=["a canary sings"], hate=[0.0])))
    for folder in ("first", "second"):
        score_suite(suite, scorer, cache=open_cache(tmp_path / folder, tmp_path / "model"), workers=1)
    files = [p for p in (tmp_path / "first").rglob("*") if p.is_file()]
    assert not any(b"canary" in p.read_bytes() for p in files)
    secrets = [next((tmp_path / f).rglob("secret")) for f in ("first", "second")]
    assert secrets[0].read_bytes() != secrets[1].read_bytes()
    assert secrets[0].stat().st_mode & 0o777 == 0o600


def test_a_broken_chunk_is_scored_again(tmp_path: Path, scorer: CountingScorer) -> None:
    suite = load_suite(str(write_mixed(tmp_path)))
    score_suite(suite, scorer, cache=open_cache(tmp_path / "cache", tmp_path / "model"), workers=2)
    for chunk in (tmp_path / "cache").rglob("*.npy"):
        chunk.write_bytes(chunk.read_bytes()[:100])
    score_suite(suite, scorer, cache=open_cache(tmp_path / "cache", tmp_path / "model"), workers=2)
    assert scorer.asked == 2 * suite.n


def test_errors_and_unscored_rows_have_no_scores(tmp_path: Path, scorer: CountingScorer) -> None:
    texts = [CLEAN_TEXT, "   ", GERMAN, HARMFUL_TEXT]
    path = write_suite(tmp_path, "odd", text=texts, lang=["en", "en", "de", "en"], hate=[0.0, 0.0, 0.0, 1.0])
    scoring = score_suite(load_suite(str(path)), scorer, cache=ScoreCache(None, dtype=ROW_DTYPE), workers=2)
    assert scoring.declared.status.tolist() == [SCORED, ERROR, UNSCORED, SCORED]
    assert scoring.declared.reasons(ERROR) == {"empty_text": 1}
    assert np.isnan(scoring.declared.scores[1:3]).all()


def test_the_declared_language_counts_only_in_the_declared_pass(
    tmp_path: Path, scorer: CountingScorer
) -> None:
    path = write_suite(tmp_path, "told", text=[CLEAN_TEXT, GERMAN], lang=["de", "en"], hate=[0.0, 0.0])
    scoring = score_suite(load_suite(str(path)), scorer, cache=ScoreCache(None, dtype=ROW_DTYPE), workers=1)
    assert scoring.declared.status.tolist() == [UNSCORED, UNSCORED]
    assert scoring.undeclared.status.tolist() == [SCORED, UNSCORED]


def test_a_fault_is_not_remembered(tmp_path: Path) -> None:
    class Faulty:
        model_version, categories = "faulty", CATEGORIES

        def score_one(self, text: object, *, language: str | None = None) -> Scored:
            return Scored({}, unscored="internal_fault")

    cache, suite = ScoreCache(None, dtype=ROW_DTYPE), a_suite(hate=[0, 1])
    assert (score_suite(suite, Faulty(), cache=cache, workers=1).declared.status == UNSCORED).all()
    assert cache.get(cache.key("text 0", None)) is None


def test_any_of_a_model_without_it_is_the_highest_category() -> None:
    scores = np.full((2, len(HEADS)), np.nan, dtype=np.float32)
    scores[0, :2] = [0.2, 0.7]
    part = Pass(scores, np.array([SCORED, ERROR], dtype=np.uint8), np.array([b"", b"empty_text"]))
    assert part.of(ANY)[0] == np.float32(0.7)
    assert np.isnan(part.of(ANY)[1])
    scores[0, HEADS.index(ANY)] = 0.1
    assert part.of(ANY)[0] == np.float32(0.1)


def test_progress_counts_every_row_once(tmp_path: Path, scorer: CountingScorer) -> None:
    path = write_suite(tmp_path, "same", text=["a", "a", "b", ""], hate=[0.0, 0.0, 0.0, UNKNOWN])
    steps: list[int] = []
    cache = ScoreCache(None, dtype=ROW_DTYPE)
    score_suite(load_suite(str(path)), scorer, cache=cache, workers=2, progress=steps.append)
    assert sum(steps) == 4
    assert scorer.asked == 3  # equal texts are scored once
