"""A graph run as the scorer runs it: one single-threaded CPU session, one unpadded window a run.

Everything that is calibrated or compared comes from here, so that what is measured is what ships. Knows windows and
files; knows neither torch nor how a graph was made.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from prefilter.classifier.corpus.tokenised import Tokenised

OPSET = 17
"""The version of ONNX's operators that our graphs are written in."""


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """One single-threaded CPU session, as the scorer opens it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feed(tokenised: Tokenised, window: int) -> dict[str, NDArray[np.int64]]:
    """One window as the graph takes it."""
    return {
        "input_ids": tokenised.window(window)[None].astype(np.int64),
        "token_type_ids": tokenised.window_types(window)[None].astype(np.int64),
    }


def session_logits(path: Path, tokenised: Tokenised) -> NDArray[np.float32]:
    """Logits [windows, heads] of every window by an ONNX file, one window per run, on a session per core."""
    cores = os.cpu_count() or 1
    parts = np.array_split(np.arange(len(tokenised.text)), cores)

    def work(part: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        session = open_session(path)
        return [session.run(["logits"], feed(tokenised, int(w)))[0] for w in part]

    with ThreadPoolExecutor(cores) as pool:
        rows = [row for part in pool.map(work, parts) for row in part]
    return np.concatenate(rows).astype(np.float32)
