"""Export: the trained network as an fp32 ONNX graph with fused attention.

The graph takes `input_ids` and `token_type_ids`, int64 [1, tokens], one unpadded window at a time, so it needs no
attention mask; it gives `logits` [1, heads] and `evidence` [1, tokens, heads]. A BERT encoder is written out by
`PlainBert`, whose operations are exactly those that onnxruntime's optimiser fuses; any other architecture goes through
its own forward. A BERT graph without fused attention is refused: quantisation and `lean_graph` count on it.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from torch import Tensor, nn

from prefilter.classifier.graph.fidelity import ExportRefused
from prefilter.classifier.graph.graph_session import OPSET
from prefilter.classifier.training.harm_network import HarmNetwork


class PlainBert(nn.Module):
    """A BERT encoder with our heads, for one unpadded row, in operations that fuse."""

    def __init__(self, network: HarmNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:
        encoder: Any = self.network.encoder
        embeddings, config = encoder.embeddings, encoder.config
        positions = torch.arange(input_ids.shape[1]).unsqueeze(0)
        states = embeddings.word_embeddings(input_ids) + embeddings.token_type_embeddings(token_type_ids)
        states = embeddings.LayerNorm(states + embeddings.position_embeddings(positions))
        heads, size = config.num_attention_heads, config.hidden_size // config.num_attention_heads

        def by_head(projected: Tensor) -> Tensor:
            return projected.view(projected.shape[0], projected.shape[1], heads, size).permute(0, 2, 1, 3)

        for layer in encoder.encoder.layer:
            attention = layer.attention.self
            query, key, value = (by_head(p(states)) for p in (attention.query, attention.key, attention.value))
            weights = torch.softmax(torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(size), dim=-1)
            context = torch.matmul(weights, value).permute(0, 2, 1, 3).contiguous()
            context = context.view(context.shape[0], context.shape[1], config.hidden_size)
            states = layer.attention.output.LayerNorm(layer.attention.output.dense(context) + states)
            inner = torch.nn.functional.gelu(layer.intermediate.dense(states))
            states = layer.output.LayerNorm(layer.output.dense(inner) + states)
        keep = 1 - token_type_ids
        logits, evidence = self.network.pool(states, keep)
        return self.network.finish(logits, input_ids, keep), evidence


class _WholeNetwork(nn.Module):
    def __init__(self, network: HarmNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:
        logits, evidence = self.network(input_ids, None, token_type_ids)
        return logits, evidence


def export_onnx(network: HarmNetwork, path: Path) -> None:
    """Write the fused fp32 graph to `path`."""
    network.eval()
    config: Any = network.encoder.config
    bert = config.model_type == "bert" and config.hidden_act == "gelu"
    module: nn.Module = PlainBert(network) if bert else _WholeNetwork(network)
    example = torch.randint(1000, 2000, (1, 17))
    types = (torch.arange(17) >= 12).long().unsqueeze(0)
    raw = path.with_suffix(".raw.onnx")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example, types),
            str(raw),
            input_names=["input_ids", "token_type_ids"],
            output_names=["logits", "evidence"],
            dynamic_axes={name: {1: "tokens"} for name in ("input_ids", "token_type_ids", "evidence")},
            opset_version=OPSET,
            dynamo=False,
        )
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # its fused form takes no table of int8 rows
    fused = optimizer.optimize_model(
        str(raw),
        model_type="bert",
        num_heads=int(config.num_attention_heads),
        hidden_size=int(config.hidden_size),
        optimization_options=options,
    )
    fused.save_model_to_file(str(path))
    raw.unlink()
    if bert and not any(node.op_type == "Attention" for node in onnx.load(path).graph.node):
        raise ExportRefused("the optimiser fused no attention: this onnxruntime is not the one the export knows")
