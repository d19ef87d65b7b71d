"""Smoothing: moving outlier channels from activations into weights before int8, so that one scale fits a tensor.

Dynamic int8 takes one activation scale for a whole tensor; a few channels with large values then cost all others
their precision. Dividing each channel by a factor and multiplying the weights' rows by it changes nothing in fp32
and evens the ranges out: SmoothQuant (Xiao et al. 2023, eq. 4), s_j = max|X_j|^a / max|W_j|^(1-a). The embedding table,
too large for fp32 and too uneven for one scale, is kept as int8 with a scale per word piece; the wide part's tables,
narrow ones, as float16.
Works on ONNX graphs; knows neither texts nor heads.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

STRENGTH = 0.85
"""Of 0.35 to 1, the strength whose int8 logits lie nearest to fp32's on this encoder: half the difference of none."""
TABLE_ROWS = 10_000
BROAD = 64
"""Columns from which a table counts as broad."""
Floats = NDArray[np.float32]
Feed = dict[str, NDArray[np.int64]]


def smooth(source: Path, target: Path, windows: Iterable[Feed], *, strength: float = STRENGTH) -> None:
    """Write `source` with evened-out activations and a row-wise int8 embedding table to `target`.

    `windows`: a few hundred windows, as the graph takes them, to take the activations' ranges from. The result
    computes the same function as `source` in fp32, but for the tables' rounding.
    """
    model = onnx.load(source)
    weights = {i.name: i for i in model.graph.initializer}
    products = [n for n in model.graph.node if _is_product(n, weights)]
    highest = _channel_maxima(model, {n.input[0] for n in products}, windows)
    for node in products:
        _even_out(model.graph, node, weights, highest[node.input[0]], strength)
    _shrink_tables(model.graph)
    onnx.save(model, target)


def _is_product(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    constant = len(node.input) > 1 and node.input[1] in weights and len(weights[node.input[1]].dims) == 2
    return node.op_type in ("MatMul", "Attention") and constant


def _channel_maxima(
    model: onnx.ModelProto, names: set[str], windows: Iterable[Feed]
) -> dict[str, Floats]:
    """Largest absolute value of each channel of the tensors `names` over all windows."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    ordered = sorted(names)
    probe.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ordered)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    maxima: dict[str, Floats] = {}
    for window in windows:
        for name, value in zip(ordered, session.run(ordered, window), strict=True):
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


def _shrink_tables(graph: onnx.GraphProto) -> None:
    """Replace the lookups in large fp32 tables: broad rows by int8 rows with a scale each, narrow ones by float16."""
    tables = {i.name: i for i in graph.initializer if len(i.dims) == 2 and i.dims[0] >= TABLE_ROWS}
    lookups = [n for n in graph.node if n.op_type == "Gather" and n.input[0] in tables]
    for number, node in enumerate(lookups):
        table = tables[node.input[0]]
        make = _by_rows if table.dims[1] >= BROAD else _in_halves
        position = list(graph.node).index(node)
        steps = make(graph, f"table{number}", numpy_helper.to_array(table), node.input[1], node.output[0])
        graph.node.remove(node)
        for offset, step in enumerate(steps):
            graph.node.insert(position + offset, step)
        if not any(table.name in other.input for other in graph.node):
            graph.initializer.remove(table)


def _by_rows(graph: onnx.GraphProto, name: str, values: Floats, ids: str, out: str) -> list[onnx.NodeProto]:
    scale = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-8) / 127
    graph.initializer.append(numpy_helper.from_array(np.round(values / scale).astype(np.int8), f"{name}/int8"))
    graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}/scale"))
    return [
        helper.make_node("Gather", [f"{name}/int8", ids], [f"{name}/row"], name=f"{name}/gather"),
        helper.make_node("Cast", [f"{name}/row"], [f"{name}/float"], to=TensorProto.FLOAT, name=f"{name}/cast"),
        helper.make_node("Gather", [f"{name}/scale", ids], [f"{name}/row_scale"], name=f"{name}/gather_scale"),
        helper.make_node("Mul", [f"{name}/float", f"{name}/row_scale"], [out], name=f"{name}/mul"),
    ]


def _in_halves(graph: onnx.GraphProto, name: str, values: Floats, ids: str, out: str) -> list[onnx.NodeProto]:
    graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), f"{name}/half"))
    return [
        helper.make_node("Gather", [f"{name}/half", ids], [f"{name}/row"], name=f"{name}/gather"),
        helper.make_node("Cast", [f"{name}/row"], [out], to=TensorProto.FLOAT, name=f"{name}/cast"),
    ]
