"""The network: a pretrained encoder, attention pooling per head, a linear layer per head, and a wide part beside it.

Each head has its own attention over the text's pieces, joined with their mean and maximum; so `sexual` may rest on two
words while `violence` reads the sentence. What a head's attention adds up, its *evidence* per piece, is an output too:
it shows which words the score rests on, and marked texts train it. A context is read by the encoder and never pooled:
only the text is judged. One logit per head, independent sigmoids: harms are not exclusive. Knows torch and
transformers, and neither data nor calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel

from prefilter.classifier.training.wide_part import Wide
from prefilter.models.labels import HEADS

SHARPNESS = 8.0
"""Attention keys are this much steeper than 1/sqrt(hidden), so that an untrained head already prefers some words."""


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Parameters that learn at one rate: `part` is `head` or `encoder`, `peak` the highest rate."""

    parameters: list[nn.Parameter]
    part: str
    peak: float
    weight_decay: float

    def for_optimiser(self) -> dict[str, object]:
        """The group as torch's optimisers take it."""
        return {"params": self.parameters, "lr": self.peak, "weight_decay": self.weight_decay}


class HarmNetwork(nn.Module):
    """Ids, mask and types [batch, tokens] in; logits [batch, heads] and evidence [batch, tokens, heads] out.

    `attention_mask`: 1 for real pieces (None: all are). `token_type_ids`: 0 for the text and its marks, 1 for a context
    (None: all text). Evidence is in log-odds and means something for the text's own pieces only.
    """

    def __init__(
        self, encoder: nn.Module, hidden: int, *, vocabulary: int, marks: tuple[int, int], dropout: float = 0.1
    ) -> None:
        super().__init__()
        heads = len(HEADS)
        self.encoder = encoder
        self.marks = marks
        self.queries = nn.Parameter(torch.zeros(hidden, heads))
        self.attended = nn.Parameter(torch.zeros(heads, hidden))
        self.attended_bias = nn.Parameter(torch.zeros(heads))
        self.linear = nn.Linear(2 * hidden, heads)
        self.dropout = nn.Dropout(dropout)
        self.wide = Wide(vocabulary)
        self.blend = nn.Parameter(torch.eye(heads), requires_grad=False)
        self.scale = hidden**-0.5 * SHARPNESS
        nn.init.normal_(self.queries, std=0.02)
        nn.init.normal_(self.attended, std=0.02)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    @classmethod
    def from_encoder(cls, folder: Path, *, marks: tuple[int, int], dropout: float = 0.1) -> HarmNetwork:
        """A network on the pretrained encoder in `folder`, its heads new; `marks`: ids of [CLS] and [SEP]."""
        encoder = AutoModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager")
        config = encoder.config
        return cls(
            encoder, int(config.hidden_size), vocabulary=int(config.vocab_size), marks=marks, dropout=dropout
        )

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        states = self.encode(input_ids, attention_mask, types)
        keep = 1 - types if attention_mask is None else attention_mask * (1 - types)
        logits, evidence = self.pool(states.float(), keep)
        return self.finish(logits, input_ids, keep), evidence

    def encode(self, input_ids: Tensor, attention_mask: Tensor | None, types: Tensor) -> Tensor:
        """The encoder's states [batch, tokens, hidden]; an encoder without segments ignores them."""
        segments = {"token_type_ids": types} if getattr(self.encoder.config, "type_vocab_size", 0) > 1 else {}
        states: Tensor = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, **segments
        ).last_hidden_state
        return states

    def pool(self, states: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
        """The deep part: states to logits [batch, heads] and evidence [batch, tokens, heads]; `keep` 1 = text."""
        states = self.dropout(states)
        kept = keep.unsqueeze(-1).to(states.dtype)
        evidence = states @ self.attended.T + self.attended_bias
        mean = (states * kept).sum(dim=1) / kept.sum(dim=1)
        highest = (states + (kept - 1.0) * 1e4).amax(dim=1)
        attention = torch.softmax(states @ self.queries * self.scale + (kept - 1.0) * 1e4, dim=1)
        logits: Tensor = self.linear(torch.cat([mean, highest], dim=-1)) + (attention * evidence).sum(dim=1)
        return logits, evidence

    def finish(self, logits: Tensor, input_ids: Tensor, keep: Tensor) -> Tensor:
        """Add the wide part to the deep part's logits, then mix the heads by `blend`."""
        first, last = self.marks
        said = keep * (input_ids != first) * (input_ids != last)
        blended: Tensor = (logits + self.wide(input_ids, said.to(logits.dtype))) @ self.blend
        return blended

    def parameter_groups(
        self, *, encoder_rate: float, head_rate: float, layer_decay: float, frozen_layers: int, weight_decay: float
    ) -> list[ParameterGroup]:
        """Optimiser groups: heads at `head_rate`; encoder layers at `encoder_rate`, lower ones slower.

        Embeddings and the lowest `frozen_layers` layers are frozen: they carry the generality that fine-tuning
        on few sources destroys.
        """
        encoder: Any = self.encoder
        layers = list(encoder.encoder.layer)
        for parameter in self.encoder.parameters():
            parameter.requires_grad_(False)
        heads = [self.queries, self.attended, self.attended_bias, *self.linear.parameters()]
        groups = [ParameterGroup(heads, "head", head_rate, weight_decay)]
        for depth, layer in enumerate(reversed(layers[frozen_layers:])):
            for parameter in layer.parameters():
                parameter.requires_grad_(True)
            rate = encoder_rate * layer_decay**depth
            groups.append(ParameterGroup(list(layer.parameters()), "encoder", rate, weight_decay))
        return groups
