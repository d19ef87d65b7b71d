"""Plots of an evaluation as SVG: drawn without a display or a network, from scores and labels alone."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from prefilter.eval.assessment import Assessment
from prefilter.eval.metrics import reliability
from prefilter.eval.suites import verdict
from prefilter.models.labels import ANY, HEADS

_POINTS = 300
_COLUMNS = 4
_LEAST_POSITIVES = 20
_INK = "#1f4e79"


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot: its name in the page, a caption that says what it shows, and inline SVG."""

    name: str
    caption: str
    svg: str


def draw(assessments: Sequence[Assessment], document: Mapping[str, Any]) -> dict[str, Plot]:
    """Draw every plot that the assessments have data for, by name."""
    made = (
        _precision_recall(assessments),
        _low_roc(assessments),
        _reliability(assessments),
        _bias(document),
        _false_alarms(document),
    )
    return {plot.name: plot for plot in made if plot is not None}


def _judged(assessment: Assessment, head: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores and labels of the rows where both are known."""
    suite, part = assessment.suite, assessment.scoring.declared
    if head == ANY:
        known, positive = verdict(suite)
    elif head in suite.labels:
        known, positive = suite.known(head), suite.positive(head)
    else:
        return np.empty(0), np.empty(0, dtype=bool)
    scores = part.of(head)
    rows = known & ~np.isnan(scores)
    return scores[rows].astype(np.float64), positive[rows]


def _two_sided(assessments: Sequence[Assessment]) -> list[tuple[str, NDArray[np.float64], NDArray[np.bool_]]]:
    found = []
    for assessment in assessments:
        scores, positive = _judged(assessment, ANY)
        if min(int(positive.sum()), int((~positive).sum())) >= _LEAST_POSITIVES:
            found.append((assessment.suite.name, scores, positive))
    return found


def _curve(
    scores: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (true, false) positives, one point per distinct score from the highest down."""
    order = np.argsort(-scores, kind="stable")
    true, false = np.cumsum(positive[order]), np.cumsum(~positive[order])
    ends = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)
    return true[ends].astype(np.float64), false[ends].astype(np.float64)


def _thin(*columns: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    pick = np.unique(np.linspace(0, columns[0].size - 1, _POINTS).astype(int))
    return [column[pick] for column in columns]


def _precision_recall(assessments: Sequence[Assessment]) -> Plot | None:
    found = _two_sided(assessments)
    if not found:
        return None
    figure, axes = _grid(len(found))
    for axis, (name, scores, positive) in zip(axes, found, strict=False):
        true, false = _curve(scores, positive)
        recall, precision = _thin(true / positive.sum(), true / (true + false))
        axis.plot(recall, precision, color=_INK, linewidth=1.2)
        axis.axhline(positive.mean(), color="grey", linewidth=0.7, linestyle=":")
        axis.set(xlim=(0, 1), ylim=(0, 1.02))
        axis.set_title(name, fontsize=7)
    caption = "Precision (up) against recall (right) of the verdict of harm; dotted: chance."
    return _plot("pr", caption, figure)


def _low_roc(assessments: Sequence[Assessment]) -> Plot | None:
    found = _two_sided(assessments)
    if not found:
        return None
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axis = figure.subplots()
    colours = matplotlib.colormaps["tab20"]
    for position, (name, scores, positive) in enumerate(found):
        true, false = _curve(scores, positive)
        grid = np.geomspace(1e-3, 1, 120)
        rates = false / (~positive).sum()
        at = np.searchsorted(rates, grid, side="right") - 1
        recall = np.where(at >= 0, true[np.maximum(at, 0)], 0.0) / positive.sum()
        axis.plot(grid, recall, linewidth=1.1, label=name, color=colours(position % 20))
    axis.axvline(0.01, color="grey", linewidth=0.7, linestyle=":")
    axis.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1), xlabel="false-positive rate", ylabel="recall")
    axis.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return _plot("roc", "ROC of the verdict of harm at few false positives; dotted: 1 %.", figure)


