"""The folder of a run: the names of its files, JSON written whole, and one line of progress at a time on stderr.

Every step of making a model reads what the step before left here, so a broken run goes on. Knows names, not contents.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from prefilter.models.atomic_file import write_atomically

EXAMPLES, TRAINING, RELEASE = "examples.json", "training.json", "release.json"
"""What was trained on, how training went, what a release measured."""
WEIGHTS = "weights.safetensors"
CHECKPOINT = "checkpoint.json"
FP32, SMOOTHED = "model.fp32.onnx", "model.smoothed.onnx"
LEFT_OUT = "leave-out.json"
"""The leave-out measure of the recipe, where `prefilter leave-out` wrote it into the run's folder."""


def run_folder(run_dir: Path | None, recipe: str) -> Path:
    """The folder of a run: `run_dir`, or `runs/` and the recipe's name."""
    return run_dir or Path("runs") / recipe


def write_json(path: Path, document: object) -> None:
    """Write JSON atomically: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{json.dumps(document, indent=1, sort_keys=True)}\n".encode())


def say(line: str) -> None:
    """One line of progress on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
