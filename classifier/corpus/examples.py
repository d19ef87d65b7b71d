"""Examples: labelled texts of all sources, each text once, split so that no text or pair is in two splits.

A text's identity is the normalised, case-folded text together with its context. Rows that share a text or a pair form
one group, and a group goes to train, calibration or development as a whole, by a hash of its key: adding a source moves
no old row. Texts that occur in a test suite or in a test row are dropped before anything else, whatever their context.
Knows labels and weights; knows nothing of tokens or networks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prefilter.classifier.corpus.sources import Source, Spans, held_out_texts, training_sources
from prefilter.classifier.recipe import Recipe, SourceRule
from prefilter.models.labels import HEADS
from prefilter.models.text.normalisation import check_text, normalise

SPLITS = ("train", "calibration", "development")
WEAK, HUMAN = 1, 2
"""How good a known label is; 0 means none, or a presumed one."""


@dataclass(frozen=True, slots=True)
class Examples:
    """`n` distinct texts with, per head, a soft label and a loss weight (0 where unknown).

    `labels`, `weights`: float32 [n, heads]. `known`: bool [n, heads], True where the
    source itself says so and nothing was presumed; `human`: True where a person did. `source`: index into
    `source_names`. `split`: index into `SPLITS`. `share`: float32 [n], the chance that one pass over the data takes the
    example, below 1 for those of large sources. `contexts`: each text's context ("" for none); `spans`: the
    characters people marked in it, None where nobody judged.
    """

    texts: list[str]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    known: NDArray[np.bool_]
    human: NDArray[np.bool_]
    source: NDArray[np.int32]
    split: NDArray[np.int8]
    share: NDArray[np.float32]
    contexts: list[str]
    spans: list[Spans | None]
    source_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def of(self, split: str) -> Examples:
        """The examples of one split."""
        return self.take(np.flatnonzero(self.split == SPLITS.index(split)))

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """The examples at `rows`, in that order."""
        return Examples(
            texts=[self.texts[i] for i in rows],
            labels=self.labels[rows],
            weights=self.weights[rows],
            known=self.known[rows],
            human=self.human[rows],
            source=self.source[rows],
            split=self.split[rows],
            share=self.share[rows],
            contexts=[self.contexts[i] for i in rows],
            spans=[self.spans[i] for i in rows],
            source_names=self.source_names,
        )


def text_key(text: str, context: str = "") -> bytes:
    """16 bytes that two texts share when they are the same after normalisation and case folding.

    A text with a context is another one than the same text without.
    """
    said = normalise(text).text.casefold()
    if context:
        said += "\0" + normalise(context).text.casefold()
    return hashlib.blake2b(said.encode("utf-8"), digest_size=16).digest()


def load_examples(recipe: Recipe, data_dir: Path | None) -> tuple[Examples, list[Source]]:
    """The recipe's sources as examples, without any text of the test suites."""
    sources = training_sources(recipe, data_dir)
    held_out = held_out_texts(data_dir, recipe.languages) if data_dir is not None else []
    held_out += [t for s in sources for t, out in zip(s.texts, s.held_out, strict=True) if out]
    return build_examples(sources, recipe, held_out=held_out), sources


def build_examples(sources: Sequence[Source], recipe: Recipe, *, held_out: Sequence[str] = ()) -> Examples:
    """All sources as one set of distinct examples with splits and weights."""
    forbidden = {text_key(t) for t in held_out if check_text(t, max_chars=None) is None}
    texts: list[str] = []
    contexts: list[str] = []
    spans: list[Spans | None] = []
    keys: list[bytes] = []
    bare: list[bytes] = []
    pairs: list[str] = []
    blocks: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int8], NDArray[np.int32]]] = []
    for index, source in enumerate(sources):
        rule = recipe.sources.get(source.name, SourceRule())
        labels, weights = _weigh(source, rule, recipe)
        rows = []
        for row in np.flatnonzero((weights > 0).any(axis=1) & ~source.held_out):
            text = source.texts[row]
            if check_text(text, max_chars=None) is not None:
                continue
            key = text_key(text)
            if key in forbidden:
                continue
            context = source.context[row] if recipe.context_length else ""
            rows.append(int(row))
            keys.append(text_key(text, context) if context else key)
            bare.append(key)
            texts.append(text)
            contexts.append(context)
            spans.append(source.spans[row])
            pairs.append(source.pair[row])
        taken = np.array(rows, dtype=np.int64)
        evidence = (~np.isnan(source.labels[taken])).astype(np.int8) * (HUMAN if source.human else WEAK)
        blocks.append((labels[taken], weights[taken], evidence, np.full(len(taken), index, dtype=np.int32)))
    merged = _merge(keys, blocks)
    split = _split_groups(bare, pairs, recipe)[merged.first]
    balance = _source_balance(merged.source, len(sources), recipe)
    marked = _first_marked(merged.row_of_text, spans, len(merged.keys))
    examples = Examples(
        texts=[texts[i] for i in merged.first],
        labels=merged.labels,
        weights=merged.weights,
        known=merged.evidence >= WEAK,
        human=merged.evidence >= HUMAN,
        source=merged.source,
        split=split,
        share=balance[merged.source],
        contexts=[contexts[i] for i in merged.first],
        spans=[None if i < 0 or texts[i] != texts[f] else spans[i] for i, f in zip(marked, merged.first, strict=True)],
        source_names=tuple(s.name for s in sources),
    )
    if recipe.max_rows is not None and len(examples) > recipe.max_rows:
        chosen = np.random.default_rng(recipe.seed).choice(len(examples), recipe.max_rows, replace=False)
        examples = examples.take(np.sort(chosen))
    return examples


