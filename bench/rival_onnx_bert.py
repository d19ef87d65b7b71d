"""BERT-base in onnxruntime, int8, as a contestant: fused and quantised as onnxruntime's own tools do it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from bert import BATCH, LENGTH, in_batches, make, write_vocabulary
from contestant import compete
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from tokenizers import BertWordPieceTokenizer
from torch import Tensor, nn

LABELS = 11


class Classifier(nn.Module):
    """Only the logits, so that the graph has one output."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = make(LABELS)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Any:
        """Logits [rows, labels]."""
        return self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits


def main() -> None:
    """Export, fuse, quantise and compete: one text a run, unpadded, and 32 a run, padded to the longest."""
    with tempfile.TemporaryDirectory() as place:
        session = _session(Path(place))
        write_vocabulary(Path(place))
        tokenizer = BertWordPieceTokenizer(str(Path(place) / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding()

    def in_runs(size: int) -> Any:
        def score(texts: Sequence[str]) -> None:
            for batch in in_batches(texts, size):
                rows = tokenizer.encode_batch(batch)
                feed = {
                    "input_ids": np.array([row.ids for row in rows], dtype=np.int64),
                    "attention_mask": np.array([row.attention_mask for row in rows], dtype=np.int64),
                    "token_type_ids": np.array([row.type_ids for row in rows], dtype=np.int64),
                }
                session.run(None, feed)

        return score

    def pieces(texts: Sequence[str]) -> int:
        return sum(sum(row.attention_mask) - 2 for row in tokenizer.encode_batch(list(texts)))

    ways = {"one text a run": in_runs(1), f"{BATCH} texts a run": in_runs(BATCH)}
    ways["one text a run"](["The library opens at nine."] * 2)
    compete(f"onnxruntime {onnxruntime.__version__}, int8", ways, pieces=pieces)


def _session(folder: Path) -> onnxruntime.InferenceSession:
    names = ("input_ids", "attention_mask", "token_type_ids")
    example = tuple(torch.ones(2, 17, dtype=torch.int64) for _ in names)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Classifier(),
            example,
            str(folder / "raw.onnx"),
            input_names=list(names),
            output_names=["logits"],
            dynamic_axes={name: {0: "rows", 1: "pieces"} for name in names} | {"logits": {0: "rows"}},
            opset_version=17,
            dynamo=False,
        )
    fused = optimizer.optimize_model(str(folder / "raw.onnx"), model_type="bert", num_heads=12, hidden_size=768)
    fused.save_model_to_file(str(folder / "fused.onnx"))
    count = sum(node.op_type == "Attention" for node in onnx.load(folder / "fused.onnx").graph.node)
    assert count == 12, f"{count} of 12 attention blocks were fused"
    quantize_dynamic(
        folder / "fused.onnx",
        folder / "int8.onnx",
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT, "MatMulConstBOnly": True},
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        (folder / "int8.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
    )


if __name__ == "__main__":
    main()
