"""Release: from a finished training run to an artefact folder that the scorer loads.

Order matters: the network is exported and quantised first, and the curves are fitted on the int8 graph's own logits,
so that what is calibrated is what runs. Refuses to write an artefact whose parity or decision flips exceed the
recipe's budgets. Knows the recipe, the run and the artefact's file names.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from prefilter.classifier.artefact_folder import releasing
from prefilter.classifier.calibration import HeadFit, fit_calibrator, per_text
from prefilter.classifier.corpus.batches import Tokenised, of_examples
from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.graph.onnx_export import Parity, check_parity, export_onnx, feed, parity, session_logits
from prefilter.classifier.graph.quantisation import flips, outcomes, quantise
from prefilter.classifier.graph.smoothing import smooth
from prefilter.classifier.recipe import Recipe, RecipeError
from prefilter.classifier.release_card import write_card
from prefilter.classifier.span_edges import fit_edges
from prefilter.classifier.training.harm_network import encoder_dir
from prefilter.classifier.training.trainer import (
    data_dir_from_env,
    encoder_tokenizer,
    load_examples,
    load_network,
    window_logits,
)
from prefilter.classifier.training.training_record import say, training_summary, write_json
from prefilter.models import manifest as manifests
from prefilter.models.calibrator import Calibrator
from prefilter.models.labels import CATEGORIES, HEADS
from prefilter.models.manifest import Manifest
from prefilter.models.registry import live_name

FP32, SMOOTHED = "model.fp32.onnx", "model.smoothed.onnx"
LEFT_OUT = "leave-out.json"
"""The leave-out measure of the recipe, where `prefilter leave-out` wrote it into the run's folder."""
SMOOTHING_TEXTS = 400
PARITY_TEXTS = 1000
"""Development texts on which the graph is held against PyTorch, which takes its time in fp32."""
EDGES = 0.5, 0.9
"""Review and block of every head, where flips are counted."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores [n, heads] of one split's examples by one graph, with the highest logits and ln(windows) behind them."""

    logits: NDArray[np.float64]
    spread: NDArray[np.float64]

    def scores(self, calibrator: Calibrator) -> NDArray[np.float32]:
        """Calibrated scores, float32 [n, heads]."""
        columns = []
        for column, curve in enumerate(calibrator.curves):
            columns.append(curve.probabilities(self.logits[:, column] + curve.c * self.spread))
        return np.array(columns, dtype=np.float32).T


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the calibration split decided: the curves, how well they hold, and the edges of what is marked."""

    calibrator: Calibrator
    fits: dict[str, HeadFit]
    spans: dict[str, float]


def export(
    recipe: Recipe, run_dir: Path, development: Tokenised, training: Tokenised
) -> tuple[Parity, NDArray[np.float32]]:
    """Write the run's fp32 and int8 graphs; returns the fp32 graph's parity and logits on the development windows.

    `training`: a few hundred windows whose activations set the smoothing.
    """
    network = load_network(recipe, run_dir)
    export_onnx(network, run_dir / FP32)
    logits = session_logits(run_dir / FP32, development)
    some = development.of_first(PARITY_TEXTS)
    found = parity(window_logits(network, some, recipe), logits[: len(some.text)])
    check_parity(found, budget=recipe.parity_budget)
    smooth(run_dir / FP32, run_dir / SMOOTHED, (feed(training, w) for w in range(len(training.text))))
    quantise(run_dir / SMOOTHED, run_dir / manifests.MODEL)
    return found, logits


def judge(logits: NDArray[np.float32], tokenised: Tokenised, texts: int) -> Judged:
    """Window logits [windows, heads] of `texts` texts as one row per text."""
    return Judged(*per_text(logits, tokenised.text, texts))


def quality(scores: NDArray[np.float32], examples: Examples) -> dict[str, dict[str, float]]:
    """AUROC and AUPRC by head on human labels of a split, where it has both kinds."""
    found: dict[str, dict[str, float]] = {}
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


def release(recipe: Recipe, run_dir: Path, store: Path, *, data_dir: Path | None) -> Path:
    """Export, quantise, calibrate, check and write `store/NAME/`; returns the folder."""
    if live_name(store) == recipe.name:
        raise RecipeError(f"{recipe.name} is live: release into another --store, or give the recipe a new name")
    examples, sources = load_examples(recipe, data_dir)
    tokenizer = encoder_tokenizer(recipe)
    calibration, development = examples.of("calibration"), examples.of("development")
    windows_dev = of_examples(development, tokenizer, recipe, most_windows=16)
    say("exporting")
    trained = examples.of("train")
    some = np.random.default_rng(recipe.seed).permutation(len(trained))[:SMOOTHING_TEXTS]
    windows_train = of_examples(trained.take(some), tokenizer, recipe, most_windows=1)
    fp32_parity, fp32_logits = export(recipe, run_dir, windows_dev, windows_train)
    say(f"scoring {len(calibration)} calibration texts with the int8 graph")
    windows_cal = of_examples(calibration, tokenizer, recipe, most_windows=64)
    judged = judge(session_logits(run_dir / manifests.MODEL, windows_cal), windows_cal, len(calibration))
    calibrator, fits = fit_calibrator(
        judged.logits,
        judged.spread,
        calibration.labels,
        calibration.weights * calibration.share[:, None],
        calibration.human,
        seed=recipe.seed,
    )
    say("fitting the edges of what is marked")
    learned = [head for head, fit in fits.items() if fit.known]
    spans, marked = fit_edges(calibration, tokenizer, recipe, run_dir / manifests.MODEL, trained=learned)
    int8 = judge(session_logits(run_dir / manifests.MODEL, windows_dev), windows_dev, len(development))
    scores = int8.scores(calibrator)
    fp32_scores = judge(fp32_logits, windows_dev, len(development)).scores(calibrator)
    edges = dict.fromkeys(HEADS, EDGES)
    flipped = flips(outcomes(scores, edges), outcomes(fp32_scores, edges), budget=recipe.flip_budget)
    ours, theirs = quality(scores, development), quality(fp32_scores, development)
    lost = {head: round(theirs[head]["auprc"] - ours[head]["auprc"], 4) for head in ours}
    metrics: dict[str, Any] = {
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
            **fp32_parity.to_json(),
        },
        "spans_f1": {head: round(value, 4) for head, value in marked.items()},
        "training": json.loads((run_dir / "training.json").read_text(encoding="utf-8")),
    }
    left_out = run_dir / LEFT_OUT
    if left_out.is_file():
        metrics["leave_one_source_out"] = _left_out(json.loads(left_out.read_text(encoding="utf-8")), recipe)
    summary = training_summary(examples, sources)
    folder = _write(recipe, run_dir, store, Fitted(calibrator, fits, spans), metrics, summary)
    write_json(run_dir / "release.json", metrics)
    return folder


def _left_out(document: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The leave-out measure, if it is this recipe's; raises `RecipeError` for another's."""
    if document.get("recipe") != f"{recipe.name}@{recipe.version}":
        raise RecipeError(f"{LEFT_OUT} measures another recipe: run prefilter leave-out again")
    return document


