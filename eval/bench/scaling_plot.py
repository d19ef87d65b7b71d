"""Plots of the benchmarks as SVG: rows a second against worker processes, and against the length of a text."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any


def scaling(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The plots that the documents have figures for, by name."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9})
    made = {}
    workers = {
        "prefilter score": documents.get("bulk", {}).get("rows_per_s", {}),
        "prefilter serve": {n: w["texts_per_s"] for n, w in documents.get("http", {}).get("workers", {}).items()},
    }
    if any(workers.values()):
        figure = Figure(figsize=(5, 3), layout="constrained")
        axes = figure.subplots()
        for label, rates in workers.items():
            axes.plot([int(n) for n in rates], list(rates.values()), marker="o", label=label)
        axes.set(xlabel="worker processes", ylabel="texts of 450 characters a second", ylim=0, xticks=[1, 2])
        axes.legend()
        made["workers"] = _svg(figure)
    scorer = documents.get("scorer", {})
    if scorer:
        pieces = [scorer["pieces"][n] for n in scorer["tokens_per_s_per_core"]]
        rates = [rate / scorer["pieces"][n] for n, rate in scorer["tokens_per_s_per_core"].items()]
        figure = Figure(figsize=(5, 3), layout="constrained")
        axes = figure.subplots()
        axes.loglog(pieces, rates, marker="o")
        axes.set(xlabel="word pieces of a text", ylabel="texts a second on one core")
        made["lengths"] = _svg(figure)
    return made


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+\n", "\n", buffer.getvalue())
