"""The cutter: a model's sizes applied, so that all who cut its texts read the same rows."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from fakes import build_artefact
from prefilter.models.text.cutter import Cutter
from prefilter.models.text.normalisation import normalise
from prefilter.models.text.windows import context_pieces, load_tokenizer, windows

TEXT = normalise("A calm line about bread. " * 20)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return load_tokenizer(build_artefact(tmp_path_factory.mktemp("model")) / "tokenizer.json")


def rows(found: list) -> list:
    return [(w.ids.tolist(), w.types.tolist(), w.start, w.end) for w in found]


def test_a_text_is_cut_by_the_models_sizes(tokenizer: Tokenizer) -> None:
    found = Cutter(tokenizer, 64, 16).cut(TEXT)
    by_hand, tokens = windows(TEXT, tokenizer, length=64, overlap=16)
    assert (rows(found.windows), found.tokens) == (rows(by_hand), tokens)
    assert len(found.windows) > 1


def test_the_end_of_a_context_is_in_every_window_and_counted(tokenizer: Tokenizer) -> None:
    behind, total = context_pieces("rude bread", tokenizer, limit=4)
    found = Cutter(tokenizer, 64, 16, 4).cut(TEXT, "rude bread")
    assert rows(found.windows) == rows(windows(TEXT, tokenizer, length=64, overlap=16, context=behind)[0])
    assert (found.context_seen, found.context_total) == (4, total)


@pytest.mark.parametrize(("limit", "context"), [(0, "rude"), (4, None), (4, "")])
def test_no_context_and_no_room_for_one_are_the_text_alone(
    tokenizer: Tokenizer, limit: int, context: str | None
) -> None:
    found = Cutter(tokenizer, 64, 16, limit).cut(TEXT, context)
    assert rows(found.windows) == rows(Cutter(tokenizer, 64, 16).cut(TEXT).windows)
    assert found.context_seen == 0
