"""`prefilter bench stream`: a web-like stream with and without the fast stage, in turn, on one core.

Each slice of the stream is scored both ways, one after the other, so that both see the same machine. What the fast
stage clears is compared with what the transformer says of the same text: misses are counted, per category too.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from prefilter.eval.bench.bench_document import say
from prefilter.eval.bench.bench_scorer import one_core
from prefilter.eval.suites.web_stream import DOCUMENTS, web_stream
from prefilter.models.scored import FAST, Scored
from prefilter.models.scorer import Scorer
from prefilter.serving.policy.presets import load_preset

SLICE = 50


def bench(
    data_dir: Path,
    *,
    model: str | None = None,
    documents: int = DOCUMENTS,
    seed: int = 17,
    policy: str = "pretraining-corpus",
) -> dict[str, Any]:
    """Score the stream both ways and say what was cleared, missed and gained."""
    stream = web_stream(data_dir, documents=documents, seed=seed)
    scorer = Scorer.load(model, threads=1, max_chars=None)
    edges = load_preset(policy).edges_for(None)
    certificate = scorer.certificate_for(edges)
    body = next((c for c in scorer.manifest.certificates if c["name"] == certificate), {})
    seconds = {"exact": 0.0, "fast": 0.0}
    exact: list[Scored] = []
    fast: list[Scored] = []
    ratios: list[float] = []
    with one_core():
        scorer.score(stream.texts[:5])
        for start in range(0, documents, SLICE):
            texts = stream.texts[start : start + SLICE]
            begun = time.perf_counter()
            fast += scorer.score(texts, certificates=[certificate] * len(texts))
            middle = time.perf_counter()
            exact += scorer.score(texts)
            ended = time.perf_counter()
            seconds["fast"] += middle - begun
            seconds["exact"] += ended - middle
            ratios.append((ended - middle) / (middle - begun))
            if start % (SLICE * 10) == 0:
                say(f"stream: {start} of {documents} documents")
    cleared = np.array([s.stage == FAST for s in fast])
    above = {
        name: np.array([name in s.scores and s.scores[name] >= np.float32(edge) for s in exact])
        for name, edge in edges.items()
    }
    flagged = np.logical_or.reduce(list(above.values()))
    pieces = np.array([s.tokens_total for s in exact])
    unequal = sum(not c and ours != theirs for c, ours, theirs in zip(cleared, fast, exact, strict=True))
    sources = np.array(stream.source)
    return {
        "policy": policy,
        "documents": documents,
        "seed": seed,
        "mean_chars": round(float(np.mean([len(t) for t in stream.texts]))),
        "mean_pieces": round(float(pieces.mean())),
        "docs_per_s": round(documents / seconds["fast"], 2),
        "docs_per_s_exact": round(documents / seconds["exact"], 2),
        "speedup": round(seconds["exact"] / seconds["fast"], 3),
        "speedup_p10_p90_of_slices": [round(float(q), 2) for q in np.quantile(ratios, (0.1, 0.9))],
        "cleared_fraction": round(float(cleared.mean()), 4),
        "cleared_fraction_of_pieces": round(float(pieces[cleared].sum() / pieces.sum()), 4),
        "flagged": int(flagged.sum()),
        "flagged_cleared": int((flagged & cleared).sum()),
        "flagged_by_category": {n: [int(a.sum()), int((a & cleared).sum())] for n, a in above.items() if a.any()},
        "added_miss_bound": body.get("bound"),
        "certificate": {k: body.get(k) for k in ("name", "flagged", "flagged_cleared", "target", "confidence")},
        "uncleared_rows_that_differ_from_exact": unequal,
        "by_source": {
            str(s): {
                "documents": int((sources == s).sum()),
                "cleared": round(float(cleared[sources == s].mean()), 3),
                "flagged": int(flagged[sources == s].sum()),
            }
            for s in dict.fromkeys(stream.source)
        },
    }
