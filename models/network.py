"""The network: an ONNX graph on k one-thread sessions, one window a run.

int8 takes one activation scale per tensor, so a window that ran among others would get other logits: one run
holds one window, and its numbers are the same to the bit alone, in a batch and on any session (one CPU family,
one onnxruntime). Knows windows and heads; knows nothing of texts, curves or who asks.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from prefilter.models.windows import Window


class NetworkError(RuntimeError):
    """The graph is not what its manifest says, or its answer is not whole; no text is in the message."""


class Network:
    """As many windows run at once as there are sessions; others wait their turn."""

    def __init__(self, graph: bytes, *, sessions: int, heads: int, evidence: bool) -> None:
        """Open the sessions; raises `NetworkError` where `evidence` is promised and the graph gives none."""
        opened = [_session(graph) for _ in range(sessions)]
        inputs = {i.name for i in opened[0].get_inputs()}
        self.sessions = sessions
        self.reads_context = "token_type_ids" in inputs
        self._heads = heads
        self._wants_mask = "attention_mask" in inputs
        self._outputs = ["logits", "evidence"] if evidence else ["logits"]
        if set(self._outputs) - {o.name for o in opened[0].get_outputs()}:
            raise NetworkError("it promises spans and gives no evidence")
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for session in opened:
            self._idle.put(session)

    def run(self, cut: Sequence[Window]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Logits [windows, heads] and, where the model gives spans, each window's evidence [pieces, heads].

        Raises `NetworkError` for anything that is not finite or of another shape.
        """
        with self._session() as session:
            rows = [session.run(self._outputs, self._feed(window)) for window in cut]
        logits = np.concatenate([row[0] for row in rows]).astype(np.float32, copy=False)
        marks = [
            row[1][0, 1 : 1 + len(window.pieces)] for window, row in zip(cut, rows, strict=True) if row[1:]
        ]
        whole = logits.shape == (len(cut), self._heads) and bool(np.isfinite(logits).all())
        for window, mark in zip(cut, marks, strict=False):
            whole = whole and mark.shape == (len(window.pieces), self._heads) and bool(np.isfinite(mark).all())
        if not whole:
            raise NetworkError("the network's answer is not whole")
        return logits, marks

    def _feed(self, window: Window) -> dict[str, NDArray[np.int64]]:
        feed = {"input_ids": window.ids[None, :]}
        if self.reads_context:
            feed["token_type_ids"] = window.types[None, :]
        if self._wants_mask:
            feed["attention_mask"] = np.ones_like(feed["input_ids"])
        return feed

    @contextmanager
    def _session(self) -> Iterator[Any]:
        session = self._idle.get()
        try:
            yield session
        finally:
            self._idle.put(session)


def _session(graph: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
