"""Made-up training data: mild sentences in which a few chosen words stand for harm, so that no test holds any."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from prefilter.classifier.recipe import Recipe

CALM = ["bread", "garden", "library", "weather", "music", "train", "window", "letter", "coffee", "river", "market"]
RUDE = ["nasty", "rubbish", "horrid", "awful", "dreadful"]
MEAN = ["worthless", "useless", "pathetic", "contemptible"]


def rows(count: int, *, seed: int = 1) -> list[dict[str, Any]]:
    """`count` labelled rows: toxicity by a rude or mean word, insult by a mean one, every 7th insult unknown."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        words = draw.choices(CALM, k=draw.randint(4, 12))
        kind = draw.choice(("calm", "calm", "rude", "mean"))
        if kind != "calm":
            words.insert(draw.randrange(len(words)), draw.choice(RUDE if kind == "rude" else MEAN))
        row: dict[str, Any] = {"body": " ".join(words) + f" {number}.", "rude": float(kind != "calm")}
        row["mean"] = None if number % 7 == 0 else float(kind == "mean")
        made.append(row)
    return made


def write_rows(path: Path, count: int) -> Path:
    """The rows as JSONL."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(count)), encoding="utf-8")
    return path


def recipe(folder: Path, *, count: int = 3000, **changes: Any) -> Recipe:
    """A small real recipe on those rows and the real encoder."""
    data = write_rows(folder / "rows.jsonl", count)
    raw: dict[str, Any] = {
        "name": "small",
        "version": "1",
        "calibration_share": 0.3,
        "development_share": 0.1,
        "batch_tokens": 512,
        "warmup_tokens": 12_000,
        "total_tokens": 30_000,
        "head_rate": 3e-3,
        "encoder_rate": 1e-4,
        "frozen_layers": 4,
        "average_decay": 0.9,
        "flip_budget": 0.02,
        "own": [{"path": data.name, "columns": {"text": "body", "toxicity": "rude", "insult": "mean"}}],
    }
    return Recipe.from_mapping({**raw, **changes}, base=folder)
