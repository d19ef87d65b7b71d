"""Distillation: the fast stage learns the transformer's scores and verdicts from texts without labels.

A target is the transformer's own score per head, and one verdict per policy: how far the highest score is above or
below that policy's edges. So the student learns what the transformer would answer, right or wrong; whether that may
clear anything is decided afterwards, by a certificate on texts that trained neither. Vectors of words begin as the
encoder's own, projected to their main axes. Gives arrays; issues no certificate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prefilter.classifier.fast.distil_recipe import DistilRecipe
from prefilter.classifier.fast.lessons import Lessons
from prefilter.classifier.fast.student import Kept, Student
from prefilter.classifier.fast.word_senses import word_senses
from prefilter.classifier.run_folder import say
from prefilter.models.fast.fast_stage import MAX_WORDS, MIN_WORDS
from prefilter.models.fast.ngrams import FOLDED, Ngrams, ngrams
from prefilter.models.labels import HEADS
from prefilter.models.text.normalisation import normalise

Edges = Mapping[str, float]
CLIP = 1e-4
"""Scores are taken this far from 0 and 1 before their log-odds."""
WORD = re.compile(r"[a-z0-9\u0080-\U0010ffff]+")


def verdict_name(policy: str) -> str:
    """The output that judges by a policy's edges; the colon tells it from a head."""
    return f"verdict:{policy}"


def distil(recipe: DistilRecipe, lessons: Lessons, edges: Mapping[str, Edges]) -> dict[str, NDArray[np.generic]]:
    """The arrays of a fast stage taught by `lessons`; its outputs are the heads, then a verdict per policy of `edges`.

    `edges`: policy → head → the score from which it is not allowed. The same recipe, lessons and processor give the
    same arrays.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    texts = [normalise(text).text for text in lessons.texts]
    found = [ngrams(text) for text in texts]
    usable = [i for i, f in enumerate(found) if f is not None and 0 < len(f) <= MAX_WORDS]
    seen = [f for i in usable if (f := found[i]) is not None]
    kept = Kept.most_frequent(
        seen,
        words=recipe.word_rows,
        pairs=recipe.pair_rows,
        least_words=recipe.least_words,
        least_pairs=recipe.least_pairs,
    )
    say(f"distil: {len(seen)} texts, {len(kept.words)} words and {len(kept.pairs)} pairs kept")
    wanted = np.concatenate(
        [lessons.scores, *(verdicts(lessons.scores, e, recipe.sharpness)[:, None] for e in edges.values())], axis=1
    )[usable]
    student = Student(
        kept, width=recipe.width, hidden=recipe.hidden, outputs=wanted.shape[1], dropout=recipe.dropout
    )
    _give_senses(student, kept, [texts[i] for i in usable], recipe)
    weights = np.array([recipe.sources[lessons.source[i]].weight for i in usable], dtype=np.float32)
    weights *= np.where([len(f) >= MIN_WORDS for f in seen], 1.0, recipe.short_weight).astype(np.float32)
    _learn(student, _Batches(seen, kept, rng), torch.from_numpy(wanted.astype(np.float32)), weights, recipe)
    return student.eval().arrays(kept)


def verdicts(scores: NDArray[np.float32], edges: Edges, sharpness: float) -> NDArray[np.float64]:
    """In [0, 1] per text: the sigmoid of `sharpness` times the highest distance, in log-odds, of a score to its edge.

    Above one half exactly where some score reaches its edge, that is where the policy does not allow.
    """
    heads = [HEADS.index(name) for name in edges]
    limits = np.clip(np.array(list(edges.values()), dtype=np.float64), CLIP, 1 - CLIP)
    chances = np.clip(scores[:, heads].astype(np.float64), CLIP, 1 - CLIP)
    above = (np.log(chances / (1 - chances)) - np.log(limits / (1 - limits))).max(axis=1)
    found: NDArray[np.float64] = 1 / (1 + np.exp(-sharpness * above))
    return found


@dataclass(frozen=True)
class _Batches:
    """Texts of like length together, padded; in a new random order each time."""

    texts: Sequence[Ngrams]
    kept: Kept
    rng: np.random.Generator

    def once(self, words: int) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor, Tensor]]:
        """Every text once, in batches of at most `words` padded words: rows, words, pairs, lengths."""
        lengths = np.array([len(text) for text in self.texts])
        order = np.argsort(lengths * (1 + 0.1 * self.rng.random(len(lengths))), kind="stable")
        batches: list[list[int]] = [[]]
        for row in order:
            if batches[-1] and (len(batches[-1]) + 1) * lengths[row] > words:
                batches.append([])
            batches[-1].append(int(row))
        for position in self.rng.permutation(len(batches)):
            batch = np.array(batches[position])
            yield batch, *self._padded(batch)

    def _padded(self, batch: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        rows = [self.kept.rows(self.texts[i]) for i in batch]
        longest = max(len(words) for words, _ in rows)
        both = np.zeros((2, len(rows), longest), dtype=np.int64)
        for position, (words, pairs) in enumerate(rows):
            both[0, position, : len(words)], both[1, position, : len(pairs)] = words, pairs
        lengths = torch.tensor([len(words) for words, _ in rows])
        return torch.from_numpy(both[0]), torch.from_numpy(both[1]), lengths


def _learn(
    student: Student, batches: _Batches, wanted: Tensor, weights: NDArray[np.float32], recipe: DistilRecipe
) -> None:
    tables = [student.words.weight, student.pairs.weight]
    layers = [p for name, p in student.named_parameters() if not name.startswith(("words", "pairs"))]
    steps = (torch.optim.SparseAdam(tables, lr=recipe.rate), torch.optim.Adam(layers, lr=recipe.rate))
    by_output = torch.ones(wanted.shape[1])
    by_output[len(HEADS) :] = recipe.verdict_weight
    by_text = torch.from_numpy(weights)[:, None]
    student.train()
    for epoch in range(recipe.epochs):
        plan = list(batches.once(recipe.batch_words))
        total = 0.0
        for number, (rows, words, pairs, lengths) in enumerate(plan):
            left = 1 - (epoch + number / len(plan)) / recipe.epochs
            for step in steps:
                for group in step.param_groups:
                    group["lr"] = recipe.rate * left + 1e-5
                step.zero_grad()
            hidden = torch.rand(words.shape) < recipe.unseen_share
            logits = student(words.masked_fill(hidden, 0), pairs.masked_fill(hidden, 0), lengths)
            target = wanted[rows]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
            loss = (loss * by_output * (1 + (recipe.positive_weight - 1) * target) * by_text[rows]).mean()
            torch.autograd.backward(loss)
            for step in steps:
                step.step()  # type: ignore[no-untyped-call]
            total += loss.item() * len(rows)
        say(f"distil: epoch {epoch + 1} of {recipe.epochs}, loss {total / len(weights):.4f}")


def _give_senses(student: Student, kept: Kept, texts: Sequence[str], recipe: DistilRecipe) -> None:
    """Begin the words' vectors as the encoder's; of the words in one bucket the most frequent counts."""
    if not recipe.word_sense:
        return
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(WORD.findall(text.lower().translate(FOLDED)))
    words = [word for word, count in counts.items() if count >= recipe.least_words]
    words.sort(key=lambda word: counts[word])
    senses = word_senses(words, np.array([counts[word] for word in words]), width=recipe.width)
    with torch.no_grad():
        for word, sense in zip(words, senses, strict=True):
            found = ngrams(word)
            if found is not None and len(found) == 1 and (row := int(kept.rows(found)[0][0])):
                student.words.weight[row] = torch.from_numpy(sense * recipe.word_sense)
