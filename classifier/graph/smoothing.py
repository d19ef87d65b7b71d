"""Smoothing: moving outlier channels from activations into weights before int8, so that one scale fits a tensor.

Dynamic int8 takes one activation scale for a whole tensor; a few channels with large values then cost all others their
precision. Dividing each channel by a factor and multiplying the weights' rows by it changes nothing in fp32 and evens
the ranges out: SmoothQuant (Xiao et al. 2023, eq. 4), s_j = max|X_j|^a / max|W_j|^(1-a), with the a of each product
that leaves its own int8 output nearest to fp32's, as AWQ (Lin et al. 2024, eq. 5) searches its scales. The embedding
table is kept as int8 with a scale per word piece; the wide part's narrow tables as float16. Works on ONNX graphs; knows
neither texts nor heads.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

STRENGTHS = (0.0, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
"""Tried for each product by itself: what is even enough for attention is too much for the second feed-forward product,
whose smoothed weights then cost more than its activations did."""
SEEN_WINDOWS = 48
"""Windows on whose activations the strengths are compared; the ranges come from all."""
TABLE_ROWS = 10_000
BROAD = 64
"""Columns from which a table counts as broad."""
Floats = NDArray[np.float32]
Feed = dict[str, NDArray[np.int64]]


def smooth(source: Path, target: Path, windows: Iterable[Feed]) -> None:
    """Write `source` with evened-out activations and a row-wise int8 embedding table to `target`.

    `windows`: a few hundred windows, as the graph takes them, to take the activations' ranges from. The result
    computes the same function as `source` in fp32, but for the tables' rounding.
    """
    model = onnx.load(source)
    weights = {i.name: i for i in model.graph.initializer}
    products = [n for n in model.graph.node if _is_product(n, weights)]
    highest, seen = _activations(model, {n.input[0] for n in products}, windows)
    for node in products:
        _even_out(model.graph, node, weights, highest[node.input[0]], seen[node.input[0]])
    _shrink_tables(model.graph)
    onnx.save(model, target)


def _is_product(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> bool:
    constant = len(node.input) > 1 and node.input[1] in weights and len(weights[node.input[1]].dims) == 2
    return node.op_type in ("MatMul", "Attention") and constant


def _activations(
    model: onnx.ModelProto, names: set[str], windows: Iterable[Feed]
) -> tuple[dict[str, Floats], dict[str, list[Floats]]]:
    """Of the tensors `names`: each channel's largest absolute value, and the first windows' rows [tokens, channels]."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    ordered = sorted(names)
    probe.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ordered)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    maxima: dict[str, Floats] = {}
    seen: dict[str, list[Floats]] = {name: [] for name in ordered}
    for window in windows:
        for name, value in zip(ordered, session.run(ordered, window), strict=True):
            rows = value.reshape(-1, value.shape[-1])
            here = np.abs(rows).max(axis=0)
            maxima[name] = np.maximum(maxima[name], here) if name in maxima else here
            if len(seen[name]) < SEEN_WINDOWS:
                seen[name].append(rows)
    return maxima, seen


def _even_out(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    weights: dict[str, onnx.TensorProto],
    highest: Floats,
    seen: list[Floats],
) -> None:
    """Put `x / s` before the node and `s` into the rows of its weights."""
    tensor = weights[node.input[1]]
    matrix = numpy_helper.to_array(tensor)
    factor = best_factor(matrix, highest, seen)
    name = f"{node.name}/smooth"
    graph.initializer.append(numpy_helper.from_array((1 / factor).astype(np.float32), f"{name}/factor"))
    graph.initializer.append(numpy_helper.from_array((matrix * factor[:, None]).astype(np.float32), f"{name}/weight"))
    before = helper.make_node("Mul", [node.input[0], f"{name}/factor"], [f"{name}/input"], name=name)
    graph.node.insert(list(graph.node).index(node), before)
    node.input[0], node.input[1] = f"{name}/input", f"{name}/weight"
    if not any(tensor.name in other.input for other in graph.node):
        graph.initializer.remove(tensor)


def best_factor(matrix: Floats, highest: Floats, seen: list[Floats]) -> Floats:
    """The factors [channels] of the strength whose int8 product of `seen` and `matrix` is nearest to fp32's."""
    factors = [_factor(matrix, highest, strength) for strength in STRENGTHS]
    errors = [product_error(matrix, factor, seen) for factor in factors]
    return factors[int(np.argmin(errors))]


def product_error(matrix: Floats, factor: Floats, seen: list[Floats]) -> float:
    """Squared error of the int8 product of each of `seen` [tokens, channels] with `matrix`, smoothed by `factor`."""
    weights = _int8_columns(matrix * factor[:, None])
    return sum(float(((_uint8(x / factor) @ weights - x @ matrix) ** 2).sum()) for x in seen)


def _factor(matrix: Floats, highest: Floats, strength: float) -> Floats:
    if strength == 0:
        return np.ones(len(matrix), dtype=np.float32)
    rows = np.maximum(np.abs(matrix).max(axis=1), 1e-5)
    factor = np.maximum(highest, 1e-5) ** strength / rows ** (1 - strength)
    evened: Floats = (factor / np.exp(np.log(factor).mean())).astype(np.float32)
    return evened


def _int8_columns(matrix: Floats) -> Floats:
    """`matrix` as int8 per column, and back."""
    scale = np.maximum(np.abs(matrix).max(axis=0, keepdims=True), 1e-8) / 127
    rounded: Floats = (np.round(matrix / scale) * scale).astype(np.float32)
    return rounded


def _uint8(rows: Floats) -> Floats:
    """One window's activations as onnxruntime's dynamic uint8, one scale for all, and back."""
    low, high = min(float(rows.min()), 0.0), max(float(rows.max()), 0.0)
    scale = max(high - low, 1e-8) / 255
    zero = round(-low / scale)
    rounded: Floats = ((np.clip(np.round(rows / scale) + zero, 0, 255) - zero) * scale).astype(np.float32)
    return rounded


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
