"""Augmentation: disguises keep their labels, condemned quotations lose them, and nothing made is called a person's."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import numpy as np

from prefilter.classifier.corpus.augmentation import FRAMES_FILE, augment, disguise
from prefilter.classifier.corpus.merging import build_examples
from prefilter.classifier.corpus.sources import Source
from prefilter.classifier.recipe import Recipe
from prefilter.models.labels import HEADS

TOXICITY, PROFANITY, HATE = (HEADS.index(h) for h in ("toxicity", "profanity", "hate"))


def examples(recipe):
    labels = np.full((600, len(HEADS)), np.nan, dtype=np.float32)
    labels[:, [TOXICITY, PROFANITY, HATE]] = (np.arange(600) % 2)[:, None]
    texts = [f"{'horrid' if n % 2 else 'quiet'} garden number {n}" for n in range(600)]
    spans = [((0, 6),) if n % 2 else () for n in range(600)]
    source = Source("a", "open", True, texts, labels, np.zeros(600, dtype=bool), [""] * 600, [""] * 600, spans)
    return build_examples([source], recipe).of("train")


def recipe(**changes):
    return Recipe.from_mapping({"name": "a", "version": "1", **changes}, base=Path())


def test_without_shares_nothing_is_made():
    assert len(augment(examples(recipe()), recipe())) == 0


def test_a_disguised_text_differs_and_keeps_its_labels():
    plan = recipe(disguised_share=0.5)
    given = examples(plan)
    made = augment(given, plan)
    assert len(made) > 100
    assert not set(made.texts) & set(given.texts)
    assert 0.3 < made.labels[:, TOXICITY].mean() < 0.7
    assert made.spans == [None] * len(made)


def test_a_condemned_quotation_is_no_longer_harmful_and_silent_on_profanity():
    plan = recipe(framed_share=1.0)
    made = augment(examples(plan), plan)
    condemned = made.labels[:, TOXICITY] < 0.5
    assert 0.4 < condemned.mean() < 0.8
    assert (made.weights[condemned, HATE] > 0).all()
    assert (made.weights[condemned, PROFANITY] == 0).all()
    assert (made.weights[~condemned, PROFANITY] > 0).all()
    assert not made.human.any()


def test_harmless_sentences_name_groups_and_know_every_head():
    plan = recipe(harmless_share=0.1)
    made = augment(examples(plan), plan)
    groups = tomllib.loads(FRAMES_FILE.read_text())["groups"]
    assert all(any(group in text.lower() for group in groups) for text in made.texts)
    assert (made.weights > 0).all()
    assert not made.labels.any()


def test_the_same_seed_makes_the_same_texts():
    plan = recipe(framed_share=0.3, disguised_share=0.3, harmless_share=0.1)
    assert augment(examples(plan), plan).texts == augment(examples(plan), plan).texts


def test_a_disguise_leaves_short_words_alone():
    assert disguise("a day at my inn", random.Random(1)) == "a day at my inn"
    assert disguise("wonderful", random.Random(1)) != "wonderful"
