"""The network: an ONNX graph in one session that k threads run at once, one window a run.

int8 takes one activation scale per tensor, so in a batch a window's logits would depend on its neighbours: one run
holds one window, and its numbers are the same to the bit alone, in a batch and on any thread (one CPU family, one
onnxruntime). A session of one thread runs each call on the calling thread and may be called from many: k threads on one
session are as fast as k sessions, and the weights are in memory once. Knows windows and heads; knows nothing of texts,
curves or callers.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from prefilter.models.known_error import KnownError
from prefilter.models.text.windows import Window


class NetworkError(KnownError, RuntimeError):
    """The graph is not what its manifest says, or its output is not complete; no text is in the message."""


class Run(NamedTuple):
    """The network's output for one window: logits [heads] and, where the model gives spans, `marks`, its evidence
    [pieces, heads]."""

    logits: NDArray[np.float32]
    marks: NDArray[np.float32] | None


class Network:
    """As many windows run at once as `threads` says; others wait their turn."""

    def __init__(self, graph: bytes, *, threads: int, heads: int, evidence: bool) -> None:
        """Open the session; raises `NetworkError` where `evidence` is promised and the graph gives none."""
        self._session = _session(graph)
        inputs = {i.name for i in self._session.get_inputs()}
        self.threads = threads
        self.reads_context = "token_type_ids" in inputs
        self._heads = heads
        self._wants_mask = "attention_mask" in inputs
        self._outputs = ["logits", "evidence"] if evidence else ["logits"]
        if set(self._outputs) - {o.name for o in self._session.get_outputs()}:
            raise NetworkError("it promises spans and gives no evidence")
        self._turn = threading.BoundedSemaphore(threads)  # each run in progress holds memory

    def run(self, window: Window) -> Run:
        """The graph's output for one window; raises `NetworkError` for anything not finite or of another shape."""
        with self._turn:
            logits, *evidence = self._session.run(self._outputs, self._feed(window))
        pieces = len(window.pieces)
        found = Run(
            logits[0].astype(np.float32, copy=False), evidence[0][0, 1 : 1 + pieces] if evidence else None
        )
        whole = logits.shape == (1, self._heads) and bool(np.isfinite(found.logits).all())
        if found.marks is not None:
            whole = whole and found.marks.shape == (pieces, self._heads) and bool(np.isfinite(found.marks).all())
        if not whole:
            raise NetworkError("the network's answer is not whole")
        return found

    def _feed(self, window: Window) -> dict[str, NDArray[np.int64]]:
        feed = {"input_ids": window.ids[None, :]}
        if self.reads_context:
            feed["token_type_ids"] = window.types[None, :]
        if self._wants_mask:
            feed["attention_mask"] = np.ones_like(feed["input_ids"])
        return feed


def _session(graph: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
