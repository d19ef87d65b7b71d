"""Merging: labelled sources made into examples, each text once, no text or pair in two splits.

Rows that share a text or a pair form one group, and a group goes to train, calibration or development as a whole, by a
hash of its key: adding a source moves no old row. Texts that occur in a test suite or in a test row are dropped before
anything else, whatever their context. A person's label outweighs a machine's. Knows sources and a recipe's rules;
knows nothing of tokens or networks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prefilter.classifier.corpus.examples import SPLITS, Examples, text_key, unit_interval
from prefilter.classifier.corpus.sources import Source, Spans, held_out_texts, training_sources
from prefilter.classifier.recipe import Recipe, SourceRule
from prefilter.models.labels import HEADS
from prefilter.models.text.normalisation import check_text

WEAK, HUMAN = 1, 2
"""How good a known label is; 0 means none, or a presumed one."""


def load_examples(recipe: Recipe, data_dir: Path | None) -> tuple[Examples, list[Source]]:
    """The recipe's sources as examples, without any text of the test suites."""
    sources = training_sources(recipe, data_dir)
    held_out = held_out_texts(data_dir, recipe.languages) if data_dir is not None else []
    held_out += [t for s in sources for t, out in zip(s.texts, s.held_out, strict=True) if out]
    return build_examples(sources, recipe, held_out=held_out), sources


def build_examples(sources: Sequence[Source], recipe: Recipe, *, held_out: Sequence[str] = ()) -> Examples:
    """All sources as one set of distinct examples with splits and weights."""
    forbidden = {text_key(t) for t in held_out if check_text(t, max_chars=None) is None}
    rows = _Rows()
    for index, source in enumerate(sources):
        rows.add(index, source, recipe, forbidden)
    merged = _merge(rows)
    split = _split_groups(rows.bare, rows.pairs, recipe)[merged.first]
    balance = _source_balance(merged.source, len(sources), recipe)
    texts = [rows.texts[i] for i in merged.first]
    # Marks are offsets into the text as sent: they hold only where it is the same to the character.
    same = [i >= 0 and rows.texts[i] == text for i, text in zip(merged.marked, texts, strict=True)]
    marked = [rows.spans[i] if kept else None for i, kept in zip(merged.marked, same, strict=True)]
    examples = Examples(
        texts=texts,
        labels=merged.labels,
        weights=merged.weights,
        known=merged.evidence >= WEAK,
        human=merged.evidence >= HUMAN,
        source=merged.source,
        split=split,
        share=balance[merged.source],
        contexts=[rows.contexts[i] for i in merged.first],
        spans=marked,
        source_names=tuple(s.name for s in sources),
    )
    if recipe.max_rows is not None and len(examples) > recipe.max_rows:
        chosen = np.random.default_rng(recipe.seed).choice(len(examples), recipe.max_rows, replace=False)
        examples = examples.take(np.sort(chosen))
    return examples


@dataclass(frozen=True, slots=True)
class _Block:
    """The rows taken from one source: labels, weights, how good each label is [rows, heads], and the source [rows]."""

    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    evidence: NDArray[np.int8]
    source: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The usable rows of all sources. `keys`: of text and context; `bare`: of the text alone."""

    texts: list[str] = field(default_factory=list)
    contexts: list[str] = field(default_factory=list)
    spans: list[Spans | None] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    bare: list[bytes] = field(default_factory=list)
    pairs: list[str] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)

    def add(self, index: int, source: Source, recipe: Recipe, forbidden: Collection[bytes]) -> None:
        """Take a source's rows that have a weight and a text that is not forbidden."""
        labels, weights = _weigh(source, recipe.sources.get(source.name, SourceRule()), recipe)
        rows = []
        for row in np.flatnonzero((weights > 0).any(axis=1) & ~source.held_out):
            text = source.texts[row]
            if check_text(text, max_chars=None) is not None or (key := text_key(text)) in forbidden:
                continue
            context = source.context[row] if recipe.context_length else ""
            rows.append(int(row))
            self.keys.append(text_key(text, context) if context else key)
            self.bare.append(key)
            self.texts.append(text)
            self.contexts.append(context)
            self.spans.append(source.spans[row])
            self.pairs.append(source.pair[row])
        taken = np.array(rows, dtype=np.int64)
        evidence = (~np.isnan(source.labels[taken])).astype(np.int8) * (HUMAN if source.human else WEAK)
        owner = np.full(len(taken), index, dtype=np.int32)
        self.blocks.append(_Block(labels[taken], weights[taken], evidence, owner))


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
    """One entry per distinct text: its first row, the first of its rows that somebody marked (-1: none), its labels."""

    first: NDArray[np.int64]
    marked: list[int]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]
    evidence: NDArray[np.int8]
    source: NDArray[np.int32]


def _merge(rows: _Rows) -> _Merged:
    """Rows of one text become one: labels are averaged by weight, a person's label outweighs a machine's."""
    labels = np.concatenate([block.labels for block in rows.blocks])
    weights = np.concatenate([block.weights for block in rows.blocks])
    evidence = np.concatenate([block.evidence for block in rows.blocks])
    source = np.concatenate([block.source for block in rows.blocks])
    numbers: dict[bytes, int] = {}
    row_of_text = np.array([numbers.setdefault(key, len(numbers)) for key in rows.keys], dtype=np.int64)
    shape = len(numbers), len(HEADS)
    strongest = np.zeros(shape, dtype=np.int8)
    np.maximum.at(strongest, row_of_text, evidence)
    counted = np.where((strongest[row_of_text] == HUMAN) & (evidence < HUMAN), 0.0, weights)
    weight_sum, label_sum, highest = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    np.add.at(weight_sum, row_of_text, counted)
    np.add.at(label_sum, row_of_text, counted * labels)
    np.maximum.at(highest, row_of_text, counted)
    first = np.array(_first_rows(row_of_text, [True] * len(row_of_text), len(numbers)), dtype=np.int64)
    return _Merged(
        first=first,
        marked=_first_rows(row_of_text, [marked is not None for marked in rows.spans], len(numbers)),
        labels=(label_sum / np.maximum(weight_sum, 1e-9)).astype(np.float32),
        weights=highest.astype(np.float32),
        evidence=strongest,
        source=source[first],
    )


def _first_rows(row_of_text: NDArray[np.int64], counts: Sequence[bool], texts: int) -> list[int]:
    """For each text the first of its rows that counts, -1 where none does."""
    found = [-1] * texts
    for position in range(len(row_of_text) - 1, -1, -1):
        if counts[position]:
            found[row_of_text[position]] = position
    return found


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


def _source_balance(source: NDArray[np.int32], sources: int, recipe: Recipe) -> NDArray[np.float32]:
    """A factor per source that dampens large ones: (size / source_size) ** -source_balance, at most 1."""
    sizes = np.maximum(np.bincount(source, minlength=sources), 1)
    return np.minimum(1.0, (sizes / recipe.source_size) ** -recipe.source_balance).astype(np.float32)
