"""The network: one session, many threads, one window a run; the numbers are the same to the bit however it is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fakes import build_artefact
from prefilter.models.scored import Scored
from prefilter.models.scorer import Scorer

TEXTS = [" ".join(f"Sentence {i} tells of bread and {i * 7} boats." for i in range(n)) for n in (1, 3, 40, 150)]


@pytest.fixture(scope="module", params=["fake", "shipped"])
def scorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    made: Path | None = None
    if request.param == "fake":
        made = build_artefact(tmp_path_factory.mktemp("models") / "fake-1")
    return Scorer.load(made, threads=2)


def by_windows(scorer: Scorer, text: str) -> Scored:
    prepared = scorer.prepare(text)
    assert not isinstance(prepared, Scored)
    return scorer.conclude(prepared, [scorer.run(window) for window in prepared.windows])


def test_windows_run_one_by_one_conclude_in_the_same_answer(scorer: Scorer) -> None:
    for text in TEXTS:
        assert by_windows(scorer, text) == scorer.score_one(text)


def test_four_threads_on_the_one_session_get_the_bits_that_one_gets(scorer: Scorer) -> None:
    alone = [scorer.score_one(text) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: by_windows(scorer, text), TEXTS * 8))
    assert together == alone * 8


def test_a_text_whose_windows_do_not_conclude_is_unscored(scorer: Scorer) -> None:
    prepared = scorer.prepare(TEXTS[0])
    assert not isinstance(prepared, Scored)
    assert scorer.conclude(prepared, []).unscored == "internal_fault"
