"""Recall: a growing text keeps its windows, so that only changed ones are run, and the scores are the whole text's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from prefilter.models.recall import Recall, of_text
from prefilter.models.registry import resolve
from prefilter.models.scorer import Scorer
from prefilter.models.text.normalisation import normalise, settled
from prefilter.models.text.windows import Window, load_tokenizer, windows

PLAIN = [
    "a",
    "b",
    "k",
    "a",
    "b",
    "k",
    "library",
    "opens",
    "nine.",
    "Why?",
    "\n\n",
    "v3ry",
    "sooo",
    "x" * 120,
    "-",
    "*",
]
HIDDEN = [
    *("caf\u00e9", "&amp;", "\u200b", "e\u0301", "\U0001f469\u200d\U0001f467", "k\u200b\u200b\u200b"),
    *(
        "&#107",
        "&#0000107;",
        "&amp;#105;",
        "\u0430\u0441\u0435",
        "\u0436\u0438",
        "&#1072;&#1089;",
        "\u0441at",
    ),
]
"""Entities, marks, what cannot be seen, and words whose reading depends on every other word (look-alikes)."""
WORDS = st.lists(st.sampled_from([*PLAIN, *HIDDEN]), min_size=130, max_size=300)


@lru_cache(maxsize=1)
def scorer() -> Scorer:
    return Scorer.load()


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    return load_tokenizer(resolve(None) / "tokenizer.json")


def prepared(text: str) -> Any:
    return scorer().prepare(text, language="en", keep=False)


def closed(begun: str, whole: str) -> tuple[list[Window], list[Window]]:
    """The windows that are whole when `begun` was read, and what stands in their places when `whole` is."""
    before, after = (windows(normalise(text), tokenizer())[0] for text in (begun, whole))
    recall = of_text()
    recall.known(before)
    number, start = recall.open_window(settled(begun))
    assert start <= before[number].start
    return before[:number], after[:number]


def assert_same(early: list[Window], late: list[Window]) -> None:
    assert [(w.ids.tolist(), w.start, w.end) for w in early] == [
        (w.ids.tolist(), w.start, w.end) for w in late
    ]


@settings(max_examples=150, deadline=None)
@given(WORDS, st.integers(100, 299))
def test_windows_before_the_open_one_never_change(words: list[str], at: int) -> None:
    assert_same(*closed(" ".join(words[:at]), " ".join(words)))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(["x" * 90, "ab", "9", "!", "\u00e9", "\u0441", "&amp;", "a.", "k"]),
        min_size=20,
        max_size=80,
    ),
    st.data(),
)
def test_a_word_without_end_is_open_from_its_beginning(parts: list[str], data: st.DataObject) -> None:
    word, lead = "".join(parts), "one two three. " * 40
    at = data.draw(st.integers(0, len(word)))
    assert_same(*closed(f"{lead}{word[:at]}", f"{lead}{word} and more"))


@pytest.mark.parametrize("letters", range(40, 60))
def test_a_window_that_may_not_be_needed_is_not_closed(letters: int) -> None:
    begun = f"{'one. ' * 80}And here it ends. {'two' * 1}{' two' * letters} k i l"
    assert_same(*closed(begun, f"{begun} l"))


@pytest.mark.parametrize("later", ["\u0436\u0438", "ab", "\u0436777ab"])
def test_a_word_that_tells_disguise_from_another_script_later_changes_no_closed_window(later: str) -> None:
    begun = f"{'one ' * 60}\u0430\u0441\u0435 {'two ' * 300}\u0436777"
    early, late = closed(begun, f"{begun}{later} {later}")
    assert_same(early, late)
    assert len(early) == 0  # everything from the look-alikes on is open


def test_letters_at_the_end_that_may_become_a_word_keep_their_window_open() -> None:
    for words in range(110, 130):
        begun, whole = f"{'one ' * words}k i l", f"{'one ' * words}k i l l"
        assert_same(*closed(begun, whole))


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