def _write(
    recipe: Recipe,
    run_dir: Path,
    store: Path,
    fitted: Fitted,
    metrics: dict[str, Any],
    summary: dict[str, Any],
) -> Path:
    manifest = Manifest(
        name=recipe.name,
        version=f"{recipe.name}@{recipe.version}",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        categories=CATEGORIES,
        heads=HEADS,
        uncalibrated=tuple(h for h in HEADS if not fitted.fits[h].calibrated),
        encoder=recipe.encoder,
        languages=recipe.languages,
        window={"length": recipe.window_length, "overlap": recipe.window_overlap, "context": recipe.context_length},
        spans=fitted.spans,
        training_sources=tuple({"name": n, **row} for n, row in summary["sources"].items() if row["train"]),
        metrics=metrics,
        parents=(recipe.encoder,),
        calibration_mix={h: round(f.prevalence, 4) for h, f in fitted.fits.items()},
    )
    folder = store / recipe.name
    with releasing(folder) as fresh:
        shutil.copyfile(run_dir / manifests.MODEL, fresh / manifests.MODEL)
        shutil.copyfile(encoder_dir(recipe.encoder) / "tokenizer.json", fresh / manifests.TOKENIZER)
        (fresh / manifests.CALIBRATION).write_text(fitted.calibrator.to_json(), encoding="utf-8")
        write_card(fresh / manifests.CARD, manifest, fitted.fits)
        manifest.write(fresh)
    return folder


def main(recipe_path: Path, *, run_dir: Path | None = None, store: Path, data_dir: Path | None = None) -> Path:
    """Release the run of a recipe into `store`; returns the artefact's folder."""
    recipe = Recipe.load(recipe_path)
    return release(recipe, run_dir or Path("runs") / recipe.name, store, data_dir=data_dir or data_dir_from_env())
