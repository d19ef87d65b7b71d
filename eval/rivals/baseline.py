"""A baseline to compare the model with: TF-IDF of words and word pairs, and a logistic regression per head.

It is fitted on the texts, labels and weights that the recipe trains the network on, and judged by the same code on
the same rows. No language gate: every row that is a text gets scores. Its probabilities are not calibrated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from prefilter.eval.document import Measured, ModelDescription, RivalSummary, plain, read, summarise
from prefilter.eval.judge.suite_judge import judge_suites, load_suites
from prefilter.eval.rivals.kept_summaries import write_summary
from prefilter.eval.scoring.span_marks import Marked
from prefilter.eval.scoring.subject import Progress
from prefilter.eval.scoring.suite_scores import ERROR, SCORED, Pass, Scoring
from prefilter.eval.suites.suite import Suite
from prefilter.eval.suites.suite_plan import Entry, planned_suites
from prefilter.models.labels import CATEGORIES, HEADS
from prefilter.models.text.normalisation import check_text, normalise

NAME = "tf-idf + logistic regression"
FEATURES = 300_000
LEAST_TEXTS = 3  # a word of fewer texts is no feature
MAX_ROWS = 150_000
STRENGTH = 4.0  # inverse regularisation, usual for TF-IDF
PASSES = 200


class Labelled(Protocol):
    """Training examples: texts, and per head a soft label and a weight (0 where unknown), [n, heads]."""

    @property
    def texts(self) -> Sequence[str]:
        """The texts [n]."""

    @property
    def labels(self) -> NDArray[np.float32]:
        """Soft labels [n, heads]."""

    @property
    def weights(self) -> NDArray[np.float32]:
        """Weights [n, heads]."""


@dataclass(frozen=True, slots=True)
class Line:
    """One head's regression: `weights` [features] and a bias."""

    weights: NDArray[np.float64]
    bias: float


class Baseline:
    """A fitted baseline, as a subject to judge; heads that no row knows have no score."""

    reads_context = False
    span_heads: Collection[str] = ()
    uncalibrated: Collection[str] = ()

    def __init__(self, words: TfidfVectorizer, lines: Mapping[str, Line], *, rows: int, name: str = NAME) -> None:
        """Keep what `fit` fitted on `rows` texts."""
        self._words, self._lines, self._rows = words, lines, rows
        self.model_version = name
        self.categories: Collection[str] = tuple(c for c in CATEGORIES if c in lines)

    @classmethod
    def fit(cls, examples: Labelled, *, rows: int = MAX_ROWS, seed: int = 0) -> Baseline:
        """Fit on at most `rows` examples, drawn by their weight without putting back."""
        total = examples.weights.sum(axis=1, dtype=np.float64)
        picked = np.flatnonzero(total > 0)
        if picked.size > rows:
            share = total[picked] / total[picked].sum()
            picked = np.sort(np.random.default_rng(seed).choice(picked, rows, replace=False, p=share))
        least = LEAST_TEXTS if picked.size > 1_000 else 1
        words = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, min_df=least, max_features=FEATURES, dtype=np.float32
        )
        features = words.fit_transform([normalise(examples.texts[i]).text for i in picked.tolist()])
        lines = {}
        for column, head in enumerate(HEADS):
            weights = examples.weights[picked, column].astype(np.float64)
            positive = examples.labels[picked, column] >= 0.5
            known = np.flatnonzero(weights > 0)
            if 0 < positive[known].sum() < known.size:
                line = LogisticRegression(C=STRENGTH, solver="liblinear", max_iter=PASSES, random_state=seed)
                line.fit(features[known], positive[known], weights[known] / weights[known].mean())
                lines[head] = Line(line.coef_[0], float(line.intercept_[0]))
        return cls(words, lines, rows=int(picked.size))

    def about(self) -> ModelDescription:
        """What the document says of it."""
        return ModelDescription(
            name=self.model_version,
            categories=tuple(self.categories),
            uncalibrated=(),
            calibration_mix={},
            languages=("en",),
        )

    def describe(self) -> str:
        """One line on how it was made."""
        return (
            f"scikit-learn: TF-IDF of words and word pairs ({len(self._words.vocabulary_)} features), a logistic "
            f"regression per head (C = {STRENGTH:g}), {self._rows} training texts of the same split, no calibration"
        )

    def score(self, suite: Suite, *, with_context: bool, progress: Progress) -> Scoring:
        """Scores of every row that is a text."""
        errors = [check_text(text, max_chars=None) for text in suite.texts]
        rows = [i for i, error in enumerate(errors) if error is None]
        scores = np.full((suite.n, len(HEADS)), np.nan, dtype=np.float32)
        if rows:
            features = self._words.transform([normalise(str(suite.texts[i])).text for i in rows])
            for head, line in self._lines.items():
                raised = np.exp(-np.clip(features @ line.weights + line.bias, -30, 30))
                scores[rows, HEADS.index(head)] = 1 / (1 + raised)
        status = np.array([SCORED if error is None else ERROR for error in errors], dtype=np.uint8)
        reason = np.array([b"" if error is None else error.code.encode() for error in errors], dtype="S40")
        part = Pass(scores, status, reason)
        progress(suite.n)
        return Scoring(part, part, np.zeros(suite.n, dtype=np.int64))

    def mark(self, suite: Suite, heads: Collection[str]) -> Marked:
        """It marks nothing."""
        return Marked([()] * suite.n, [()] * suite.n)


def measure_baseline(
    examples: Labelled,
    entries: Sequence[Entry],
    *,
    data_dir: Path | None = None,
    rows: int = MAX_ROWS,
    command: str = "",
) -> RivalSummary:
    """Fit the baseline and judge it on the suites of `entries`; returns the summary to keep."""
    baseline = Baseline.fit(examples, rows=rows)
    document, _ = judge_suites(entries, load_suites(entries, data_dir=data_dir), baseline, command=command)
    return summarise(read(Measured, plain(document)), name=NAME, about=baseline.describe())


def main(
    recipe_path: Path,
    *,
    output: Path,
    data_dir: Path | None = None,
    rows: int = MAX_ROWS,
    limit: int | None = None,
) -> Path:
    """Fit the baseline on a recipe's training split, judge it on every suite of the plan, write the summary."""
    from prefilter.classifier.corpus.merging import load_examples
    from prefilter.classifier.corpus.sources import data_dir_from_env
    from prefilter.classifier.recipe import Recipe

    folder = data_dir or data_dir_from_env()
    examples = load_examples(Recipe.load(recipe_path), folder)[0].of("train")
    # The network is shown a source's texts as often as its share says; here that is part of their weight.
    examples = replace(examples, weights=examples.weights * examples.share[:, None])
    entries = [replace(e, max_rows=min(filter(None, (e.max_rows, limit)), default=None)) for e in planned_suites()]
    command = f"prefilter baseline {recipe_path.as_posix() if not recipe_path.is_absolute() else recipe_path.name}"
    command += f" --rows {rows}" if rows != MAX_ROWS else ""
    command += f" --limit {limit}" if limit is not None else ""
    summary = measure_baseline(examples, entries, data_dir=folder, rows=rows, command=command)
    write_summary(output, summary)
    return output
