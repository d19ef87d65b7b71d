"""N scoring processes, each with its own one-thread sessions, and the one loop that feeds them.

A worker holds one chunk at a time; while all of them work, the next chunk is read and written down, so that
the first to answer has it at once. Finished chunks wait for their turn, at most a few per worker, so memory
is bounded and the order of rows kept. A worker that dies (killed for memory, say) is replaced and its chunk
tried row by row: only the row that kills again becomes `internal_fault`, which is REVIEW. No sleeping and no
polling.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Self

from prefilter.serving.bulk.bulk_errors import WorkersLost
from prefilter.serving.bulk.read.input_rows import Row
from prefilter.serving.bulk.run.chunks import Pace, Screened, cut_chunks
from prefilter.serving.bulk.run.screener import faulted
from prefilter.serving.bulk.run.worker_messages import read_complaint, read_table, write_rows, write_terms
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.bulk.write.scores_table import output_table

if TYPE_CHECKING:
    import pyarrow as pa

CHUNKS_AHEAD = 4
MAX_DEATHS = 20


@dataclass(slots=True)
class _Task:
    """A chunk on its way: its place, its rows, the message they travel in, and when it was handed over."""

    position: int
    rows: list[Row]
    message: bytes
    begun: float = 0.0


class Workers:
    """A pool of up to `count` scoring processes for a run under `terms`; a context manager.

    Processes start when there is a chunk for them, so a short file does not start a whole machine.
    """

    def __init__(self, terms: Terms, *, count: int, pace: Pace | None = None) -> None:
        """Start nothing yet."""
        self._terms = terms
        self._count = count
        self._pace = pace or Pace()
        self._deaths = 0
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.stop()

    def screen(self, rows: Iterable[Row]) -> Iterator[Screened]:
        """Yield the output rows, chunk by chunk, in order; raises WorkersLost where the model cannot be run."""
        tasks = self._tasks(rows)
        ready: deque[_Task] = deque()
        busy: dict[Connection, tuple[_Worker, _Task]] = {}
        finished: dict[int, Screened] = {}
        wanted, taken, exhausted = 0, 0, False
        while True:
            while ready and len(busy) < self._count:
                worker = self._idle_worker(busy)
                task = ready.popleft()
                worker.send(task)
                busy[worker.connection] = (worker, task)
            if not exhausted and not ready and taken - wanted < CHUNKS_AHEAD * self._count:
                following = next(tasks, None)
                exhausted = following is None
                if following is not None:
                    taken += 1
                    ready.append(following)
                    continue
            if wanted in finished:
                yield finished.pop(wanted)
                wanted += 1
                continue
            if not busy and not ready:
                return
            for connection in wait(list(busy)):
                worker, task = busy[connection]  # type: ignore[index]
                if not worker.ready:
                    worker.expect_ready()
                    task.begun = time.perf_counter()
                    continue
                del busy[worker.connection]
                table = worker.receive()
                if table is None:
                    table = self._isolate(worker, task.rows)
                else:
                    self._pace.saw(len(task.rows), time.perf_counter() - task.begun)
                finished[task.position] = Screened(table, task.rows[0].input_index)

    def _tasks(self, rows: Iterable[Row]) -> Iterator[_Task]:
        for position, chunk in enumerate(cut_chunks(rows, self._pace)):
            yield _Task(position, chunk, write_rows(chunk))

    def _idle_worker(self, busy: Container[Connection]) -> _Worker:
        for worker in self._workers:
            if worker.connection not in busy:
                return worker
        self._workers.append(_Worker(self._terms))
        return self._workers[-1]

    def _isolate(self, dead: _Worker, rows: list[Row]) -> pa.Table:
        """Screen the chunk that a worker died over, row by row on fresh workers."""
        import pyarrow as pa

        tables: list[pa.Table] = []
        worker = self._replace(dead)
        for row in rows:
            worker.send(_Task(0, [row], write_rows([row])))
            table = worker.receive()
            if table is None:
                worker = self._replace(worker)
                table = output_table([row], [faulted()], self._terms)
            tables.append(table)
        return pa.concat_tables(tables).combine_chunks()

    def _replace(self, dead: _Worker) -> _Worker:
        self._deaths += 1
        dead.stop()
        if self._deaths > MAX_DEATHS:
            raise WorkersLost(f"scoring processes died {self._deaths} times; is there enough memory?")
        fresh = _Worker(self._terms)
        self._workers[self._workers.index(dead)] = fresh
        fresh.expect_ready()
        return fresh


class _Worker:
    """One process and the socket to it."""

    def __init__(self, terms: Terms) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-m", "prefilter.serving.bulk.run.worker_process", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self.connection = Connection(ours.detach())
        self.ready = False
        self._say(write_terms(terms))

    def expect_ready(self) -> None:
        """Wait until the model is loaded; raises WorkersLost with the reason where it is not."""
        try:
            complaint = read_complaint(self.connection.recv_bytes())
        except (EOFError, ConnectionResetError):
            complaint = "the scoring process died while it loaded the model"
        if complaint is not None:
            raise WorkersLost(complaint)
        self.ready = True

    def send(self, task: _Task) -> None:
        """Hand over a chunk; a dead process is noticed when the answer is awaited."""
        task.begun = time.perf_counter()
        self._say(task.message)

    def receive(self) -> pa.Table | None:
        """Return the output rows of the chunk, or None if the process died over it."""
        try:
            message = self.connection.recv_bytes()
        except (EOFError, ConnectionResetError):
            return None
        return read_table(message)

    def stop(self) -> None:
        """Let the process go; closing the socket ends it, a kill makes sure."""
        self.connection.close()
        self._process.kill()
        self._process.wait()

    def _say(self, message: bytes) -> None:
        try:
            self.connection.send_bytes(message)
        except (BrokenPipeError, ConnectionResetError):
            return
