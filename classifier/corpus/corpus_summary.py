"""The summary of a corpus: rows by source and split, positives and known labels by head.

Counts and no text; the manifest and the model card tell from it what a model was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from prefilter.classifier.corpus.examples import SPLITS, Examples
from prefilter.classifier.corpus.sources import Source
from prefilter.models.labels import HEADS


class SourceRows(TypedDict):
    """One source: its licence class, who labelled it, and its distinct texts in each split."""

    licence: str
    labels: str
    train: int
    calibration: int
    development: int


class HeadLabels(TypedDict):
    """One head: how many texts have a label, a positive one, one that a person gave."""

    known: int
    positives: int
    human_positives: int
    human_positives_calibration: int


class CorpusSummary(TypedDict):
    """The whole corpus."""

    examples: int
    sources: dict[str, SourceRows]
    heads: dict[str, HeadLabels]


def summarise_corpus(examples: Examples, sources: Sequence[Source]) -> CorpusSummary:
    """What was trained on."""
    return {
        "examples": len(examples),
        "sources": {source.name: _source_rows(examples, i, source) for i, source in enumerate(sources)},
        "heads": {head: _head_labels(examples, column) for column, head in enumerate(HEADS)},
    }


def _source_rows(examples: Examples, index: int, source: Source) -> SourceRows:
    rows = examples.source == index
    train, calibration, development = (int((rows & (examples.split == i)).sum()) for i in range(len(SPLITS)))
    return {
        "licence": source.licence,
        "labels": "human" if source.human else "weak",
        "train": train,
        "calibration": calibration,
        "development": development,
    }


def _head_labels(examples: Examples, column: int) -> HeadLabels:
    known = examples.weights[:, column] > 0
    positive = known & (examples.labels[:, column] >= 0.5)
    human = examples.human[:, column]
    return {
        "known": int(known.sum()),
        "positives": int(positive.sum()),
        "human_positives": int((positive & human).sum()),
        "human_positives_calibration": int((positive & human & (examples.split == 1)).sum()),
    }
