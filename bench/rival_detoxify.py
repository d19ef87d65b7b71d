"""Detoxify as a contestant: its own class and its own `predict`, over BERT-base with random weights.

No checkpoint can be fetched everywhere; a checkpoint of the same form is made, and loaded by Detoxify's own code.
Detoxify cuts a text off at 512 word pieces and pads a list to its longest text.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from bert import BATCH, in_batches, make, write_vocabulary
from contestant import compete
from detoxify import Detoxify

CLASSES = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]


def main() -> None:
    """Make the checkpoint, load it and compete, one text a call and 32 a call."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        detoxify = _load(Path(place))

    def one_by_one(texts: Sequence[str]) -> None:
        for text in texts:
            detoxify.predict(text)

    def batches(texts: Sequence[str]) -> None:
        for batch in in_batches(texts, BATCH):
            detoxify.predict(batch)

    def pieces(texts: Sequence[str]) -> int:
        return sum(len(ids) - 2 for ids in detoxify.tokenizer(list(texts), truncation=True)["input_ids"])

    one_by_one(["The library opens at nine."] * 2)
    named = f"detoxify {version('detoxify')}, torch {torch.__version__}"
    compete(named, {"one text a call": one_by_one, f"{BATCH} texts a call": batches}, pieces=pieces)


def _load(folder: Path) -> Detoxify:
    write_vocabulary(folder)
    model = make(len(CLASSES))
    model.config.save_pretrained(folder)
    arch = {
        "model_type": str(folder),
        "model_name": "BertForSequenceClassification",
        "tokenizer_name": "BertTokenizer",
        "num_classes": len(CLASSES),
    }
    config = {"dataset": {"args": {"classes": CLASSES}}, "arch": {"args": arch}}
    torch.save({"config": config, "state_dict": model.state_dict()}, folder / "random.ckpt")
    return Detoxify(checkpoint=str(folder / "random.ckpt"), huggingface_config_path=str(folder))


if __name__ == "__main__":
    main()
