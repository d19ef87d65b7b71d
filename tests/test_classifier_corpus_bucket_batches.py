"""Batches: a text and its context in one row, marks on the pieces people marked, large sources drawn less often."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from prefilter.classifier.corpus.bucket_batches import collate, training_batches
from prefilter.classifier.corpus.merging import load_examples
from prefilter.classifier.corpus.tokenised import UNMARKED, of_examples, tokenise
from prefilter.classifier.encoder import encoder_tokenizer
from training_samples import recipe as small_recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return small_recipe(tmp_path_factory.mktemp("rows"), count=400)


@pytest.fixture(scope="module")
def tokenizer(recipe):
    return encoder_tokenizer(recipe)


def test_the_text_comes_first_and_its_context_behind_it(recipe, tokenizer):
    found = tokenise(["A quiet day."], tokenizer, recipe, contexts=["How was it?"])
    alone = tokenise(["A quiet day."], tokenizer, recipe)
    length = len(alone.ids)
    assert found.ids[:length].tolist() == alone.ids.tolist()
    assert not found.types[:length].any()
    assert found.types[length:].all()
    assert len(found.ids) > length


def test_of_a_long_context_the_end_is_read(recipe, tokenizer):
    found = tokenise(["Yes."], tokenizer, recipe, contexts=["first " * 300 + "last"])
    assert int(found.types.sum()) == recipe.context_length + 1
    assert tokenizer.decode(found.ids[found.types == 1].tolist()).strip().endswith("last")


def test_marked_characters_mark_their_pieces(recipe, tokenizer):
    text = "The horrid garden."
    found = tokenise([text, text], tokenizer, recipe, spans=[((4, 10),), None])
    pieces = [tokenizer.id_to_token(int(i)) for i in found.ids[found.marks == 1]]
    assert "".join(p.removeprefix("##") for p in pieces) == "horrid"
    assert (found.marks[found.starts[1] :] == UNMARKED).all()
    assert found.marks[0] == UNMARKED


def test_a_pass_takes_an_example_with_its_share(recipe, tokenizer):
    examples, _ = load_examples(recipe, None)
    examples = dataclasses.replace(examples, share=np.where(np.arange(len(examples)) < 200, 1.0, 0.1))
    batches = training_batches(of_examples(examples, tokenizer, recipe), examples, recipe, epoch=0)
    taken = np.concatenate(batches)
    assert (taken < 200).sum() == 200
    assert 3 <= (taken >= 200).sum() <= 45


def test_padding_is_no_text_and_nobody_marked_it(recipe, tokenizer):
    found = tokenise(["Short.", "A much longer text about bread and rivers."], tokenizer, recipe)
    batch = collate(found, np.array([0, 1]), recipe.buckets)
    padded = batch.mask[0] == 0
    assert padded.any()
    assert (batch.marks[0, padded] == UNMARKED).all()
    assert not batch.ids[0, padded].any()
