"""Certificates of the fast stage: how far it may clear, proved on judged texts.

Learn-then-Test (Angelopoulos et al., arXiv 2110.01052) in a fixed sequence: cuts are tried from the strictest on;
for each, the exact binomial p-value of "at least `target` of the texts that the transformer would not allow are
cleared" is taken, and the first cut that does not reject ends the walk. So the one cut that is kept holds for all
categories together with the stated confidence, however many were tried. Only texts of a length the stage may judge
count, which makes the promise stricter. Counts per category are reported, not certified. Knows scores and verdicts,
no policies but their edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from prefilter.models.fast.fast_stage import FastStage, chances
from prefilter.models.labels import HEADS
from prefilter.models.text.normalisation import normalise

TARGET, CONFIDENCE = 0.005, 0.95
CUTS = np.arange(-16.0, 4.0, 1 / 64, dtype=np.float32)
"""The cuts tried, log-odds of the verdict, strictest first: fixed before any text is seen, as the walk demands."""

Edges = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cannot:
    """No cut can be certified: so many more flagged texts are `needed` at least, or 0: none would help."""

    needed: int


@dataclass(frozen=True, slots=True)
class Judged:
    """Texts that both have judged, rows aligned.

    `scores`: the transformer's, float32 [n, heads]. `logits`: the fast stage's, float32 [n, outputs], NaN where a text
    is too short or too long for it. `source`: where each text is from.
    """

    scores: NDArray[np.float32]
    logits: NDArray[np.float32]
    source: NDArray[np.str_]

    def flagged(self, edges: Edges) -> NDArray[np.bool_]:
        """Which texts the transformer would not allow."""
        return np.asarray(self.above(edges).any(axis=1), dtype=np.bool_)

    def above(self, edges: Edges) -> NDArray[np.bool_]:
        """bool [n, categories of `edges`]: which score reaches its edge."""
        limits = np.array(list(edges.values()), dtype=np.float32)
        return self.scores[:, [HEADS.index(name) for name in edges]] >= limits

    def eligible(self) -> NDArray[np.bool_]:
        """Which texts the fast stage may judge at all."""
        return np.asarray(~np.isnan(self.logits).any(axis=1), dtype=np.bool_)

    def verdict(self, stage: FastStage, verdict: str, edges: Edges) -> NDArray[np.float32]:
        """The verdict of each text; infinite where the stage may not clear it whatever the cut."""
        found = self.logits[:, stage.outputs.index(verdict)].copy()
        heads = [stage.outputs.index(name) for name in edges]
        limits = np.array(list(edges.values()), dtype=np.float32)
        too_high = (chances(self.logits[:, heads]) >= limits).any(axis=1)
        found[too_high | ~self.eligible()] = np.inf
        return found


def judge(stage: FastStage, texts: Sequence[str], scores: NDArray[np.float32], source: Sequence[str]) -> Judged:
    """Let the fast stage read texts whose transformer scores [n, heads] are known."""
    rows = [stage.logits(normalise(text).text) for text in texts]
    nothing = np.full(len(stage.outputs), np.nan, dtype=np.float32)
    logits = np.stack([nothing if row is None else row for row in rows]) if rows else np.empty((0, len(nothing)))
    return Judged(scores, logits.astype(np.float32), np.array(source, dtype=np.str_))


def issue(
    name: str,
    judged: Judged,
    stage: FastStage,
    edges: Edges,
    *,
    verdict: str,
    target: float = TARGET,
    confidence: float = CONFIDENCE,
) -> dict[str, Any] | Cannot:
    """The certificate as a manifest holds it, with its evidence, or how many flagged texts are missing.

    `bound` is what is promised, the target itself: the cut was chosen on these texts, so an interval around the
    share seen at it would promise more than was proved.
    """
    flagged = judged.flagged(edges) & judged.eligible()
    verdicts = judged.verdict(stage, verdict, edges)
    n = int(flagged.sum())
    needed = int(np.ceil(np.log(1 - confidence) / np.log(1 - target)))
    if n < needed:
        return Cannot(needed - n)
    cut, cleared = _walk(np.sort(verdicts[flagged]), target, confidence)
    if cut is None or not (verdicts < cut).any():
        return Cannot(0)
    gone = judged.above(edges) & (flagged & (verdicts < cut))[:, None]
    there = judged.above(edges) & flagged[:, None]
    sources = {}
    for source in np.unique(judged.source[judged.eligible()]):
        mine = (judged.source == source) & judged.eligible()
        under = mine & (verdicts < cut)
        counts = (mine, mine & flagged, under, under & flagged)
        sources[str(source)] = [int(rows.sum()) for rows in counts]
    return {
        "name": name,
        "verdict": verdict,
        "edges": {head: float(edge) for head, edge in edges.items()},
        "cut": cut,
        "target": target,
        "confidence": confidence,
        "bound": target,
        "share_cleared": cleared / n,
        "flagged": n,
        "flagged_cleared": cleared,
        "by_category": {
            head: {"flagged": int(there[:, c].sum()), "cleared": int(gone[:, c].sum())}
            for c, head in enumerate(edges)
        },
        "by_source": {"columns": ["texts", "flagged", "cleared", "flagged and cleared"], "rows": sources},
    }


def _walk(flagged: NDArray[np.float32], target: float, confidence: float) -> tuple[float | None, int]:
    """The highest certified cut below sorted verdicts of flagged texts, and how many of them lie under it."""
    best: tuple[float | None, int] = (None, 0)
    for cut in CUTS:
        cleared = int(np.searchsorted(flagged, cut, side="left"))
        if binom.cdf(cleared, len(flagged), target) > 1 - confidence:
            break
        best = (float(cut), cleared)
    return best

