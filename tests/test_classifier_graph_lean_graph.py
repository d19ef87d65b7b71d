"""A lean graph computes what it did before, in fewer and faster operations."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from prefilter.classifier.graph.graph_session import open_session
from prefilter.classifier.graph.lean_graph import make_lean
from prefilter.models.registry import resolve


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphs") / "lean.onnx"
    shutil.copyfile(resolve() / "model.onnx", path)
    make_lean(path)
    return path


def test_nothing_slow_is_left(lean: Path) -> None:
    before = Counter(node.op_type for node in onnx.load(resolve() / "model.onnx").graph.node)
    after = Counter(node.op_type for node in onnx.load(lean).graph.node)
    assert after["SkipLayerNormalization"] == after["QAttention"] == 0
    assert after["MultiHeadAttention"] == before["QAttention"] > 0
    assert after["LayerNormalization"] == before["LayerNormalization"] + before["SkipLayerNormalization"]


def test_logits_move_by_no_more_than_int8_does_anyway(lean: Path) -> None:
    old, new = open_session(resolve() / "model.onnx"), open_session(lean)
    rng = np.random.default_rng(0)
    moved = []
    for length in (5, 32, 128):
        ids = rng.integers(1_000, 20_000, (1, length))
        feed = {"input_ids": ids, "token_type_ids": np.zeros_like(ids)}
        moved.append(np.abs(old.run(["logits"], feed)[0] - new.run(["logits"], feed)[0]))
    assert np.concatenate(moved).mean() < 0.06


def test_one_layer_computes_the_same_before_int8_noise_adds_up(lean: Path) -> None:
    ids = np.random.default_rng(1).integers(1_000, 20_000, (1, 24))
    feed = {"input_ids": ids, "token_type_ids": np.zeros_like(ids)}
    outputs = []
    for path in (resolve() / "model.onnx", lean):
        model = onnx.load(path)
        first = next(
            n
            for n in model.graph.node
            if (n.op_type == "LayerNormalization" and "SkipLayerNorm" in n.name)
            or n.op_type == "SkipLayerNormalization"
        )
        model.graph.output.append(onnx.helper.make_tensor_value_info(first.output[0], onnx.TensorProto.FLOAT, None))
        copy = lean.with_name("probe.onnx")
        onnx.save(model, copy)
        outputs.append(open_session(copy).run([first.output[0]], feed)[0])
    np.testing.assert_allclose(outputs[1], outputs[0], atol=0.02)
