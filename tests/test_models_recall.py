"""Recall: a growing text keeps its windows, so that only changed ones are run, and the scores are the whole text's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from prefilter.models.recall import Recall, of_text
from prefilter.models.scored import Scored
from prefilter.models.scorer import Scorer

WORDS = st.lists(
    st.sampled_from(
        ["a", "b", "k", "a", "b", "k", "library", "opens", "nine.", "Why?", "\n\n", "caf\u00e9", "&amp;", "v3ry",
         "sooooo", "\u200b", "e\u0301", "\U0001f469\u200d\U0001f467", "x" * 120, "-", "*", "_", "."]
    ),
    min_size=130,
    max_size=300,
)  # fmt: skip


@lru_cache(maxsize=1)
def scorer() -> Scorer:
    return Scorer.load()


def prepared(text: str) -> Any:
    found = scorer().prepare(text, language="en", keep=False)
    return None if isinstance(found, Scored) else found


@settings(max_examples=40, deadline=None)
@given(WORDS, st.integers(100, 299))
def test_windows_before_the_open_one_never_change(words: list[str], at: int) -> None:
    begun, whole = " ".join(words[:at]), " ".join(words)
    before, after = prepared(begun), prepared(whole)
    if before is None or after is None:
        return
    recall = of_text()
    recall.known(before.windows)
    closed, start = recall.open_window(len(begun))
    for early, late in zip(before.windows[:closed], after.windows, strict=False):
        assert early.ids.tolist() == late.ids.tolist()
        assert (early.start, early.end) == (late.start, late.end)
    assert start <= before.windows[closed].start


def test_letters_at_the_end_that_may_become_a_word_keep_their_window_open() -> None:
    for words in range(110, 130):
        begun, whole = f"{'one ' * words}k i l", f"{'one ' * words}k i l l"
        before, after = prepared(begun), prepared(whole)
        recall = of_text()
        recall.known(before.windows)
        closed, _ = recall.open_window(len(begun))
        assert [w.ids.tolist() for w in before.windows[:closed]] == [w.ids.tolist() for w in after.windows[:closed]]


def test_only_what_changed_is_run_and_the_scores_are_those_of_the_whole_text() -> None:
    text = " ".join(f"Sentence {number} tells of bread and {number * 7} boats." for number in range(60))
    recall, runs = of_text(), []
    for end in range(200, len(text) + 200, 200):
        found = prepared(text[:end])
        known = recall.known(found.windows)
        for place, window in enumerate(found.windows):
            if known[place] is None:
                known[place] = scorer().run(window)
                recall.learn(window, known[place])
                runs.append(place)
        last = scorer().conclude(found, known)
    assert last == scorer().score_one(text, language="en")
    assert len(runs) < 2 * len(range(0, len(text), 200))


def test_windows_that_are_gone_are_forgotten() -> None:
    recall: Recall[str, int] = Recall(str.encode, lambda _window: (0, 1))
    recall.learn("a", 1)
    assert recall.known(["a", "b"]) == [1, None]
    assert recall.known(["b"]) == [None]
    assert recall.known(["a"]) == [None]
