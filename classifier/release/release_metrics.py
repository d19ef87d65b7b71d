"""Release metrics: what a release measures of itself, on the splits it was made from.

How well the heads rank on the development split, by the int8 graph that ships and by the fp32 one; what int8 costs, in
decisions and in ranking; how well the curves and the marked words hold. They flatter the model, since the texts come
from the sources of training: what a model is worth is judged elsewhere. Knows logits and labels, no files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.corpus.tokenised import Tokenised
from prefilter.classifier.graph.fidelity import Parity, flips, outcomes
from prefilter.classifier.release.calibration import HeadFit, per_text
from prefilter.classifier.training.training_record import TrainingRecord
from prefilter.models.calibrator import Calibrator
from prefilter.models.labels import HEADS

EDGES = 0.5, 0.9
"""Review and block of every head, where flips are counted."""


class HeadQuality(TypedDict):
    """How one head ranks on human labels."""

    n: int
    positives: int
    auroc: float
    auprc: float


class Int8Cost(TypedDict):
    """What int8 loses against fp32 on `texts`, and fp32 ONNX against PyTorch on `windows`."""

    flips: float
    auprc_loss: float
    auprc_loss_by_head: dict[str, float]
    edges: list[float]
    texts: int
    windows: int
    mean_abs_logit_difference: float
    max_abs_logit_difference: float


class ReleaseMetrics(TypedDict):
    """What the manifest keeps under `metrics`; all by head. `leave_one_source_out` is the measure's own document."""

    development: dict[str, HeadQuality]
    development_fp32: dict[str, HeadQuality]
    calibration_error: dict[str, float | None]
    human_positives: dict[str, int]
    int8: Int8Cost
    spans_f1: dict[str, float]
    training: TrainingRecord
    leave_one_source_out: NotRequired[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class TextLogits:
    """One split by one graph: the highest logits [n, heads] of each text and its ln(windows) [n]."""

    highest: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of_windows(cls, logits: NDArray[np.float32], tokenised: Tokenised, texts: int) -> TextLogits:
        """Window logits [windows, heads] of `texts` texts as one row per text."""
        return cls(*per_text(logits, tokenised.text, texts))

    def scores(self, calibrator: Calibrator) -> NDArray[np.float32]:
        """Calibrated scores, float32 [n, heads]."""
        columns = []
        for column, curve in enumerate(calibrator.curves):
            columns.append(curve.probabilities(self.highest[:, column] + curve.c * self.spread))
        return np.array(columns, dtype=np.float32).T


def quality(scores: NDArray[np.float32], examples: Examples) -> dict[str, HeadQuality]:
    """AUROC and AUPRC by head on human labels of a split, where it has both kinds."""
    found: dict[str, HeadQuality] = {}
    for column, head in enumerate(HEADS):
        rows = np.flatnonzero(examples.human[:, column])
        y = examples.labels[rows, column] >= 0.5
        if len(rows) == 0 or y.all() or not y.any():
            continue
        p = scores[rows, column]
        found[head] = {
            "n": len(rows),
            "positives": int(y.sum()),
            "auroc": round(float(roc_auc_score(y, p)), 4),
            "auprc": round(float(average_precision_score(y, p)), 4),
        }
    return found


def measure_release(
    development: Examples,
    int8: NDArray[np.float32],
    fp32: NDArray[np.float32],
    *,
    parity: Parity,
    flip_budget: float,
    fits: Mapping[str, HeadFit],
    spans_f1: Mapping[str, float],
    training: TrainingRecord,
) -> ReleaseMetrics:
    """The metrics from the development split's scores [n, heads] by both graphs.

    Raises `ExportRefused` where int8 flips more than `flip_budget` of the decisions.
    """
    edges = dict.fromkeys(HEADS, EDGES)
    flipped = flips(outcomes(int8, edges), outcomes(fp32, edges), budget=flip_budget)
    ours, theirs = quality(int8, development), quality(fp32, development)
    lost = {head: round(theirs[head]["auprc"] - ours[head]["auprc"], 4) for head in ours}
    return {
        "development": ours,
        "development_fp32": theirs,
        "calibration_error": {h: None if f.error is None else round(f.error, 4) for h, f in fits.items()},
        "human_positives": {h: f.human_positives for h, f in fits.items()},
        "int8": {
            "flips": flipped,
            "auprc_loss": max(lost.values(), default=0.0),
            "auprc_loss_by_head": lost,
            "edges": list(EDGES),
            "texts": len(development),
            "windows": parity.windows,
            "mean_abs_logit_difference": parity.mean,
            "max_abs_logit_difference": parity.highest,
        },
        "spans_f1": {head: round(value, 4) for head, value in spans_f1.items()},
        "training": training,
    }
