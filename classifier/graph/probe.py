"""A probe: one int8 product as an ONNX graph, to measure what a processor can do at best.

A benchmark runs it beside the model, so that figures from two machines can be compared.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from prefilter.classifier.graph.graph_session import OPSET


def int8_product(inner: int, outer: int) -> bytes:
    """A graph `rows` uint8 [n, inner] → `sums` int32 [n, outer] by constant int8 weights, as the network's products."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (inner, outer)).astype(np.int8)
    node = helper.make_node("MatMulInteger", ["rows", "weights"], ["sums"])
    graph = helper.make_graph(
        [node],
        "probe",
        [helper.make_tensor_value_info("rows", TensorProto.UINT8, ["n", inner])],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, ["n", outer])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    made: bytes = model.SerializeToString()
    return made
