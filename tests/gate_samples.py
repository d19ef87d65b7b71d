"""A store of fake models, a small suite and a gates file over it: everything is measured, nothing is made up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from eval_samples import write_suite
from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from prefilter.models.calibrator import Calibrator, Curve
from prefilter.models.manifest import Manifest

WORDS = ("zebra", "apple", "jug", "quick", "fox", "lamp", "vivid", "ink", "oak", "yarn", "hymn", "kelp")
GATES = """
[[suite]]
path = "checks.parquet"
role = "hatecheck"

[[gate]]
name = "accuracy"
metrics = ["suites.checks.hatecheck.hate.functionalities.*.accuracy"]
better = "higher"
regress = true

[[gate]]
name = "ranking"
metrics = ["suites.checks.categories.*.auprc"]
better = "higher"
least = 0.6
regress = true

[[gate]]
name = "flips"
metrics = ["manifest.int8.flips"]
better = "lower"
most = 0.02
regress = true
optional = true
"""


def write_gates(folder: Path, text: str = GATES) -> Path:
    """Write the suite `checks` and a gates file over it; returns the file."""
    doubtful = [f"{BORDERLINE_TEXT} {row} {WORDS[row % 12]}" for row in range(30)]
    clean = [f"{CLEAN_TEXT} {row}" for row in range(30)]
    rude = [f"{HARMFUL_TEXT} {row}" for row in range(30)]
    write_suite(
        folder,
        "checks",
        text=[*doubtful, *clean, *rude],
        functionality=["doubtful_h"] * 30 + ["clean_nh"] * 30 + [None] * 30,
        hate=[1.0] * 30 + [0.0] * 60,
        insult=[0.0] * 60 + [1.0] * 30,
        toxicity=[0.0] * 60 + [1.0] * 30,
    )
    path = folder / "gates.toml"
    path.write_text(text, encoding="utf-8")
    return path


def build_model(store: Path, name: str, *, flips: float | None = None, **curves: Curve) -> Path:
    """Write a fake artefact, some heads with another curve; returns its folder.

    Its `hate` puts about half of the doubtful texts on each side of one half.
    """
    folder = build_artefact(store / name, name=name)
    calibrator = Calibrator.load(folder / "calibration.json")
    curves = {"hate": Curve(1.0, 0.05, -0.1), **curves}
    changed = tuple(curves.get(h, c) for h, c in zip(calibrator.heads, calibrator.curves, strict=True))
    text = Calibrator(calibrator.heads, changed).to_json()
    (folder / "calibration.json").write_text(text, encoding="utf-8")
    manifest = Manifest.load(folder)
    metrics = {} if flips is None else {"int8": {"flips": flips, "texts": 1000}}
    dataclasses.replace(manifest, metrics=metrics).write(folder)
    return folder


BLIND = Curve(1.0, 0.0, 0.0, knots=((-1.0, 0.2), (1.0, 0.2)))
"""A head that gives every text the same score."""
NEARLY = Curve(1.0, 0.06, -0.1)
"""A head for `hate` that is a little better: a few more doubtful texts are above one half."""
