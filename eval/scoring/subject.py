"""The subject: what is judged. A model of the store, or anything else that gives scores for texts.

The judge knows this shape only, so that a baseline is judged by the same code on the same rows as the model.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from prefilter.eval.document import ModelDescription
from prefilter.eval.scoring.span_marks import Marked, mark
from prefilter.eval.scoring.suite_scores import Scoring, open_cache, score_suite
from prefilter.eval.suites.suite import Suite
from prefilter.models.registry import resolve
from prefilter.models.scorer import Scorer

Progress = Callable[[int], None]


class Subject(Protocol):
    """What the judge needs of what it judges."""

    model_version: str
    categories: Collection[str]
    uncalibrated: Collection[str]
    reads_context: bool
    span_heads: Collection[str]

    def about(self) -> ModelDescription:
        """What the document says of it, under `model`."""

    def score(self, suite: Suite, *, with_context: bool, progress: Progress) -> Scoring:
        """Scores of every row."""

    def mark(self, suite: Suite, heads: Collection[str]) -> Marked:
        """Per row the characters that it marks for any of `heads`."""


class Model:
    """A model of the store as the scorer runs it; scores are kept under `cache_dir` unless that is None."""

    def __init__(self, model: str | Path | None, *, threads: int, cache_dir: Path | None) -> None:
        """Load the model; raises what `Scorer.load` raises."""
        folder = resolve(model)
        self._scorer = Scorer.load(folder, threads=threads, max_chars=None)
        self._threads = threads
        try:
            self._cache = open_cache(cache_dir, folder)
        except OSError as error:
            sys.stderr.write(f"scores are not kept: {cache_dir}: {error.strerror}\n")
            self._cache = open_cache(None, folder)
        self.model_version = self._scorer.model_version
        self.categories: Collection[str] = self._scorer.categories
        self.uncalibrated: Collection[str] = self._scorer.uncalibrated
        self.reads_context = self._scorer.manifest.context > 0
        self.span_heads: Collection[str] = tuple(self._scorer.manifest.spans)

    def about(self) -> ModelDescription:
        """What its manifest says of it, as far as a card tells it."""
        manifest = self._scorer.manifest
        return ModelDescription(
            name=manifest.name,
            version=manifest.version,
            created_at=manifest.created_at,
            encoder=manifest.encoder,
            window=manifest.window,
            spans=manifest.spans,
            heads=tuple(manifest.heads),
            categories=tuple(manifest.categories),
            uncalibrated=tuple(manifest.uncalibrated),
            calibration_mix=manifest.calibration_mix,
            languages=tuple(manifest.languages),
            training_sources=tuple(manifest.training_sources),
            metrics=manifest.metrics,
        )

    def score(self, suite: Suite, *, with_context: bool, progress: Progress) -> Scoring:
        """Scores of every row, from the cache where they are known."""
        return score_suite(
            suite,
            self._scorer,
            cache=self._cache,
            workers=self._threads,
            with_context=with_context,
            progress=progress,
        )

    def mark(self, suite: Suite, heads: Collection[str]) -> Marked:
        """Per row the characters that its spans mark for any of `heads`."""
        edges = {head: self._scorer.manifest.spans[head] for head in heads}
        return mark(suite, self._scorer, edges=edges, workers=self._threads)
