"""N scoring processes, each with its own one-thread sessions, and the one loop that feeds them.

A worker holds one chunk at a time and gets the next when it answers; finished chunks wait for their turn,
at most a few per worker, so memory is bounded and the order of rows kept. A worker that dies (killed for
memory, say) is replaced and its chunk tried row by row: only the row that kills again becomes
`internal_fault`, which is REVIEW. No sleeping and no polling.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Container, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Self

from prefilter.serving.bulk.chunks import Text, faulted
from prefilter.serving.bulk.errors import WorkersLost
from prefilter.serving.bulk.messages import read_complaint, read_scored, write_texts

if TYPE_CHECKING:
    from prefilter.models.scored import Scored

CHUNKS_AHEAD = 4
MAX_DEATHS = 20


class Workers:
    """A pool of up to `count` scoring processes for the model at `model`; a context manager.

    Processes start when there is a chunk for them, so a short file does not start a whole machine.
    """

    def __init__(self, model: Path, *, count: int) -> None:
        """Start nothing yet."""
        self._model = model
        self._count = count
        self._deaths = 0
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.stop()

    def score(self, chunks: Iterable[list[Text]]) -> Iterator[list[Scored]]:
        """Yield one list of results per chunk, in order; raises WorkersLost where the model cannot be run."""
        source = enumerate(chunks)
        busy: dict[Connection, tuple[_Worker, int, list[Text]]] = {}
        finished: dict[int, list[Scored]] = {}
        wanted, sent, exhausted = 0, 0, False
        while True:
            while not exhausted and len(busy) < self._count and sent - wanted < CHUNKS_AHEAD * self._count:
                position, chunk = next(source, (-1, []))
                exhausted = position < 0
                if not exhausted:
                    sent += 1
                    worker = self._idle_worker(busy)
                    worker.send(chunk)
                    busy[worker.connection] = (worker, position, chunk)
            if wanted in finished:
                yield finished.pop(wanted)
                wanted += 1
                continue
            if not busy:
                return
            for connection in wait(list(busy)):
                worker, position, chunk = busy[connection]  # type: ignore[index]
                if not worker.ready:
                    worker.expect_ready()
                    continue
                del busy[worker.connection]
                scored = worker.receive()
                finished[position] = self._isolate(worker, chunk) if scored is None else scored

    def _idle_worker(self, busy: Container[Connection]) -> _Worker:
        for worker in self._workers:
            if worker.connection not in busy:
                return worker
        self._workers.append(_Worker(self._model))
        return self._workers[-1]

    def _isolate(self, dead: _Worker, chunk: list[Text]) -> list[Scored]:
        """Score the chunk that a worker died over, row by row on fresh workers."""
        results: list[Scored] = []
        worker = self._replace(dead)
        for row in chunk:
            worker.send([row])
            scored = worker.receive()
            if scored is None:
                worker = self._replace(worker)
                scored = [faulted()]
            results.extend(scored)
        return results

    def _replace(self, dead: _Worker) -> _Worker:
        self._deaths += 1
        dead.stop()
        if self._deaths > MAX_DEATHS:
            raise WorkersLost(f"scoring processes died {self._deaths} times; is there enough memory?")
        fresh = _Worker(self._model)
        self._workers[self._workers.index(dead)] = fresh
        fresh.expect_ready()
        return fresh


class _Worker:
    """One process and the socket to it."""

    def __init__(self, model: Path) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [
                sys.executable,
                "-P",
                "-m",
                "prefilter.serving.bulk.worker",
                str(theirs.fileno()),
                str(model),
            ]
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self.connection = Connection(ours.detach())
        self.ready = False

    def expect_ready(self) -> None:
        """Wait until the model is loaded; raises WorkersLost with the reason where it is not."""
        try:
            complaint = read_complaint(self.connection.recv_bytes())
        except (EOFError, ConnectionResetError):
            complaint = "the scoring process died while it loaded the model"
        if complaint is not None:
            raise WorkersLost(complaint)
        self.ready = True

    def send(self, chunk: list[Text]) -> None:
        """Hand over a chunk; a dead process is noticed when the answer is awaited."""
        try:
            self.connection.send_bytes(write_texts(chunk))
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self) -> list[Scored] | None:
        """Return the scores of the chunk, or None if the process died over it."""
        try:
            message = self.connection.recv_bytes()
        except (EOFError, ConnectionResetError):
            return None
        return read_scored(message)

    def stop(self) -> None:
        """Let the process go; closing the socket ends it, a kill makes sure."""
        self.connection.close()
        self._process.kill()
        self._process.wait()
