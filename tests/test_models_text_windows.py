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
from prefilter.models.text.normalisation import normalise
from prefilter.models.text.windows import Window, context_pieces, load_tokenizer, windows


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(build_artefact(tmp_path_factory.mktemp("model")) / "tokenizer.json")


def cut(text: str, tokenizer: Tokenizer) -> tuple[list[Window], int]:
    return windows(normalise(text), tokenizer)


def words(window: Window, tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.id_to_token(int(i)) for i in window.ids[1 : 1 + len(window.pieces)]]


def behind(window: Window, tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.id_to_token(int(i)) for i in window.ids[1 + len(window.pieces) :]]


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


def test_a_context_stands_behind_the_text_and_moves_no_piece(tokenizer: Tokenizer) -> None:
    ids, total = context_pieces("dubious; rude!", tokenizer, limit=3)
    assert (len(ids), total) == (3, 4)
    (alone,), _ = cut("ab rude", tokenizer)
    (paired,), pieces = windows(normalise("ab rude"), tokenizer, context=ids)
    assert pieces == 3
    assert behind(alone, tokenizer) == ["[SEP]"]
    assert behind(paired, tokenizer) == ["[SEP]", ";", "rude", "!", "[SEP]"]
    assert paired.ids[: len(alone.ids)].tolist() == alone.ids.tolist()
    assert alone.types.tolist() == [0, 0, 0, 0, 0]
    assert paired.types.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("context", ["rude " * 48, "rude " * 110])
def test_a_context_takes_its_room_from_every_window_and_from_no_piece(
    tokenizer: Tokenizer, context: str
) -> None:
    ids, total = context_pieces(context, tokenizer, limit=110)
    found, pieces = windows(normalise("ab rude. " * 200), tokenizer, context=ids)
    assert pieces == 800
    assert all(len(w.ids) <= 128 and len(w.pieces) <= 128 - 3 - total for w in found)
    assert all(behind(w, tokenizer)[-2:] == ["rude", "[SEP]"] for w in found)
    assert found[-1].end == len("ab rude. " * 200)
    assert len(found) < 3 * 800 / (128 - 3 - total)


def test_a_context_is_cleaned_of_disguises_as_texts_are(tokenizer: Tokenizer) -> None:
    plain, disguised = (context_pieces(c, tokenizer, limit=9)[0] for c in ("rude", "r\u200bu&#100;e"))
    assert plain.tolist() == disguised.tolist()


def test_no_context_and_an_empty_one_are_the_same_row(tokenizer: Tokenizer) -> None:
    nothing, total = context_pieces("", tokenizer, limit=9)
    assert total == 0
    (alone,), _ = cut("rude", tokenizer)
    (paired,), _ = windows(normalise("rude"), tokenizer, context=nothing)
    assert paired.ids.tolist() == alone.ids.tolist()


def test_a_context_that_leaves_no_room_is_refused(tokenizer: Tokenizer) -> None:
    ids, _ = context_pieces("rude " * 120, tokenizer, limit=120)
    with pytest.raises(ValueError, match="leave 5 for the text"):
        windows(normalise("rude"), tokenizer, context=ids)


def test_every_piece_knows_where_it_stands_in_the_text_as_sent(tokenizer: Tokenizer) -> None:
    text = " r\u200bude &amp; d.u.b.i.o.u.s ab"
    (window,), _ = cut(text, tokenizer)
    assert [text[start:end] for start, end in window.pieces] == [
        "r\u200bude",
        "&amp;",
        "d.u.b.i.o.u.s",
        "a",
        "b",
    ]
    assert window.begins.tolist() == [True, True, True, True, False]


@given(st.text(alphabet="ab &;#160x\u200b\u00bd\u00e9\ufb03.", max_size=60))
def test_the_spans_of_pieces_are_those_of_the_text_one_by_one(tokenizer: Tokenizer, text: str) -> None:
    found, _ = cut(text, tokenizer)
    for window in found:
        assert len(window.pieces) == len(window.begins) == len(window.ids) - 2
        assert ((window.pieces >= 0) & (window.pieces <= len(text))).all()
        assert (window.pieces[:, 0] <= window.pieces[:, 1]).all()
        assert (np.diff(window.pieces[:, 0]) >= 0).all()


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
