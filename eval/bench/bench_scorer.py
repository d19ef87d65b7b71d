"""`prefilter bench scorer`: one core, in process; the whole path, the network alone, and the fast stage alone.

Tokens are word pieces of the text (marks and overlap not counted), so the figures are comparable between lengths.
Lengths 32 and 128 are rows of the network, marks included; 512 is a text of so many pieces, read in windows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefilter.eval.bench.mild_texts import text_of, text_of_pieces
from prefilter.eval.bench.timing import Spread, interleaved
from prefilter.models.scored import FAST, Scored
from prefilter.models.scorer import Prepared, Scorer
from prefilter.models.text.normalisation import normalise
from prefilter.serving.policy.presets import load_preset

SHORT_CHARS, FAST_CHARS = 97, 450
FAST_TEXTS = 200


def bench(*, model: str | None = None, rounds: int = 60, policy: str = "pretraining-corpus") -> dict[str, Any]:
    """Measure on one core; rounds of all lengths in turn."""
    scorer = Scorer.load(model, threads=1, max_chars=None)
    texts = {str(n): _text(scorer, n - 2 if n <= 128 else n) for n in (32, 128, 512)}
    short = text_of(SHORT_CHARS)
    ready = {name: _prepared(scorer, text) for name, text in {**texts, "short": short}.items()}
    fast_texts = [text_of(FAST_CHARS, number) for number in range(FAST_TEXTS)]
    with one_core():
        whole = interleaved(
            {name: _scoring(scorer, text) for name, text in {**texts, "short": short}.items()}, rounds=rounds
        )
        alone = interleaved({name: _running(scorer, row) for name, row in ready.items()}, rounds=rounds)
        fast = _fast(scorer, fast_texts, policy)
    pieces = {name: row.tokens_total for name, row in ready.items()}
    return {
        "tokens_per_s_per_core": {n: _rate(pieces[n], whole[n]) for n in texts},
        "tokens_per_s_per_core_network_alone": {n: _rate(pieces[n], alone[n]) for n in texts},
        "ms_p50": round(whole["short"].median * 1e3, 3),
        "ms_p99": round(whole["short"].p99 * 1e3, 3),
        "ms_p50_network_alone": round(alone["short"].median * 1e3, 3),
        "ms_p10_p90": {n: [round(s.low * 1e3, 3), round(s.high * 1e3, 3)] for n, s in whole.items()},
        "pieces": pieces,
        **fast,
    }


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on the first core it may use."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _fast(scorer: Scorer, texts: list[str], policy: str) -> dict[str, Any]:
    """Texts a second of the fast stage: normalised and judged, and with the language read, which ends in an answer."""
    clearance, name = scorer.clearance, scorer.certificate_for(load_preset(policy).edges_for(None))
    if clearance is None or name is None:
        return {"fast_docs_per_s": None}
    certificate = clearance.certificates[name]
    answers = [scorer.prepare(text, certificate=name) for text in texts]
    cleared = sum(isinstance(a, Scored) and a.stage == FAST for a in answers)

    def judge() -> None:
        for text in texts:
            clearance.stage.clear(normalise(text).text, certificate)

    def answer() -> None:
        for text in texts:
            scorer.prepare(text, certificate=name)

    def exact() -> None:
        for text in texts[:8]:
            scorer.score_one(text)

    times = interleaved({"judge": judge, "answer": answer, "exact": exact}, rounds=15)
    return {
        "fast_docs_per_s": round(len(texts) / times["judge"].median),
        "fast_answers_per_s": round(len(texts) / times["answer"].median),
        "exact_docs_per_s_450_chars": round(8 / times["exact"].median, 1),
        "fast_cleared_of_these": cleared / len(texts),
    }


def _text(scorer: Scorer, pieces: int) -> str:
    return text_of_pieces(pieces, lambda text: _prepared(scorer, text).tokens_total)


def _prepared(scorer: Scorer, text: str) -> Prepared:
    found = scorer.prepare(text, language="en")
    assert isinstance(found, Prepared)
    return found


def _scoring(scorer: Scorer, text: str) -> Any:
    return lambda: scorer.score_one(text)


def _running(scorer: Scorer, row: Prepared) -> Any:
    return lambda: [scorer.run(window) for window in row.windows]


def _rate(pieces: int, spread: Spread) -> int:
    return round(pieces / spread.median)
