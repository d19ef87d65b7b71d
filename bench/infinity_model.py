"""Our own classifier as a folder that infinity-emb serves: the very graph and tokenizer, and the papers it wants.

infinity-emb hands its texts to the network one at a time, unpadded, so the graph, which takes no attention mask, gives
there what it gives here, for texts of one window. It turns the heads' logits into a softmax, which is no score of ours
and costs the same.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from prefilter.models import manifest as manifests
from prefilter.models.registry import resolve

BERT = {
    "architectures": ["BertForSequenceClassification"],
    "model_type": "bert",
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
}


def write(folder: Path) -> None:
    """Write the live model to `folder` in the form of a model hub."""
    model = resolve(None)
    heads = manifests.load(model).heads
    folder.mkdir(parents=True, exist_ok=True)
    for name in (manifests.MODEL, manifests.TOKENIZER):
        shutil.copy(model / name, folder / name)
    labels = {str(number): head for number, head in enumerate(heads)}
    config = {**BERT, "id2label": labels, "label2id": {head: int(number) for number, head in labels.items()}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    told = {"tokenizer_class": "BertTokenizerFast", "model_max_length": 512, "cls_token": "[CLS]", "sep_token": "[SEP]"}
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]", "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(told | marks), encoding="utf-8")
