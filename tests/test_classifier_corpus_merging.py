"""Merging: each text once, no text or pair in two splits, nothing of the test suites, weights as the recipe says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from prefilter.classifier.corpus.examples import SPLITS, text_key
from prefilter.classifier.corpus.merging import build_examples
from prefilter.classifier.corpus.sources import Source
from prefilter.classifier.recipe import Recipe
from prefilter.models.labels import HEADS

TOXICITY, SEXUAL = HEADS.index("toxicity"), HEADS.index("sexual")


def source(name, texts, toxicity, *, human=True, pair=None, context=None, spans=None):
    labels = np.full((len(texts), len(HEADS)), np.nan, dtype=np.float32)
    labels[:, TOXICITY] = toxicity
    held_out = np.zeros(len(texts), dtype=bool)
    blank = [""] * len(texts)
    nothing = [None] * len(texts)
    pair, context, spans = list(pair or blank), list(context or blank), list(spans or nothing)
    return Source(name, "open", human, list(texts), labels, held_out, pair, context, spans)


def plain(**changes):
    return Recipe.from_mapping({"name": "a", "version": "1", **changes}, base=Path())


def test_a_text_in_two_disguises_is_one_example():
    found = build_examples([source("a", ["A  quiet day", "a quiet day", "a loud day"], [0, 0, 1])], plain())
    assert len(found) == 2


def test_a_persons_label_outweighs_a_machines():
    found = build_examples([source("weak", ["a day"], [1], human=False), source("a", ["a day"], [0])], plain())
    assert found.labels[0, TOXICITY] == 0
    assert found.human[0, TOXICITY]


def test_held_out_texts_are_dropped_however_they_are_written():
    found = build_examples([source("a", ["Tested  TEXT", "other"], [1, 0])], plain(), held_out=["tested text"])
    assert found.texts == ["other"]


def test_a_pair_stays_in_one_split_and_all_splits_are_filled():
    texts = [f"text number {n}" for n in range(4000)]
    pairs = [f"a:{n // 2}" for n in range(4000)]
    found = build_examples([source("a", texts, np.zeros(4000), pair=pairs)], plain())
    split = dict(zip(found.texts, found.split.tolist(), strict=True))
    assert all(split[texts[n]] == split[texts[n + 1]] for n in range(0, 4000, 2))
    shares = np.bincount(found.split, minlength=3) / 4000
    assert np.allclose(shares, [0.82, 0.15, 0.03], atol=0.03)


def test_adding_a_source_moves_no_text_to_another_split():
    texts = [f"text number {n}" for n in range(300)]
    alone = build_examples([source("a", texts, np.zeros(300))], plain())
    more = build_examples([source("b", ["new"], [1]), source("a", texts, np.zeros(300))], plain())
    assert dict(zip(alone.texts, alone.split, strict=True)).items() <= dict(
        zip(more.texts, more.split, strict=True)
    ).items()


def test_unknown_has_no_weight_and_presumed_negatives_a_small_one():
    rules = {"a": {"presume_negative": ["sexual"]}}
    found = build_examples([source("a", ["a day"], [1])], plain(sources=rules, presumed_weight=0.1))
    assert found.weights[0, TOXICITY] == 1
    assert np.isclose(found.weights[0, SEXUAL], 0.1)
    assert not found.human[0, SEXUAL]
    assert np.count_nonzero(found.weights[0]) == 2


def test_a_cap_holds_for_each_kind_of_row():
    many = source("a", [f"text {n}" for n in range(50)], [1.0] * 30 + [0.0] * 20)
    found = build_examples([many], plain(sources={"a": {"cap": 5}}))
    assert (found.labels[:, TOXICITY] >= 0.5).sum() == 5
    assert len(found) == 10


def test_splits_are_disjoint_by_text_key():
    found = build_examples([source("a", [f"text {n}" for n in range(500)], np.zeros(500))], plain())
    keys = [{text_key(t) for t in found.of(split).texts} for split in SPLITS]
    assert sum(len(k) for k in keys) == len(set.union(*keys)) == 500