def _weigh(source: Source, rule: SourceRule, recipe: Recipe) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Labels with presumed negatives filled in, and the loss weight of each (0 = unknown)."""
    labels = source.labels.copy()
    known = ~np.isnan(labels)
    weights = np.where(known, rule.weight * (1.0 if source.human else recipe.weak_weight), 0.0)
    for head in rule.presume_negative:
        column = HEADS.index(head)
        presumed = ~known[:, column]
        labels[presumed, column] = 0.0
        weights[presumed, column] = rule.weight * recipe.presumed_weight
    if rule.cap is not None:
        weights[~_capped(labels, rule.cap, recipe.seed)] = 0.0
    return np.nan_to_num(labels, nan=0.0).astype(np.float32), weights.astype(np.float32)


def _capped(labels: NDArray[np.float32], cap: int, seed: int) -> NDArray[np.bool_]:
    """True for the rows a cap keeps: at most `cap` per positive head, and `cap` without a positive."""
    rng = np.random.default_rng(seed)
    positive = np.nan_to_num(labels, nan=0.0)[:, :-1] >= 0.5
    first = np.where(positive.any(axis=1), positive.argmax(axis=1), -1)
    keep = np.zeros(len(labels), dtype=bool)
    for value in np.unique(first):
        rows = rng.permutation(np.flatnonzero(first == value))
        keep[rows[:cap]] = True
    return keep


@dataclass(frozen=True, slots=True)
class _Merged:
    first: NDArray[np.int64]
    keys: list[bytes]
    row_of_text: NDArray[np.int64]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    evidence: NDArray[np.int8]
    source: NDArray[np.int32]


def _first_marked(row_of_text: NDArray[np.int64], spans: list[Spans | None], texts: int) -> list[int]:
    """For each text the first of its rows that somebody marked, -1 where none is."""
    found = [-1] * texts
    for position in range(len(row_of_text) - 1, -1, -1):
        if spans[position] is not None:
            found[row_of_text[position]] = position
    return found


def _merge(
    keys: list[bytes],
    blocks: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int8], NDArray[np.int32]]],
) -> _Merged:
    """Rows of one text become one: labels are averaged by weight, a person's label outweighs a machine's."""
    labels, weights, evidence, source = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    first: dict[bytes, int] = {}
    row_of_text = np.array([first.setdefault(key, len(first)) for key in keys], dtype=np.int64)
    total = len(first)
    strongest = np.zeros((total, len(HEADS)), dtype=np.int8)
    np.maximum.at(strongest, row_of_text, evidence)
    counted = np.where((strongest[row_of_text] == HUMAN) & (evidence < HUMAN), 0.0, weights)
    weight_sum = np.zeros((total, len(HEADS)))
    label_sum = np.zeros((total, len(HEADS)))
    np.add.at(weight_sum, row_of_text, counted)
    np.add.at(label_sum, row_of_text, counted * labels)
    highest = np.zeros((total, len(HEADS)))
    np.maximum.at(highest, row_of_text, counted)
    index_of_first = np.full(total, -1, dtype=np.int64)
    for position in range(len(row_of_text) - 1, -1, -1):
        index_of_first[row_of_text[position]] = position
    return _Merged(
        first=index_of_first,
        keys=list(first),
        row_of_text=row_of_text,
        labels=(label_sum / np.maximum(weight_sum, 1e-9)).astype(np.float32),
        weights=highest.astype(np.float32),
        evidence=strongest,
        source=source[index_of_first],
    )


def _split_groups(bare: list[bytes], pairs: list[str], recipe: Recipe) -> NDArray[np.int8]:
    """The split of each row: rows of one text, whatever its context, and of one pair follow the smallest key."""
    first: dict[bytes, int] = {}
    node_of_row = [first.setdefault(key, len(first)) for key in bare]
    keys = list(first)
    parent = list(range(len(keys)))

    def find(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    seen: dict[str, int] = {}
    for node, pair in zip(node_of_row, pairs, strict=True):
        if pair:
            a, b = find(seen.setdefault(pair, node)), find(node)
            low, high = (a, b) if keys[a] <= keys[b] else (b, a)
            parent[high] = low
    draws = np.array([unit_interval(keys[find(node)]) for node in range(len(keys))])
    split = np.zeros(len(keys), dtype=np.int8)
    split[draws < recipe.calibration_share + recipe.development_share] = SPLITS.index("development")
    split[draws < recipe.calibration_share] = SPLITS.index("calibration")
    of_row: NDArray[np.int8] = split[np.array(node_of_row, dtype=np.int64)]
    return of_row


def unit_interval(key: bytes) -> float:
    """Where a text's key lies on the scale [0, 1) by which texts are split."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8, person=b"split").digest(), "big") / 2**64


def _source_balance(source: NDArray[np.int32], sources: int, recipe: Recipe) -> NDArray[np.float32]:
    """A factor per source that dampens large ones: (size / source_size) ** -source_balance, at most 1."""
    sizes = np.maximum(np.bincount(source, minlength=sources), 1)
    return np.minimum(1.0, (sizes / recipe.source_size) ** -recipe.source_balance).astype(np.float32)
