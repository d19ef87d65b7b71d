"""What of a text still being written may go out: nothing torn, and never more than the bound."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from prefilter.serving.stream.holdback import MAX_WORD_CHARS, Holdback, boundary

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"  # one emoji of five code points
LONG = "x" * 200
PIECES = st.lists(
    st.sampled_from(["word", " ", "\n", FAMILY, "e\u0301", "&amp;", "\\u00e9", "%C3%A9", LONG, "\U0001f1e9\U0001f1ea"]),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    ("text", "parted"),
    [
        ("one two thr", "one two"),
        ("one two ", "one two"),
        ("unfinished", ""),
        (f"{LONG}{FAMILY}", LONG),
        (f"{LONG}e\u0301", LONG),
        (f"{LONG}&am", LONG),
        (f"{LONG}\\u00e", LONG),
        (f"{LONG}%C", LONG),
    ],
)
def test_a_text_is_parted_where_nothing_is_torn(text: str, parted: str) -> None:
    assert text[: boundary(text, len(text))] == parted


@given(PIECES, st.integers(0, 300))
def test_no_cluster_is_ever_cut(text: str, end: int) -> None:
    cut = boundary(text, end)
    ends = {0, *(found.end() for found in regex.finditer(r"\X", text))}
    assert cut in ends
    assert cut <= min(end, len(text))


@given(PIECES, st.lists(st.integers(0, 40), max_size=20), st.integers(0, 50))
def test_what_went_out_is_the_beginning_of_the_text_and_grows(text: str, steps: list[int], bound: int) -> None:
    held, out, opened = Holdback(bound), "", 0
    for step in steps:
        opened = min(opened + step, len(text))
        out += held.allowed(text, len(text), open_start=opened, whole=False)
        assert text.startswith(out)
        assert held.unsafe_chars() <= bound
    assert out + held.allowed(text, len(text), open_start=0, whole=True) == text


def test_of_an_open_window_no_more_goes_out_than_the_bound() -> None:
    held = Holdback(10)
    text = "twenty one characters and many more behind them"
    assert held.allowed(text, len(text), open_start=0, whole=False) == "twenty one"
    assert held.allowed(text, len(text), open_start=3, whole=False) == ""
    assert held.unsafe_chars() == 7


def test_a_refusal_is_final_when_its_window_is_whole_or_the_text_is() -> None:
    held = Holdback(0)
    assert not held.refused(("window", 2), whole=False)
    assert not held.refused(("window", 2), whole=False)
    assert held.refused(("window", 3), whole=False)
    assert Holdback(0).refused(("window", 0), whole=True)


def test_doubt_ends_when_the_text_is_allowed_again() -> None:
    held = Holdback(0)
    held.refused(("window", 0), whole=False)
    held.allowed("x" * 80, 80, open_start=0, whole=False)
    assert not held.refused(("window", 1), whole=False)


def test_doubt_of_another_kind_begins_anew() -> None:
    held = Holdback(0)
    held.refused(("unread", 9), whole=False)
    assert not held.refused(("window", 11), whole=False)
    assert held.refused(("window", 12), whole=False)


def test_what_was_reopened_counts_as_unsafe() -> None:
    held = Holdback(0)
    held.allowed("one two three four", 13, open_start=9, whole=False)
    assert (held.unsafe_chars(), held.unsafe_chars(reopened=2)) == (0, 5)


def test_a_cluster_of_hundreds_of_marks_is_not_torn() -> None:
    text = LONG + "a" + "\u0301" * 400 + " and"
    assert boundary(text, 400) == len(LONG)


def test_a_word_without_end_goes_out_in_parts() -> None:
    assert 0 < boundary(LONG, len(LONG)) < len(LONG)
    assert boundary(LONG[:MAX_WORD_CHARS], MAX_WORD_CHARS) == 0
