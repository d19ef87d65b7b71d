"""A text in parts is the text, wherever it was cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prefilter.serving.stream.growing_text import GrowingText


def halves(text: str) -> list[str]:
    """The UTF-16 code units, one by one, as a JSON writer may cut them."""
    units = text.encode("utf-16-le")
    return [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]


@given(st.text(max_size=60))
def test_every_cutting_gives_the_text_back(text: str) -> None:
    arriving = GrowingText(max_chars=1_000)
    for unit in halves(text):
        assert arriving.add(unit) is None
        assert text.startswith(arriving.text)
    assert arriving.end() is None
    assert arriving.text == text
    assert len(arriving) == len(text)


def test_half_a_character_at_the_end_is_an_error() -> None:
    arriving = GrowingText(max_chars=10)
    assert arriving.add("so\ud83d") is None
    error = arriving.end()
    assert error is not None
    assert error.code == "lone_surrogate"


def test_halves_that_do_not_belong_together_are_an_error() -> None:
    arriving = GrowingText(max_chars=10)
    assert arriving.add("\ud83d") is None
    error = arriving.add("x")
    assert error is not None
    assert error.code == "lone_surrogate"


def test_a_text_over_the_limit_is_refused_and_what_was_there_stays() -> None:
    arriving = GrowingText(max_chars=5)
    assert arriving.add("four") is None
    error = arriving.add("teen")
    assert error is not None
    assert error.code == "text_too_long"
    assert arriving.text == "four"
