"""This machine as the engine of a run: it reads the inputs here and screens in one process or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Protocol

from prefilter.serving.bulk.read.input_files import Fingerprint, Input, fingerprint
from prefilter.serving.bulk.read.input_rows import Columns
from prefilter.serving.bulk.read.row_readers import count_rows, read_rows
from prefilter.serving.bulk.run.chunks import InProcess, Pool, Screened
from prefilter.serving.bulk.run_terms import Terms


class Engine(Protocol):
    """Where a run's work is done. Raises InputUnreadable where a file breaks off, WorkersLost."""

    def fingerprints(self, inputs: Sequence[Input]) -> list[Fingerprint]:
        """Read every input whole and say what it held."""
        ...

    def count(self, inputs: Sequence[Input]) -> int:
        """How many rows the inputs hold."""
        ...

    def screen(
        self, inputs: Sequence[Input], columns: Columns, terms: Terms, *, skip: int
    ) -> Iterator[Screened]:
        """Yield the output rows from number `skip` on."""
        ...

    def close(self) -> None:
        """Let go of what the engine holds."""
        ...


class Local:
    """Reads here, and screens in this process (`workers` 1), in processes of their own, or in `pool`."""

    def __init__(self, *, workers: int = 1, pool: Pool | None = None) -> None:
        """Start nothing yet."""
        self._workers = workers
        self._pool = pool

    def close(self) -> None:
        """Nothing outlives `screen`."""

    def fingerprints(self, inputs: Sequence[Input]) -> list[Fingerprint]:
        """Read every input whole and say what it held."""
        return [fingerprint(source) for source in inputs]

    def count(self, inputs: Sequence[Input]) -> int:
        """How many rows the inputs hold."""
        return count_rows(inputs)

    def screen(
        self, inputs: Sequence[Input], columns: Columns, terms: Terms, *, skip: int
    ) -> Iterator[Screened]:
        """Yield the output rows from number `skip` on; where there are none, no model is loaded."""
        rows = read_rows(inputs, columns, skip=skip)
        first = next(rows, None)
        if first is None:
            return
        with ExitStack() as stack:
            pool = self._pool or self._open_pool(terms, stack)
            yield from pool.screen(chain([first], rows))

    def _open_pool(self, terms: Terms, stack: ExitStack) -> Pool:
        """One worker is this process; more are processes of their own."""
        if self._workers == 1:
            from prefilter.serving.bulk.run.screener import load_screener

            return InProcess(load_screener(terms))
        from prefilter.serving.bulk.run.worker_pool import Workers

        return stack.enter_context(Workers(terms, count=self._workers))
