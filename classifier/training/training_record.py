"""The record of a run: what was trained on, and progress as it goes; written whole or not at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from prefilter.classifier.corpus.examples import SPLITS, Examples
from prefilter.classifier.corpus.sources import Source
from prefilter.models.atomic_file import write_atomically
from prefilter.models.labels import HEADS


def training_summary(examples: Examples, sources: list[Source]) -> dict[str, Any]:
    """What was trained on: rows by source and split, positives and known labels by head."""
    used = {}
    for index, source in enumerate(sources):
        rows = examples.source == index
        used[source.name] = {
            "licence": source.licence,
            "labels": "human" if source.human else "weak",
            **{split: int((rows & (examples.split == i)).sum()) for i, split in enumerate(SPLITS)},
        }
    heads = {}
    for column, head in enumerate(HEADS):
        known = examples.weights[:, column] > 0
        positive = known & (examples.labels[:, column] >= 0.5)
        human = examples.human[:, column]
        heads[head] = {
            "known": int(known.sum()),
            "positives": int(positive.sum()),
            "human_positives": int((positive & human).sum()),
            "human_positives_calibration": int((positive & human & (examples.split == 1)).sum()),
        }
    return {"examples": len(examples), "sources": used, "heads": heads}


def write_json(path: Path, document: object) -> None:
    """Write JSON atomically: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{json.dumps(document, indent=1, sort_keys=True)}\n".encode())


def say(line: str) -> None:
    """One line of progress on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
