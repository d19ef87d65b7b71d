"""The leave-out measure: how a recipe does on whole sources that it never trained on.

A model judged on unseen rows of the sources it trained on is flattered: it knows which source a text is from, and what
that source calls harm. So sources leave training in groups (`groups.toml`), a network is trained on the rest, and each
source left out is judged by the labels that people gave it. The mean over a head's sources, then over heads, is the
number by which recipes are chosen. Intervals: percentile bootstrap over the rows of each source; they say nothing of
how other sources would differ. Rivals trained on the same rows are measured with the network.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.document import (
    Interval,
    LeftOutHead,
    LeftOutMean,
    LeftOutMeasures,
    LeftOutRecipe,
    LeftOutSource,
    estimate,
    widened,
)
from prefilter.eval.metrics import Measures, measure
from prefilter.models.known_error import KnownError
from prefilter.models.labels import ANY, HEADS

GROUPS_FILE = Path(__file__).with_name("groups.toml")
MOST_ROWS = 1500
"""Rows of one source that are judged, drawn by a fixed seed."""
LEAST_OF_A_KIND = 30
"""A source judges a head only with so many rows of both kinds."""
REPLICATES = 200
METRICS = ("auprc", "recall_at_1pct_fpr")
Scores = NDArray[np.float32]


class GroupsError(KnownError, ValueError):
    """The groups do not name every source once; the message names the source."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The rows of one source left out: scores and labels [n, heads], NaN where no person said anything."""

    source: str
    scores: Scores
    labels: NDArray[np.float32]

    def heads(self) -> list[int]:
        """The heads that this source can judge."""
        found = []
        for head in range(len(HEADS)):
            known = self.labels[:, head][~np.isnan(self.labels[:, head])]
            positives = int((known >= 0.5).sum())
            if positives >= LEAST_OF_A_KIND and len(known) - positives >= LEAST_OF_A_KIND:
                found.append(head)
        return found


def load_groups(path: Path = GROUPS_FILE) -> dict[str, tuple[str, ...]]:
    """The groups of sources by name; raises `GroupsError` where a source is in two."""
    groups = {name: tuple(sources) for name, sources in tomllib.loads(path.read_text("utf-8"))["groups"].items()}
    seen: set[str] = set()
    for sources in groups.values():
        for source in sources:
            if source in seen:
                raise GroupsError(f"{source} stands in two groups")
            seen.add(source)
    return groups


def measure_left_out(judged: Sequence[Judged], *, replicates: int = REPLICATES, seed: int = 0) -> LeftOutMeasures:
    """The measure of one recipe: by source and head, by head, and the mean over heads, with 95 % intervals."""
    points = [_by_head(part, np.arange(len(part.labels))) for part in judged]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(replicates):
        rows = [rng.integers(0, len(part.labels), len(part.labels)) for part in judged]
        drawn.append(_means([_by_head(p, r) for p, r in zip(judged, rows, strict=True)]))
    heads = _means(points)
    return LeftOutMeasures(
        sources={
            part.source: {HEADS[head]: _source_row(own) for head, own in point.items()}
            for part, point in zip(judged, points, strict=True)
            if point
        },
        categories={
            HEADS[head]: widened(
                LeftOutHead, _with_interval(heads, drawn, head), sources=sum(head in point for point in points)
            )
            for head in heads
        },
        mean=_with_interval(heads, drawn, None),
    )


def summary(name: str, measures: LeftOutMeasures) -> LeftOutRecipe:
    """One line for the comparison of recipes."""
    verdict = measures.categories.get(ANY)
    means = {f"mean_{metric}": estimate(measures.mean, metric).value for metric in METRICS}
    own = {f"any_{metric}": None if verdict is None else estimate(verdict, metric).value for metric in METRICS}
    return LeftOutRecipe(name=name, ci95=measures.mean.ci95, unknown=means | own)


def _by_head(part: Judged, rows: NDArray[np.int64]) -> dict[int, Measures]:
    """What some rows of a source measure of each head, where both kinds are among them."""
    found = {}
    for head in part.heads():
        known = rows[~np.isnan(part.labels[rows, head])]
        own = measure(part.scores[known, head], part.labels[known, head] >= 0.5, replicates=0)
        if 0 < own.positives < own.n:
            found[head] = own
    return found


def _means(points: Sequence[Mapping[int, Measures]]) -> dict[int, tuple[float, float]]:
    """The mean over sources of each head."""
    means = {}
    for head in range(len(HEADS)):
        values = [(point[head].auprc, point[head].recall_at_1pct_fpr) for point in points if head in point]
        if values:
            auprc, recall = np.mean(values, axis=0)
            means[head] = float(auprc), float(recall)
    return means


def _value(heads: Mapping[int, tuple[float, float]], head: int | None, metric: int) -> float:
    if head is not None:
        return heads[head][metric]
    return float(np.mean([values[metric] for values in heads.values()]))


def _with_interval(
    heads: Mapping[int, tuple[float, float]], drawn: Sequence[Mapping[int, tuple[float, float]]], head: int | None
) -> LeftOutMean:
    auprc, recall = (round(_value(heads, head, index), 4) for index, _ in enumerate(METRICS))
    bounds: dict[str, Interval | None] = {}
    for index, metric in enumerate(METRICS):
        values = [_value(d, head, index) for d in drawn if head is None or head in d]
        low_high = np.percentile(values, [2.5, 97.5]) if values else None
        bounds[metric] = None if low_high is None else (round(float(low_high[0]), 4), round(float(low_high[1]), 4))
    return LeftOutMean(ci95=bounds, auprc=auprc, recall_at_1pct_fpr=recall)


def _source_row(own: Measures) -> LeftOutSource:
    return LeftOutSource(
        auprc=round(own.auprc, 4),
        recall_at_1pct_fpr=round(own.recall_at_1pct_fpr, 4),
        auroc=round(own.auroc, 4),
        n=own.n,
        positives=own.positives,
    )
