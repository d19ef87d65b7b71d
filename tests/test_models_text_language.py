"""The language gate: English of every kind passes, and a text in another language is never allowed silently."""

from __future__ import annotations

import pytest

from prefilter.models.text.language import LANGUAGE, PIECES, SCRIPT, identify, readable

ENGLISH = [
    "The quick brown fox jumps over the lazy dog.",
    "lol ur so funny omg cant even",
    "@sam_77 https://t.co/x1y2z3 #MondayMood",
    "THIS IS ALL IN CAPITALS AND STILL ENGLISH",
    "gg",
    "Bonjour, mon ami! That is all the French I know, so let me go on in English now.",
    "def f(x): return x + 1",
]
FOREIGN = [
    "Das ist ein ganz gew\u00f6hnlicher deutscher Satz \u00fcber das Wetter.",
    "Esta ma\u00f1ana fuimos al mercado a comprar pan y fruta.",
    "Il fait beau aujourd'hui et nous allons au parc.",
    "Hari ini cuaca cerah dan kami pergi ke pasar.",
]


@pytest.mark.parametrize("text", ENGLISH)
def test_english_passes(text: str) -> None:
    assert readable(text, declared=None, unknown_share=0.0) is None


@pytest.mark.parametrize("text", FOREIGN)
def test_another_language_does_not(text: str) -> None:
    assert readable(text, declared=None, unknown_share=0.0) == LANGUAGE


@pytest.mark.parametrize(
    "text", ["\u041f\u0440\u0438\u0432\u0435\u0442", "\u4f60\u597d", "\u0645\u0631\u062d\u0628\u0627"]
)
def test_another_script_does_not_even_when_english_is_declared(text: str) -> None:
    assert readable(text, declared="en", unknown_share=0.0) == SCRIPT


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ("en", None),
        ("en-GB", None),
        ("EN_us", None),
        ("und", None),
        ("de", LANGUAGE),
        ("pt-BR", LANGUAGE),
        ("xx", LANGUAGE),
    ],
)
def test_a_declared_language_is_believed(declared: str, reason: str | None) -> None:
    assert readable("OK then", declared=declared, unknown_share=0.0) == reason


def test_declaring_english_does_not_make_it_so() -> None:
    assert readable(FOREIGN[0], declared="en", unknown_share=0.0) == LANGUAGE


def test_unknown_word_pieces_are_not_read_over() -> None:
    assert readable("ok", declared=None, unknown_share=0.9) == PIECES


def test_a_foreign_half_of_a_long_text_is_found() -> None:
    assert identify("The weather is fine and we are going out. " * 50 + FOREIGN[0] * 50) == "de"


def test_the_language_is_named() -> None:
    assert identify(ENGLISH[0]) == "en"
    assert identify(FOREIGN[1]) == "es"
    assert identify("gg") is None
