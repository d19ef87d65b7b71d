"""Quantisation: fp32 ONNX to int8 weights per channel, activations by dynamic range, one row a run.

Saturating 7-bit ranges are not used (see docs/adr/0008): processors without VNNI may round differently, so
bit-identity is promised per processor family only. What is lost is measured by `fidelity`.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from prefilter.classifier.graph.lean_graph import make_lean
from prefilter.models.labels import HEADS


def quantise(fp32: Path, int8: Path) -> None:
    """Write the int8 graph of a smoothed fp32 graph: MatMul and Attention, per channel, then `make_lean`."""
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
