"""Release: from a finished training run to an artefact folder that the scorer loads.

Order matters: the network is exported and quantised first, and the curves are fitted on the int8 graph's own logits,
so that what is calibrated is what runs. Refuses to write an artefact whose parity or decision flips exceed the
recipe's budgets. Knows the recipe, the run and the artefact's file names.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from prefilter.classifier.corpus.corpus_summary import CorpusSummary, summarise_corpus
from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.corpus.merging import load_examples
from prefilter.classifier.corpus.sources import data_dir_from_env
from prefilter.classifier.corpus.tokenised import Tokenised, of_examples
from prefilter.classifier.encoder import encoder_tokenizer, tokenizer_file
from prefilter.classifier.graph.fidelity import Parity, check_parity, parity
from prefilter.classifier.graph.graph_session import feed, session_logits
from prefilter.classifier.graph.onnx_export import export_onnx
from prefilter.classifier.graph.quantisation import quantise
from prefilter.classifier.graph.smoothing import smooth
from prefilter.classifier.recipe import Recipe
from prefilter.classifier.recipe_tables import RecipeError
from prefilter.classifier.release.artefact_folder import artefact_folder
from prefilter.classifier.release.calibration import HeadFit, fit_calibrator
from prefilter.classifier.release.model_card import write_card
from prefilter.classifier.release.release_metrics import ReleaseMetrics, TextLogits, measure_release
from prefilter.classifier.release.span_edges import fit_edges
from prefilter.classifier.run_folder import FP32, LEFT_OUT, RELEASE, SMOOTHED, run_folder, say, write_json
from prefilter.classifier.training.inference import load_network, window_logits
from prefilter.classifier.training.training_record import read_record
from prefilter.models import manifest as manifests
from prefilter.models.calibrator import Calibrator
from prefilter.models.labels import CATEGORIES, HEADS
from prefilter.models.manifest import Manifest
from prefilter.models.registry import live_name

SMOOTHING_TEXTS = 400
PARITY_TEXTS = 1000
"""Development texts on which the graph is held against PyTorch, which takes its time in fp32."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the calibration split decided: the curves, how well they hold, and the edges of what is marked.

    `spans_f1`: how well the marked words of a head agree with those that people marked, where people did.
    """

    calibrator: Calibrator
    fits: dict[str, HeadFit]
    spans: dict[str, float]
    spans_f1: dict[str, float]


def release(recipe: Recipe, run_dir: Path, store: Path, *, data_dir: Path | None) -> Path:
    """Export, quantise, calibrate, check and write `store/NAME/`; returns the folder."""
    if live_name(store) == recipe.name:
        raise RecipeError(f"{recipe.name} is live: release into another --store, or give the recipe a new name")
    examples, sources = load_examples(recipe, data_dir)
    tokenizer = encoder_tokenizer(recipe)
    development = examples.of("development")
    windows = of_examples(development, tokenizer, recipe, most_windows=16)
    say("exporting")
    trained = examples.of("train")
    some = np.random.default_rng(recipe.seed).permutation(len(trained))[:SMOOTHING_TEXTS]
    training = of_examples(trained.take(some), tokenizer, recipe, most_windows=1)
    fp32_parity, fp32_logits = export(recipe, run_dir, windows, training)
    fitted = _fit(recipe, run_dir, examples.of("calibration"), tokenizer)
    int8_logits = session_logits(run_dir / manifests.MODEL, windows)
    int8, fp32 = (
        TextLogits.of_windows(logits, windows, len(development)).scores(fitted.calibrator)
        for logits in (int8_logits, fp32_logits)
    )
    metrics = measure_release(
        development,
        int8,
        fp32,
        parity=fp32_parity,
        flip_budget=recipe.flip_budget,
        fits=fitted.fits,
        spans_f1=fitted.spans_f1,
        training=read_record(run_dir),
    )
    left_out = run_dir / LEFT_OUT
    if left_out.is_file():
        metrics["leave_one_source_out"] = _left_out(json.loads(left_out.read_text(encoding="utf-8")), recipe)
    folder = _write(recipe, run_dir, store, fitted, metrics, summarise_corpus(examples, sources))
    write_json(run_dir / RELEASE, metrics)
    return folder


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


def _fit(recipe: Recipe, run_dir: Path, calibration: Examples, tokenizer: Tokenizer) -> Fitted:
    """Fit curves and edges on the calibration split, by the int8 graph."""
    graph = run_dir / manifests.MODEL
    say(f"scoring {len(calibration)} calibration texts with the int8 graph")
    windows = of_examples(calibration, tokenizer, recipe, most_windows=64)
    logits = TextLogits.of_windows(session_logits(graph, windows), windows, len(calibration))
    calibrator, fits = fit_calibrator(
        logits.highest,
        logits.spread,
        calibration.labels,
        calibration.weights * calibration.share[:, None],
        calibration.human,
        seed=recipe.seed,
    )
    say("fitting the edges of what is marked")
    learned = [head for head, fit in fits.items() if fit.known]
    spans, spans_f1 = fit_edges(calibration, tokenizer, recipe, graph, trained=learned)
    return Fitted(calibrator, fits, spans, spans_f1)


def _left_out(document: Mapping[str, object], recipe: Recipe) -> Mapping[str, object]:
    """The leave-out measure, if it is this recipe's; raises `RecipeError` for another's."""
    if document.get("recipe") != f"{recipe.name}@{recipe.version}":
        raise RecipeError(f"{LEFT_OUT} measures another recipe: run prefilter leave-out again")
    return document


def _write(
    recipe: Recipe, run_dir: Path, store: Path, fitted: Fitted, metrics: ReleaseMetrics, summary: CorpusSummary
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
    with artefact_folder(store / recipe.name) as folder:
        shutil.copyfile(run_dir / manifests.MODEL, folder / manifests.MODEL)
        shutil.copyfile(tokenizer_file(recipe.encoder), folder / manifests.TOKENIZER)
        (folder / manifests.CALIBRATION).write_text(fitted.calibrator.to_json(), encoding="utf-8")
        write_card(folder / manifests.CARD, manifest, metrics, fitted.fits)
        manifest.write(folder)
    return store / recipe.name


def main(recipe_path: Path, *, run_dir: Path | None = None, store: Path, data_dir: Path | None = None) -> Path:
    """Release the run of a recipe into `store`; returns the artefact's folder."""
    recipe = Recipe.load(recipe_path)
    return release(recipe, run_folder(run_dir, recipe.name), store, data_dir=data_dir or data_dir_from_env())
