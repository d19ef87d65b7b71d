"""The training record: recipe, machine, figures and duration of a finished run, in `training.json`.

The manifest and the model card repeat it. Knows names and types, not how a run goes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from prefilter.classifier.run_folder import TRAINING, write_json


class TrainingRecord(TypedDict):
    """One run: its recipe, machine and versions, what it was given, and how far it came.

    `examples`: training texts as given; `augmented`: those made from them. `head_factors`: each head's factor in the
    loss. The rest is as in `Progress`.
    """

    recipe: str
    version: str
    seed: int
    started_at: str
    finished_at: str
    device: str
    threads: int
    torch: str
    examples: int
    augmented: int
    head_factors: dict[str, float]
    step: int
    epoch: int
    batch: int
    tokens: int
    seconds: float
    loss: float


def write_record(folder: Path, record: TrainingRecord) -> None:
    """Write the record of a run into its folder."""
    write_json(folder / TRAINING, record)


def read_record(folder: Path) -> TrainingRecord:
    """The record of a finished run; raises FileNotFoundError before training has ended."""
    found: TrainingRecord = json.loads((folder / TRAINING).read_text(encoding="utf-8"))
    return found