def _reliability(assessments: Sequence[Assessment]) -> Plot | None:
    found = []
    for head in HEADS:
        pairs = [_judged(assessment, head) for assessment in assessments]
        scores = np.concatenate([scores for scores, _ in pairs]) if pairs else np.empty(0)
        positive = np.concatenate([own for _, own in pairs]) if pairs else np.empty(0, dtype=bool)
        if positive.sum() >= _LEAST_POSITIVES and (~positive).sum() >= _LEAST_POSITIVES:
            found.append((head, scores, positive))
    if not found:
        return None
    figure, axes = _grid(len(found))
    for axis, (head, scores, positive) in zip(axes, found, strict=False):
        bins = reliability(scores, positive)
        axis.plot([0, 1], [0, 1], color="grey", linewidth=0.7, linestyle=":")
        axis.plot([b[0] for b in bins], [b[1] for b in bins], "o-", color=_INK, markersize=2.5, linewidth=1)
        axis.set(xlim=(0, 1), ylim=(0, 1.02))
        axis.set_title(f"{head} ({positive.size} rows)", fontsize=7)
    caption = (
        "Share of positives (up) against mean score (right), 15 bins of equal mass, all suites pooled; "
        "dotted: perfect calibration to this pool."
    )
    return _plot("reliability", caption, figure)


def _bias(document: Mapping[str, Any]) -> Plot | None:
    found = next((suite["bias"] for suite in document["suites"].values() if suite.get("bias")), None)
    found = {head: own for head, own in (found or {}).items() if own["terms"]}
    if not found:
        return None
    figure = Figure(figsize=(8, 9), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(found), sharey=True))
    image = None
    for axis, (head, own) in zip(axes, found.items(), strict=True):
        terms = sorted(own["terms"])
        cells = np.array([[own["terms"][t][kind] for kind in ("subgroup", "bpsn", "bnsp")] for t in terms])
        image = axis.imshow(cells.astype(np.float64), vmin=0.5, vmax=1, cmap="RdYlGn", aspect="auto")
        axis.set_xticks(range(3), ["subgroup", "BPSN", "BNSP"], fontsize=7)
        axis.set_yticks(range(len(terms)), terms, fontsize=6)
        axis.set_title(head, fontsize=8)
        for (row, column), value in np.ndenumerate(cells):
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=5)
    if image is not None:
        figure.colorbar(image, ax=list(axes), shrink=0.4)
    return _plot("bias", "AUROC per identity term; red: the term alone moves the score.", figure)


def _false_alarms(document: Mapping[str, Any]) -> Plot | None:
    pooled = document["false_alarms"]
    if not pooled:
        return None
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axis = figure.subplots()
    for policy, own in pooled.items():
        if not document["policies"][policy]["enforced"]:
            continue  # a monitoring policy repeats another's bands
        rows = own["by_length"]
        place = list(range(len(rows)))
        (line,) = axis.plot(
            place, [100 * r["held"] for r in rows], "o-", markersize=3, label=f"{policy}: held"
        )
        blocked = [100 * r["blocked"] for r in rows]
        axis.plot(place, blocked, "s--", markersize=3, color=line.get_color(), label=f"{policy}: blocked")
        axis.set_xticks(place, [f"{r['chars'][0]}-{r['chars'][1]}" for r in rows], fontsize=6, rotation=30)
    axis.set(xlabel="length in characters (deciles)", ylabel="% of benign texts")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=7, frameon=False)
    return _plot("false_alarms", "Benign texts held and blocked by the shipped policies, by length.", figure)


def _grid(panels: int) -> tuple[Figure, list[Axes]]:
    columns = min(_COLUMNS, panels)
    rows = math.ceil(panels / columns)
    figure = Figure(figsize=(2.1 * columns + 0.4, 1.9 * rows + 0.3), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).ravel())
    for axis in axes:
        axis.tick_params(labelsize=6)
    for axis in axes[panels:]:
        axis.set_axis_off()
    return figure, axes


def _plot(name: str, caption: str, figure: Figure) -> Plot:
    """Render a figure; ids are salted by name, so that plots on one page do not share clip paths."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    start = svg.index("<svg")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[start:], flags=re.DOTALL)
    seen: set[str] = set()

    def unique(match: re.Match[str]) -> str:
        """Salt an id with the plot's name (each plot has a figure_1); drop the later of two equal ones."""
        again = match[1] in seen
        seen.add(match[1])
        return "" if again else f' id="{name}-{match[1]}"'

    svg = re.sub(r'\sid="([^"]+)"', unique, svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    return Plot(name, caption, svg)
