"""Quantising: fp32 ONNX to int8 weights per channel, activations by dynamic range, one row a run.

What is lost is counted in decisions: the share of texts whose outcome under the recipe's edges differs from fp32's,
and the export refuses to exceed its budget. Saturating 7-bit ranges are not used (see docs/adr/0008): processors
without VNNI may round differently, so bit-identity is promised per processor family only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from prefilter.classifier.graph.lean_graph import make_lean
from prefilter.classifier.graph.onnx_export import ExportRefused
from prefilter.models.labels import HEADS


def quantise(fp32: Path, int8: Path) -> None:
    """Write the int8 graph of a smoothed fp32 graph: MatMul and Attention, per channel, made lean (see `lean`)."""
    quantize_dynamic(
        str(fp32),
        str(int8),
        op_types_to_quantize=["MatMul", "Attention"],
        per_channel=True,
        reduce_range=False,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=_head_nodes(fp32),
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True},
    )
    make_lean(int8)


def _head_nodes(fp32: Path) -> list[str]:
    """Names of the pooling and head products: tiny, and the last place to lose precision."""
    graph = onnx.load(fp32).graph
    widths = {i.name: i.dims for i in graph.initializer}
    small = {len(HEADS)}
    return [
        node.name
        for node in graph.node
        if node.op_type == "MatMul" and any(name in widths and small & set(widths[name]) for name in node.input)
    ]


def outcomes(scores: NDArray[np.float32], edges: Mapping[str, tuple[float, float]]) -> NDArray[np.int8]:
    """0 allow, 1 review, 2 block for scores [n, heads] under `edges` head → (review, block): the highest of all."""
    out = np.zeros(len(scores), dtype=np.int8)
    for head, (review, block) in edges.items():
        column = scores[:, HEADS.index(head)]
        out = np.maximum(out, (column >= review).astype(np.int8) + (column >= block).astype(np.int8))
    return out


def flips(ours: NDArray[np.int8], theirs: NDArray[np.int8], *, budget: float) -> float:
    """The share of outcomes that differ; raises `ExportRefused` above `budget`."""
    share = float((ours != theirs).mean())
    if share > budget:
        raise ExportRefused(f"int8 flips {share:.2%} of decisions against fp32; allowed {budget:.2%}")
    return share
