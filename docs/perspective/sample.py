"""The two samples behind docs/perspective.md: texts with Perspective's stored scores that taught our model nothing.

`python docs/perspective/sample.py DATA_DIR OUTPUT_DIR` writes `held_out.parquet` (texts that the recipe's split by hash
kept out of training) and `labelled.parquet` (texts that people judged too, in a test suite whose texts never train).
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from prefilter.classifier.corpus.examples import text_key, unit_interval
from prefilter.classifier.recipe import Recipe


def write(data: Path, output: Path, *, recipe: Path = Path("classifier/recipes/en-2.toml")) -> None:
    """Write both samples."""
    share = Recipe.load(recipe)
    stored = pq.read_table(data / "en/rtp_perspective_quark_val.parquet")
    judged = pq.read_table(data / "en/rtp_lx_en_prompts.parquet", columns=["text", "toxicity"]).to_pylist()
    labels = {text_key(row["text"]): row["toxicity"] for row in judged}
    keys = [text_key(text) for text in stored["text"].to_pylist()]
    kept_out = [unit_interval(key) < share.calibration_share + share.development_share for key in keys]
    pq.write_table(stored.filter(pa.array(kept_out)), output / "held_out.parquet")
    with_label = stored.append_column("label", pa.array([labels.get(key) for key in keys], pa.float64()))
    pq.write_table(with_label.filter(pa.array([key in labels for key in keys])), output / "labelled.parquet")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
