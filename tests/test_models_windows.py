"""Windows: nothing truncated, nothing hidden, cut where sentences end."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from fakes import DUBIOUS, build_artefact
from prefilter.models.text import normalise
from prefilter.models.windows import Window, load_tokenizer, windows


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(build_artefact(tmp_path_factory.mktemp("model")) / "tokenizer.json")


def cut(text: str, tokenizer: Tokenizer) -> tuple[list[Window], int]:
    return windows(normalise(text), tokenizer)


def words(window: Window, tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.id_to_token(int(i)) for i in window.ids[1:-1]]


def test_a_short_text_is_one_window_of_all_its_pieces(tokenizer: Tokenizer) -> None:
    found, total = cut("  ab rude!  ", tokenizer)
    assert [words(w, tokenizer) for w in found] == [["a", "##b", "rude", "!"]]
    assert total == 4
    assert (found[0].start, found[0].end) == (2, 12)


@given(st.lists(st.sampled_from(["rude", "a", "abcdefgh", ".", "x" * 150, "\u00e9t\u00e9"]), max_size=400))
def test_windows_cover_every_piece_and_stay_short(tokenizer: Tokenizer, parts: list[str]) -> None:
    text = " ".join(parts)
    found, total = cut(text, tokenizer)
    assert all(2 <= len(w.ids) <= 128 for w in found)
    covered = np.zeros(len(text) + 1, dtype=bool)
    for window in found:
        covered[window.start : window.end] = True
    assert all(covered[i] for i, c in enumerate(text) if not c.isspace())
    assert total <= sum(len(w.ids) - 2 for w in found)


def test_neighbours_overlap_by_about_32_pieces_counted_once(tokenizer: Tokenizer) -> None:
    found, total = cut("rude " * 300, tokenizer)
    assert total == 300
    assert sum(len(w.ids) - 2 for w in found) == 300 + 32 * (len(found) - 1)


def test_a_window_ends_where_a_sentence_ends(tokenizer: Tokenizer) -> None:
    text = ("rude " * 29 + "rude. ") * 10
    found, _ = cut(text, tokenizer)
    assert all(text[: w.end].rstrip().endswith(".") for w in found)


def test_a_word_is_not_cut_where_it_can_be_avoided(tokenizer: Tokenizer) -> None:
    found, _ = cut("abcdefg " * 100, tokenizer)
    assert all(not words(w, tokenizer)[0].startswith("##") for w in found)


@pytest.mark.parametrize(
    "text",
    ["yx" * 60 + DUBIOUS, "\ud55c\uae00" * 60 + " " + DUBIOUS, "\U0001f600" + DUBIOUS, DUBIOUS + "\u2c67"],
)
def test_a_strange_neighbour_hides_no_word(tokenizer: Tokenizer, text: str) -> None:
    found, _ = cut(text, tokenizer)
    spelled = "".join(piece.removeprefix("##") for w in found for piece in words(w, tokenizer))
    assert DUBIOUS in spelled.replace("[UNK]", "")


def test_a_mark_written_in_the_text_is_text(tokenizer: Tokenizer) -> None:
    found, _ = cut("a [SEP] b", tokenizer)
    assert words(found[0], tokenizer) == ["a", "[", "s", "##e", "##p", "]", "b"]


def test_a_text_without_pieces_is_one_empty_window(tokenizer: Tokenizer) -> None:
    found, total = cut("\u200b\u200b", tokenizer)
    assert [len(w.ids) for w in found] == [2]
    assert total == 0


def test_a_tokenizer_that_truncates_is_refused(tmp_path: Path) -> None:
    build_artefact(tmp_path)
    truncating = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    truncating.enable_truncation(16)
    with pytest.raises(ValueError, match="load_tokenizer"):
        windows(normalise("a"), truncating)


@pytest.mark.parametrize("unit", ["rude thing. ", "\U0001f600", "ab1", "\u4e2d"])
def test_a_megabyte_is_cut_in_seconds(tokenizer: Tokenizer, unit: str) -> None:
    size = len(unit.encode("utf-8"))
    begun = time.perf_counter()
    found, _ = cut(unit * (1_000_000 // size), tokenizer)
    assert found[-1].end >= 1_000_000 // size * len(unit) - 1
    assert time.perf_counter() - begun < 60
