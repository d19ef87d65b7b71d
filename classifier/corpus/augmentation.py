"""Augmentation: training texts made from others, against wrong rules that a few sources teach.

Three kinds, each a share of the recipe. *Disguised* texts keep their labels: a letter swapped, dropped, doubled or a
blank put into a word, which normalisation does not undo. *Framed* texts quote a harmful one: condemned, denied or
reported (no longer harmful, with less weight, and without a label for profanity, which is still there) or meant (as
harmful as before), so that neither the quotation marks nor the words inside decide alone. *Harmless* sentences name
groups of people, since the sources name them mostly where they are attacked (Dixon et al. 2018). Frames are in
`frames.toml`. The wide part never sees these: in a bag of words they would only contradict the texts they come from.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np

from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.recipe import Recipe
from prefilter.models.labels import ANY, HEADS

FRAMES_FILE = Path(__file__).with_name("frames.toml")
SHORT_CHARS = 160
"""Only texts up to this length are framed or disguised: nobody puts a page in quotation marks."""
FRAMED_HEADS = ("toxicity", "insult", "harassment", "hate", "threat", ANY)
FRAMED_WEIGHT = 0.5
LEAST_LETTERS = 4


def augment(examples: Examples, recipe: Recipe) -> Examples:
    """The texts made from `examples`, by the recipe's shares; marked words and contexts do not carry over."""
    draw = random.Random(recipe.seed)
    short = np.array([len(t) <= SHORT_CHARS and not c for t, c in zip(examples.texts, examples.contexts, strict=True)])
    heads = [HEADS.index(h) for h in FRAMED_HEADS]
    harmful = short & (examples.human[:, heads] & (examples.labels[:, heads] >= 0.5)).any(axis=1)
    made = [
        _disguised(_some(examples, short, recipe.disguised_share, draw), draw),
        _framed(_some(examples, harmful, recipe.framed_share, draw), draw),
        _harmless(examples, round(recipe.harmless_share * len(examples)), draw),
    ]
    return join_examples(made)


def join_examples(parts: list[Examples]) -> Examples:
    """Examples of the same sources, one part behind the other."""
    names = ("labels", "weights", "known", "human", "source", "split", "share")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Examples(
        texts=[t for part in parts for t in part.texts],
        contexts=[c for part in parts for c in part.contexts],
        spans=[s for part in parts for s in part.spans],
        source_names=parts[0].source_names,
        **arrays,
    )


def _some(examples: Examples, among: np.ndarray, share: float, draw: random.Random) -> Examples:
    """A random share of the chosen examples, in proportion to their `share` of a pass; marks are dropped."""
    rows = [int(r) for r in np.flatnonzero(among) if draw.random() < share * float(examples.share[r])]
    chosen = examples.take(np.array(rows, dtype=np.int64))
    return replace(chosen, share=np.ones(len(rows), dtype=np.float32), spans=[None] * len(rows))


def _disguised(chosen: Examples, draw: random.Random) -> Examples:
    return replace(chosen, texts=[disguise(text, draw) for text in chosen.texts])


def disguise(text: str, draw: random.Random) -> str:
    """`text` with a third of its longer words misspelt: a letter swapped, dropped or doubled, or a blank inside."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if sum(c.isalpha() for c in word) >= LEAST_LETTERS]
    for index in draw.sample(long, max(1, len(long) // 3)) if long else ():
        word = words[index]
        at = draw.randrange(1, len(word) - 1)
        swapped = word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
        changed = (swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word[:at] + " " + word[at:])
        words[index] = draw.choice([c for c in changed if c != word])
    return " ".join(words)


def _framed(chosen: Examples, draw: random.Random) -> Examples:
    frames = tomllib.loads(FRAMES_FILE.read_text(encoding="utf-8"))
    meant = np.array([draw.random() < 0.4 for _ in chosen.texts], dtype=bool)
    texts = [
        draw.choice(frames["affirming" if affirmed else "condemning"]).replace("{text}", text.strip())
        for text, affirmed in zip(chosen.texts, meant, strict=True)
    ]
    labels, weights = chosen.labels.copy(), chosen.weights * FRAMED_WEIGHT
    weights[~meant] = 0.0
    for head in (HEADS.index(h) for h in FRAMED_HEADS):
        known = ~meant & (chosen.weights[:, head] > 0)
        labels[known, head] = 0.0
        weights[known, head] = FRAMED_WEIGHT * chosen.weights[known, head]
    none = np.zeros_like(chosen.human)
    return replace(chosen, texts=texts, labels=labels, weights=weights.astype(np.float32), known=none, human=none)


def _harmless(examples: Examples, count: int, draw: random.Random) -> Examples:
    frames = tomllib.loads(FRAMES_FILE.read_text(encoding="utf-8"))
    rows = examples.take(np.zeros(count, dtype=np.int64))
    texts = [
        draw.choice(frames["harmless"])
        .replace("{group}", draw.choice(frames["groups"]))
        .replace("{name}", draw.choice(frames["names"]))
        for _ in range(count)
    ]
    nothing = np.zeros_like(rows.human)
    return replace(
        rows,
        texts=[text[0].upper() + text[1:] for text in texts],
        labels=np.zeros_like(rows.labels),
        weights=np.full_like(rows.weights, FRAMED_WEIGHT),
        known=nothing,
        human=nothing,
        share=np.ones(count, dtype=np.float32),
        contexts=[""] * count,
        spans=[None] * count,
    )
