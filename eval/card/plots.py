"""Plots of an evaluation as SVG: drawn without a display or a network, from the results document alone."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prefilter.eval.document import ResultsDocument, VerdictCurves, estimate

_COLUMNS = 4
_INK = "#1f4e79"


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot: its name in the page, a caption that says what it shows, and inline SVG."""

    name: str
    caption: str
    svg: str


def draw(document: ResultsDocument) -> dict[str, Plot]:
    """Draw every plot that the document has data for, by name."""
    made = (
        _precision_recall(document),
        _low_roc(document),
        _reliability(document),
        _bias(document),
        _false_alarms(document),
    )
    return {plot.name: plot for plot in made if plot is not None}


def _curves(document: ResultsDocument) -> dict[str, VerdictCurves]:
    return {name: suite.curves for name, suite in document.suites.items() if suite.curves is not None}


def _precision_recall(document: ResultsDocument) -> Plot | None:
    found = _curves(document)
    if not found:
        return None
    figure, axes = _grid(len(found))
    for axis, (name, curves) in zip(axes, found.items(), strict=False):
        axis.plot(curves.pr.recall, curves.pr.precision, color=_INK, linewidth=1.2)
        axis.axhline(curves.prevalence, color="grey", linewidth=0.7, linestyle=":")
        axis.set(xlim=(0, 1), ylim=(0, 1.02))
        axis.set_title(name, fontsize=7)
    caption = "Precision (up) against recall (right) of the verdict of harm; dotted: chance."
    return _plot("pr", caption, figure)


def _low_roc(document: ResultsDocument) -> Plot | None:
    found = _curves(document)
    if not found:
        return None
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axis = figure.subplots()
    colours = matplotlib.colormaps["tab20"]
    for position, (name, curves) in enumerate(found.items()):
        axis.plot(curves.roc.fpr, curves.roc.recall, linewidth=1.1, label=name, color=colours(position % 20))
    axis.axvline(0.01, color="grey", linewidth=0.7, linestyle=":")
    axis.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1), xlabel="false-positive rate", ylabel="recall")
    axis.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return _plot("roc", "ROC of the verdict of harm at few false positives; dotted: 1 %.", figure)


def _reliability(document: ResultsDocument) -> Plot | None:
    found = document.reliability
    if not found:
        return None
    figure, axes = _grid(len(found))
    for axis, (head, own) in zip(axes, found.items(), strict=False):
        axis.plot([0, 1], [0, 1], color="grey", linewidth=0.7, linestyle=":")
        mean, share = [b[0] for b in own.bins], [b[1] for b in own.bins]
        axis.plot(mean, share, "o-", color=_INK, markersize=2.5, linewidth=1)
        axis.set(xlim=(0, 1), ylim=(0, 1.02))
        axis.set_title(f"{head} ({own.n} rows)", fontsize=7)
    caption = (
        "Share of positives (up) against mean score (right), 15 bins of equal mass, all suites pooled; "
        "dotted: perfect calibration to this pool."
    )
    return _plot("reliability", caption, figure)


def _bias(document: ResultsDocument) -> Plot | None:
    first = next((suite.bias for suite in document.suites.values() if suite.bias), {})
    found = {head: own for head, own in first.items() if own.terms}
    if not found:
        return None
    figure = Figure(figsize=(8, 9), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(found), sharey=True))
    image = None
    for axis, (head, own) in zip(axes, found.items(), strict=True):
        terms = sorted(own.terms)
        cells = np.array([[estimate(own.terms[t], kind).value for kind in ("subgroup", "bpsn", "bnsp")] for t in terms])
        image = axis.imshow(cells.astype(np.float64), vmin=0.5, vmax=1, cmap="RdYlGn", aspect="auto")
        axis.set_xticks(range(3), ["subgroup", "BPSN", "BNSP"], fontsize=7)
        axis.set_yticks(range(len(terms)), terms, fontsize=6)
        axis.set_title(head, fontsize=8)
        for (row, column), value in np.ndenumerate(cells):
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=5)
    if image is not None:
        figure.colorbar(image, ax=list(axes), shrink=0.4)
    return _plot("bias", "AUROC per identity term; red: the term alone moves the score.", figure)


def _false_alarms(document: ResultsDocument) -> Plot | None:
    pooled = document.false_alarms
    if not pooled:
        return None
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axis = figure.subplots()
    for policy, own in pooled.items():
        if not document.policies[policy].enforced:
            continue  # a monitoring policy repeats another's bands
        rows = own.by_length
        place = list(range(len(rows)))
        (line,) = axis.plot(
            place, [100 * (r.held or 0.0) for r in rows], "o-", markersize=3, label=f"{policy}: held"
        )
        blocked = [100 * (r.blocked or 0.0) for r in rows]
        axis.plot(place, blocked, "s--", markersize=3, color=line.get_color(), label=f"{policy}: blocked")
        axis.set_xticks(place, [f"{r.chars[0]}-{r.chars[1]}" for r in rows], fontsize=6, rotation=30)
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
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[start:], flags=re.DOTALL)
    svg = re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", svg)  # a hundredth of a point is enough
    svg = re.sub(r'base64,[^"]*', lambda found: "".join(found[0].split()), svg)
    svg = " ".join(svg.split())
    seen: set[str] = set()

    def unique(match: re.Match[str]) -> str:
        """Salt an id with the plot's name (each plot has a figure_1); drop the later of two equal ones."""
        again = match[1] in seen
        seen.add(match[1])
        return "" if again else f' id="{name}-{match[1]}"'

    svg = re.sub(r'\sid="([^"]+)"', unique, svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    return Plot(name, caption, svg)
