"""Where the transformer's time goes: onnxruntime's own profiler on one row, beside what the processor can do at best.

The best is measured, not read off a data sheet: int8 products of the network's shapes, and a large square one, by the
same library on the same core. The network's share of it counts multiply-adds of all its products.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from prefilter.classifier.graph.probe import int8_product
from prefilter.eval.bench.bench_scorer import one_core
from prefilter.models import manifest as manifests
from prefilter.models.registry import resolve

ROWS, RUNS = 128, 60
LAYERS, WIDTH, INNER = 6, 384, 1536
"""all-MiniLM-L6: what the multiply-adds are counted by."""
SHAPES = ((128, 384, 1152), (128, 384, 384), (128, 384, 1536), (128, 1536, 384), (1024, 1024, 1024))


def bench(*, model: str | None = None) -> dict[str, Any]:
    """Shares of the time by operation, multiply-adds a second, and the best this core does."""
    with one_core():
        shares, row_s = _profile(resolve(model) / manifests.MODEL)
        peaks = {"x".join(map(str, shape)): round(_peak(*shape) / 1e9, 1) for shape in SHAPES}
    per_row = ROWS * LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER + 2 * ROWS * WIDTH)
    reached = per_row / row_s / 1e9
    best = max(peaks.values())
    return {
        "row_ms": round(row_s * 1e3, 3),
        "share_of_time": shares,
        "gmac_per_row": round(per_row / 1e9, 3),
        "gmac_per_s": round(reached, 1),
        "int8_peak_gmac_per_s": peaks,
        "share_of_peak": round(reached / best, 3),
        "tokens_per_s_at_peak": round(ROWS * best * 1e9 / per_row),
    }


def _profile(graph: Path) -> tuple[dict[str, float], float]:
    feed = {"input_ids": np.random.default_rng(0).integers(1_000, 20_000, (1, ROWS)), "token_type_ids": None}
    feed["token_type_ids"] = np.zeros_like(feed["input_ids"])
    plain = _session(graph)
    taken = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        plain.run(None, feed)
        taken.append(time.perf_counter() - begun)
    with tempfile.TemporaryDirectory() as place:
        session = _session(graph, profile=f"{place}/profile")
        for _ in range(RUNS):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_bytes())
    spent: dict[str, float] = defaultdict(float)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    total = sum(spent.values())
    ordered = sorted(spent.items(), key=lambda item: -item[1])
    return {name: round(us / total, 4) for name, us in ordered if us / total >= 0.005}, float(np.median(taken))


def _peak(rows: int, inner: int, outer: int) -> float:
    """Multiply-adds a second of one product, the best of many runs."""
    session = _session(int8_product(inner, outer))
    feed = {"rows": np.random.default_rng(0).integers(0, 256, (rows, inner)).astype(np.uint8)}
    best = np.inf
    for _ in range(40):
        begun = time.perf_counter()
        session.run(None, feed)
        best = min(best, time.perf_counter() - begun)
    return rows * inner * outer / best


def _session(graph: Path | bytes, profile: str | None = None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    source = graph if isinstance(graph, bytes) else str(graph)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
