"""The leave-out measure: how a recipe does on whole sources that it never trained on.

A model judged on unseen rows of the sources it trained on is flattered: it knows which source a text is from, and what
that source calls harm. So sources leave training in groups (`groups.toml`), a network is trained on the rest, and each
source left out is judged by the labels that people gave it. The mean over a head's sources, then over heads, is the
number by which recipes are chosen. Intervals: percentile bootstrap over the rows of each source; they say nothing of
how other sources would differ. Rivals trained on the same rows stand beside the network.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from prefilter.models.known_error import KnownError
from prefilter.models.labels import ANY, HEADS

GROUPS_FILE = Path(__file__).with_name("groups.toml")
MOST_ROWS = 1500
"""Rows of one source that are judged, drawn by a fixed seed."""
LEAST_OF_A_KIND = 30
"""A source judges a head only with so many rows of both kinds."""
REPLICATES = 200
FALSE_POSITIVE_RATE = 0.01
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
    """The groups of sources by name; raises `GroupsError` where a source stands in two."""
    groups = {name: tuple(sources) for name, sources in tomllib.loads(path.read_text("utf-8"))["groups"].items()}
    seen: set[str] = set()
    for sources in groups.values():
        for source in sources:
            if source in seen:
                raise GroupsError(f"{source} stands in two groups")
            seen.add(source)
    return groups


def measure_left_out(judged: Sequence[Judged], *, replicates: int = REPLICATES, seed: int = 0) -> dict[str, Any]:
    """The document of one recipe: by source and head, by head, and the mean over heads, with 95 % intervals."""
    points = [_by_head(part, np.arange(len(part.labels))) for part in judged]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(replicates):
        rows = [rng.integers(0, len(part.labels), len(part.labels)) for part in judged]
        drawn.append(_means([_by_head(p, r) for p, r in zip(judged, rows, strict=True)]))
    heads = _means(points)
    document: dict[str, Any] = {"sources": {}, "categories": {}, "mean": _with_interval(heads, drawn, None)}
    for part, point in zip(judged, points, strict=True):
        if point:
            document["sources"][part.source] = {HEADS[h]: _source_row(part, h, values) for h, values in point.items()}
    for head in heads:
        row = _with_interval(heads, drawn, head)
        document["categories"][HEADS[head]] = {**row, "sources": sum(head in point for point in points)}
    return document


def summary(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """One line for the comparison of recipes."""
    verdict = document["categories"].get(ANY, {})
    return {
        "name": name,
        **{f"mean_{metric}": document["mean"][metric] for metric in METRICS},
        **{f"any_{metric}": verdict.get(metric) for metric in METRICS},
        "ci95": document["mean"]["ci95"],
    }


def _by_head(part: Judged, rows: NDArray[np.int64]) -> dict[int, tuple[float, float]]:
    found = {}
    for head in part.heads():
        known = rows[~np.isnan(part.labels[rows, head])]
        positive, scores = part.labels[known, head] >= 0.5, part.scores[known, head]
        if positive.all() or not positive.any():
            continue
        rate, recall, _ = roc_curve(positive, scores)
        caught = float(recall[rate <= FALSE_POSITIVE_RATE].max())
        found[head] = float(average_precision_score(positive, scores)), caught
    return found


def _means(points: Sequence[Mapping[int, tuple[float, float]]]) -> dict[int, tuple[float, float]]:
    """The mean over sources of each head."""
    means = {}
    for head in range(len(HEADS)):
        values = [point[head] for point in points if head in point]
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
) -> dict[str, Any]:
    row: dict[str, Any] = {"ci95": {}}
    for index, metric in enumerate(METRICS):
        values = [_value(d, head, index) for d in drawn if head is None or head in d]
        row[metric] = round(_value(heads, head, index), 4)
        row["ci95"][metric] = [round(float(q), 4) for q in np.percentile(values, [2.5, 97.5])] if values else None
    return row


def _source_row(part: Judged, head: int, values: tuple[float, float]) -> dict[str, Any]:
    known = ~np.isnan(part.labels[:, head])
    positive = part.labels[known, head] >= 0.5
    return {
        "auprc": round(values[0], 4),
        "recall_at_1pct_fpr": round(values[1], 4),
        "auroc": round(float(roc_auc_score(positive, part.scores[known, head])), 4),
        "n": int(known.sum()),
        "positives": int(positive.sum()),
    }
