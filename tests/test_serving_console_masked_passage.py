"""A text cut into pieces: nothing hidden leaks, nothing shown is lost, no control character takes effect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefilter.serving.console.masked_passage import merge, pieces
from prefilter.serving.console.rendering import share, since, words

SPANS = st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=5)


@given(st.text(max_size=50), SPANS)
def test_a_shown_text_is_whole(text: str, spans: list[tuple[int, int]]) -> None:
    out = pieces(text, spans, hidden=False)
    plain = "".join(chr(int(p.text[2:], 16)) if p.kind == "control" else p.text for p in out)
    assert plain == text.replace("\r\n", "\n") or "\r" in text


@given(st.text(alphabet="ab", max_size=50), SPANS)
def test_a_hidden_span_leaves_only_its_length(text: str, spans: list[tuple[int, int]]) -> None:
    out = pieces(text, spans, hidden=True)
    assert sum(piece.chars for piece in out) == len(text)
    assert all(piece.text == "" for piece in out if piece.kind == "hidden")
    hidden = sum(end - start for start, end in merge(spans, len(text)))
    assert sum(piece.chars for piece in out if piece.kind == "hidden") == hidden


def test_offsets_are_code_points() -> None:
    out = pieces("\U0001f642\U0001f642 calm", [(1, 2)], hidden=True)
    assert [piece.text for piece in out] == ["\U0001f642", "", " calm"]


@pytest.mark.parametrize("control", ["\u202e", "\u2066", "\u200b", "\x00", "\ufeff", "\u061c", "\u0085"])
def test_control_characters_are_named_instead_of_obeyed(control: str) -> None:
    out = pieces(f"a{control}b", [], hidden=False)
    assert [piece.text for piece in out] == ["a", f"U+{ord(control):04X}", "b"]


def test_joiners_of_emoji_and_line_feeds_are_left_alone() -> None:
    family = "\U0001f468\u200d\U0001f469\n\tcalm"
    assert [piece.text for piece in pieces(family, [], hidden=False)] == [family]


def test_words_for_people() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert (words("self_harm"), words("any"), words("threat")) == ("Self-harm", "Any harm", "Threat")
    assert [since(now - timedelta(seconds=s), now) for s in (5, 65, 7300, 200_000)] == [
        "5 s",
        "1 min",
        "2 h",
        "2 d",
    ]
    assert [share(0, 10), share(5, 10), share(1, 300), share(1, 0)] == ["0 %", "50 %", "0.3 %", "\u2013"]
