"""Smoothing: moving outlier channels from activations into weights before int8, so that one scale fits a tensor.

Dynamic int8 takes one activation scale for a whole tensor; a few channels with large values then cost all others
their precision. Dividing each channel by a factor and multiplying the weights' rows by it changes nothing in fp32
and evens the ranges out: SmoothQuant (Xiao et al. 2023, eq. 4), s_j = max|X_j|^a / max|W_j|^(1-a). The embedding table,
too large for fp32 and too uneven for one scale, is kept as int8 with a scale per word piece.
Works on ONNX graphs; knows neither texts nor heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

STRENGTH = 0.85
"""Of 0.35 to 1, the strength whose int8 logits lie nearest to fp32's on this encoder: half the difference of none."""
TABLE_ROWS = 10_000
Floats = NDArray[np.float32]


def smooth(source: Path, target: Path, windows: Iterable[NDArray[np.int64]], *, strength: float = STRENGTH) -> None:
    """Write `source` with evened-out activations and a row-wise int8 embedding table to `target`.

    `windows`: id rows int64 [tokens] to take the activations' ranges from, a few hundred. The result computes the
    same function as `source` in fp32, but for the table's rounding.
    """
    model = onnx.load(source)
    weights = {i.name: i for i in model.graph.initializer}
    products = [n for n in model.graph.node if _is_product(n, weights)]
    highest = _channel_maxima(model, {n.input[0] for n in products}, windows)
    for node in products:
        _even_out(model.graph, node, weights, highest[node.input[0]], strength)
    _table_by_rows(model.graph)
    onnx.save(model, target)


def _is_product(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    constant = len(node.input) > 1 and node.input[1] in weights and len(weights[node.input[1]].dims) == 2
    return node.op_type in ("MatMul", "Attention") and constant


def _channel_maxima(
    model: onnx.ModelProto, names: set[str], windows: Iterable[NDArray[np.int64]]
) -> dict[str, Floats]:
    """Largest absolute value of each channel of the tensors `names` over all windows."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    ordered = sorted(names)
    probe.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ordered)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    maxima: dict[str, Floats] = {}
    for ids in windows:
        for name, value in zip(ordered, session.run(ordered, {"input_ids": ids[None]}), strict=True):
            here = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
            maxima[name] = np.maximum(maxima[name], here) if name in maxima else here
    return maxima


def _even_out(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    weights: dict[str, onnx.TensorProto],
    highest: Floats,
    strength: float,
) -> None:
    """Put `x / s` before the node and `s` into the rows of its weights."""
    tensor = weights[node.input[1]]
    matrix = numpy_helper.to_array(tensor)
    rows = np.maximum(np.abs(matrix).max(axis=1), 1e-5)
    factor = (np.maximum(highest, 1e-5) ** strength / rows ** (1 - strength)).astype(np.float32)
    factor /= np.exp(np.log(factor).mean())
    name = f"{node.name}/smooth"
    graph.initializer.append(numpy_helper.from_array((1 / factor).astype(np.float32), f"{name}/factor"))
    graph.initializer.append(numpy_helper.from_array((matrix * factor[:, None]).astype(np.float32), f"{name}/weight"))
    before = helper.make_node("Mul", [node.input[0], f"{name}/factor"], [f"{name}/input"], name=name)
    graph.node.insert(list(graph.node).index(node), before)
    node.input[0], node.input[1] = f"{name}/input", f"{name}/weight"
    if not any(tensor.name in other.input for other in graph.node):
        graph.initializer.remove(tensor)


def _table_by_rows(graph: onnx.GraphProto) -> None:
    """Replace the lookup in a large fp32 table by one in an int8 table and its row scales."""
    tables = {i.name: i for i in graph.initializer if len(i.dims) == 2 and i.dims[0] >= TABLE_ROWS}
    for node in list(_lookups(graph, tables)):
        table = tables[node.input[0]]
        values = numpy_helper.to_array(table)
        scale = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-8) / 127
        graph.initializer.append(numpy_helper.from_array(np.round(values / scale).astype(np.int8), "table/int8"))
        graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), "table/scale"))
        position, ids = list(graph.node).index(node), node.input[1]
        steps = [
            helper.make_node("Gather", ["table/int8", ids], ["table/row"], name="table/gather"),
            helper.make_node("Cast", ["table/row"], ["table/float"], to=TensorProto.FLOAT, name="table/cast"),
            helper.make_node("Gather", ["table/scale", ids], ["table/row_scale"], name="table/gather_scale"),
            helper.make_node("Mul", ["table/float", "table/row_scale"], [node.output[0]], name="table/mul"),
        ]
        graph.node.remove(node)
        for offset, step in enumerate(steps):
            graph.node.insert(position + offset, step)
        graph.initializer.remove(table)


def _lookups(graph: onnx.GraphProto, tables: dict[str, onnx.TensorProto]) -> Iterator[onnx.NodeProto]:
    return (n for n in graph.node if n.op_type == "Gather" and n.input[0] in tables)
