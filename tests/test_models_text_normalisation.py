"""Text: what counts as a text, and what normalisation undoes while it keeps the map to the original."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefilter.models.text import normalisation as module
from prefilter.models.text.normalisation import check_text, normalise

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=200)
DISGUISES = st.text(alphabet="ab eE.-_*@$!013&;#lt\t\n\x00\x7f", max_size=60)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "not_a_string"),
        (b"bytes", "not_a_string"),
        ("", "empty_text"),
        (" \n\u00a0", "empty_text"),
        ("a\ud800b", "lone_surrogate"),
        ("abc", "text_too_long"),
    ],
)
def test_a_broken_text_is_named(value: object, code: str) -> None:
    error = check_text(value, max_chars=2 if value == "abc" else None)
    assert error is not None
    assert error.code == code


def test_nul_and_long_texts_pass_where_no_limit_is_set() -> None:
    assert check_text("a\x00b") is None
    assert check_text("a" * 1_000_001, max_chars=None) is None
    assert check_text("a" * 1_000_001) is not None


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("\uff26\uff55\uff4c\uff4c \ufb01ne", "Full fine"),
        ("in\u200bvis\u00adible \u202etext\x00\x07", "invisible text"),
        ("one\ntwo\tthree\u2028four  five ", "one two three four five"),
        ("caf&eacute; &lt;b&gt; &amp;amp; AT&T", "caf\u00e9 <b> & AT&T"),
        ("p\u0430ym\u0435nt and \u0441\u043e\u0440", "payment and cop"),
        ("\u1d0b\u026a\u0274\u1d05 \U0001f170\U0001f171", "kind AB"),
        ("z\u0338\u0321a\u0334l\u0337g\u0338o", "zalgo"),
        ("w o r d s and s.p.e.l.l.e.d and U-S-A", "words and spelled and U-S-A"),
        ("h3llo w0rld b4n@na k1nd a55et sn!p", "hello world banana kind asset snip"),
        ("sooooo gooood", "soo good"),
        ("it\u2019s \u201cquoted\u201d \u2013 dash", 'it\'s "quoted" - dash'),
        ("\U000e0068\U000e0069", "hi"),
    ],
)
def test_a_disguise_is_undone(sent: str, read: str) -> None:
    assert normalise(sent).text == read


@pytest.mark.parametrize(
    "text",
    [
        "H2O, B2B, mp3, H1N1, v1.0a, i18n, 0x3f4a5b, a1b2c3d4e5f6",
        "https://example.org/w0rld?a1b and john@example.org",
        "\u042d\u0442\u043e \u043f\u0440\u043e\u0441\u0442\u043e \u0441\u043e\u0440 in English",
        "\u03b1\u03b2\u03b3 \u03bf\u03bd\u03bf\u03bc\u03b1",
        "wait!what and 3 a 4 b",
    ],
)
def test_ordinary_text_stays_itself(text: str) -> None:
    assert normalise(text).text == text


@given(st.one_of(DISGUISES, st.text(alphabet=st.characters(max_codepoint=127), max_size=200)))
def test_the_ascii_path_ends_like_the_long_one(text: str) -> None:
    short, long = normalise(text), module._normalise(text, ascii_path=False)
    assert short.text == long.text
    assert short.offsets.tolist() == long.offsets.tolist()


@given(ANY_TEXT)
def test_offsets_rise_from_the_text_to_its_end(text: str) -> None:
    found = normalise(text)
    assert len(found.offsets) == len(found.text) + 1
    assert (found.offsets[1:] >= found.offsets[:-1]).all()
    assert found.offsets[-1] == len(text)
    assert not found.text or 0 <= found.offsets[0] < len(text)


@given(ANY_TEXT)
def test_what_is_left_can_be_stored_and_sent(text: str) -> None:
    read = normalise(text).text
    read.encode("utf-8")
    assert "\x00" not in read
    assert read == read.strip()


def test_a_span_points_at_what_was_sent() -> None:
    sent = "say k\u200bi\u200bn\u200bd words"
    found = normalise(sent)
    start = found.text.index("kind")
    low, high = found.original_span(start, start + 4)
    assert sent[low:high] == "k\u200bi\u200bn\u200bd"


@pytest.mark.parametrize(
    "unit", ["a ", "a\x00", "&amp;", "e\u0301\u0323", "k\u0430l ", "a1", "a!", "a.", "\u00bd", "\U0001f600"]
)
def test_time_is_linear_in_the_length(unit: str) -> None:
    begun = time.perf_counter()
    normalise(unit * 200_000)
    assert time.perf_counter() - begun < 10
