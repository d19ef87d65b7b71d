"""Inference: a trained network run over many windows with torch, to hold its logits against those of a graph.

Texts in service are scored by `models.scorer`; this is for what is judged before a graph exists. Knows windows and the
files of a run, not calibration.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from prefilter.classifier.corpus.bucket_batches import collate, ordered_batches
from prefilter.classifier.corpus.tokenised import Tokenised
from prefilter.classifier.encoder import encoder_dir, encoder_marks, encoder_tokenizer
from prefilter.classifier.recipe import Recipe
from prefilter.classifier.run_folder import WEIGHTS
from prefilter.classifier.training.harm_network import HarmNetwork
from prefilter.models.labels import HEADS


@torch.no_grad()
def window_logits(
    network: HarmNetwork, tokenised: Tokenised, recipe: Recipe, *, exact: bool = True
) -> NDArray[np.float32]:
    """Logits [windows, heads] of every window by the network in fp32, or faster with its encoder in bfloat16."""
    network.eval()
    device = next(network.parameters()).device
    out = np.empty((len(tokenised.text), len(HEADS)), dtype=np.float32)
    for chosen in ordered_batches(tokenised, recipe):
        batch = collate(tokenised, chosen, recipe.buckets)
        ids, mask, types = (torch.from_numpy(a).to(device) for a in (batch.ids, batch.mask, batch.types))
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=not exact):
            states = network.encode(ids, mask, types)
        keep = mask * (1 - types)
        out[chosen] = network.finish(network.pool(states.float(), keep)[0], ids, keep).cpu().numpy()
    return out


def load_network(recipe: Recipe, run_dir: Path) -> HarmNetwork:
    """The trained network of a run; raises FileNotFoundError before training has ended."""
    marks = encoder_marks(encoder_tokenizer(recipe))
    network = HarmNetwork.from_encoder(encoder_dir(recipe.encoder), marks=marks, dropout=0.0)
    network.load_state_dict(load_file(run_dir / WEIGHTS))
    return network.eval()
