"""A Ray cluster as the engine of a run: nodes read the inputs, and actors that hold a model screen the rows.

Every node reads the inputs under the same path and has this package installed. Rows travel between the two
stages as in a local run, so an ordered run makes the very bytes that a local one makes, and either goes on
where the other was stopped. A node that is lost has its rows read and screened again elsewhere. The driver
counts: each row number comes exactly once, or the run fails. What a stage has to complain about travels as
a value, so that no exception, which Ray would log, could carry what a row holds.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import ray
import ray.data
import ray.exceptions
from numpy.typing import NDArray

from prefilter.serving.bulk.bulk_errors import InputUnreadable, WorkersLost
from prefilter.serving.bulk.read.file_formats import Format
from prefilter.serving.bulk.read.input_files import Fingerprint, Input, fingerprint
from prefilter.serving.bulk.read.input_rows import Columns
from prefilter.serving.bulk.read.row_readers import count_rows, read_rows
from prefilter.serving.bulk.run.chunks import Screened
from prefilter.serving.bulk.run.worker_messages import row_cells, row_from_cells
from prefilter.serving.bulk.run.worker_pool import Workers
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.bulk.write.scores_table import arrow_schema
from prefilter.serving.errors import PrefilterError

BLOCK_BYTES = 256 * 1024  # of rows that travel to an actor at once
READ_ROWS = 256
READERS = 8  # inputs that are read at the same time

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
"""Ray reports nothing home from a cluster that we start, and logs nothing of its own on our terminal."""

_TRAVEL = {"number": pa.int64(), "input_index": pa.int32(), "fault": pa.string()}
_READ_SCHEMA = pa.schema([*_TRAVEL.items(), ("row", pa.binary())])
_DONE_SCHEMA = pa.schema([*(pa.field(*one) for one in _TRAVEL.items()), *arrow_schema()])


@dataclass(slots=True)
class Held:
    """What a node saw of an input: its fingerprint and rows, or why it cannot be read."""

    fingerprint: Fingerprint | None = None
    rows: int = 0
    fault: str | None = None


class Cluster:
    """Connects to the cluster of RAY_ADDRESS (or starts one on this machine) for one run."""

    def __init__(self, *, workers: int = 0, ordered: bool = True) -> None:
        """`workers`: the most actors; 0: as many as the cluster has cores."""
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        self._ordered = ordered
        self._ours = not ray.is_initialized()
        if self._ours:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        self._workers = workers or max(1, int(resources.get("CPU", 1)))
        self._rows: list[int] = []

    def close(self) -> None:
        """Leave the cluster."""
        if self._ours:
            ray.shutdown()

    def fingerprints(self, inputs: Sequence[Input]) -> list[Fingerprint]:
        """Have every input read whole, on any node, and say what it held."""
        look = ray.remote(num_cpus=1, max_retries=3)(_hold)
        held: list[Held] = ray.get([look.remote(_absolute(source)) for source in inputs])
        for source, one in zip(inputs, held, strict=True):
            if one.fault is not None:
                raise InputUnreadable(one.fault, field=str(source.path))
        self._rows = [one.rows for one in held]
        return [one.fingerprint for one in held if one.fingerprint is not None]

    def count(self, inputs: Sequence[Input]) -> int:
        """How many rows the inputs hold, as the fingerprints' readers saw it."""
        return sum(self._rows[: len(inputs)])

    def screen(
        self, inputs: Sequence[Input], columns: Columns, terms: Terms, *, skip: int
    ) -> Iterator[Screened]:
        """Yield the output rows from number `skip` on, in order unless unordered."""
        orders = self._orders(inputs, columns, skip=skip)
        if not orders:
            return
        screened = self._dataset(orders, terms)
        seen = np.zeros(self.count(inputs), bool)
        seen[:skip] = True
        try:
            batch: pa.RecordBatch
            for batch in screened.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=2):
                table: pa.Table = batch.cast(_DONE_SCHEMA)
                self._check(table, seen, expected=skip)
                skip += table.num_rows
                last = table.column("input_index")[-1].as_py()
                yield Screened(table.select(arrow_schema().names).cast(arrow_schema()), last)
        except ray.exceptions.RayError as error:
            raise WorkersLost(f"the cluster failed: {type(error).__name__}") from None
        if not seen.all():
            raise WorkersLost(f"{int((~seen).sum())} rows did not come back from the cluster")

    def _orders(self, inputs: Sequence[Input], columns: Columns, *, skip: int) -> list[dict[str, object]]:
        """What to read: each input with rows beyond `skip`, and the number of its first row."""
        starts = [0, *accumulate(self._rows)]
        return [
            {
                "path": str(_absolute(source).path),
                "kind": source.format.kind,
                "compression": source.format.compression,
                "index": source.index,
                "start": start,
                "skip": max(0, skip - start),
                "columns": json.dumps(columns.to_json()),
            }
            for source, start, rows in zip(inputs, starts, self._rows, strict=False)
            if start + rows > skip
        ]

    def _dataset(self, orders: list[dict[str, object]], terms: Terms) -> ray.data.Dataset:
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = self._ordered
        context.target_max_block_size = BLOCK_BYTES
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        read = ray.data.from_items(orders, override_num_blocks=len(orders)).map_batches(
            _read, batch_size=1, batch_format="pyarrow", num_cpus=0, concurrency=min(READERS, len(orders))
        )
        return read.map_batches(
            Actor,
            fn_constructor_args=[json.dumps(terms.to_json()), os.getcwd()],
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=self._workers),
        )

    def _check(self, table: pa.Table, seen: NDArray[np.bool_], *, expected: int) -> None:
        """Raise for a complaint, and for a row that comes twice or not in its turn."""
        faults = table.column("fault").drop_null()
        if len(faults):
            kind, message, field = json.loads(faults[0].as_py())
            raise InputUnreadable(message, field=field) if kind == "input" else WorkersLost(message)
        numbers = table.column("number").to_numpy()
        in_turn = np.array_equal(numbers, np.arange(expected, expected + len(numbers)))
        if (self._ordered and not in_turn) or seen[numbers].any():
            raise WorkersLost("rows came back from the cluster twice or out of order")
        seen[numbers] = True


class Actor:
    """Screens on some node, in a process of its own that holds the model.

    So a row that kills its process costs itself and not the actor, which Ray would restart for the same row
    again and again. What keeps the model from loading is said with the first rows.
    """

    def __init__(self, terms: str, driver_folder: str) -> None:
        self._fault: str | None = None
        self._workers: Workers | None = None
        try:
            wanted = Terms.from_json(json.loads(terms))
            found = replace(wanted, model=find_model(wanted.model, driver_folder))
            self._workers = Workers(found, count=1)
        except Exception as error:
            self._fault = _words(error)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Screen a block of rows."""
        faults = batch.column("fault").drop_null()
        if len(faults):
            return _complaint(json.loads(faults[0].as_py()), _DONE_SCHEMA)
        rows = [row_from_cells(*json.loads(cells)) for cells in batch.column("row").to_pylist()]
        try:
            if self._workers is not None:
                table = pa.concat_tables(one.table for one in self._workers.screen(rows)).combine_chunks()
        except Exception as error:
            self._fault = _words(error)
        if self._fault is not None:
            node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
            where = f"node {node}: {self._fault}"
            return _complaint(["workers", where, None], _DONE_SCHEMA)
        travel = [batch.column(name).cast(kind) for name, kind in _TRAVEL.items()]
        return pa.Table.from_arrays([*travel, *table.columns], schema=_DONE_SCHEMA)

    def close(self) -> None:
        """End the process; on a cluster it ends with the actor's own."""
        if self._workers is not None:
            self._workers.__exit__()


def _read(orders: pa.Table) -> Iterator[pa.Table]:
    """Read one input and yield its rows, some hundred at a time; a fault is the last of them."""
    (order,) = orders.to_pylist()
    path, start = Path(order["path"]), order["start"]
    source = Input(path, Format(order["kind"], order["compression"]), order["index"])
    try:
        columns = Columns(**json.loads(order["columns"]))
        rows = read_rows([source], columns, skip=order["skip"], start=start)
        while chunk := list(islice(rows, READ_ROWS)):
            yield pa.table(
                [
                    [row.number for row in chunk],
                    [row.input_index for row in chunk],
                    pa.nulls(len(chunk), pa.string()),
                    [json.dumps(row_cells(row)).encode("ascii") for row in chunk],
                ],
                schema=_READ_SCHEMA,
            )
    except Exception as error:
        yield _complaint(["input", _words(error), order["path"]], _READ_SCHEMA)


def _hold(source: Input) -> Held:
    """Read an input whole; runs on any node."""
    try:
        return Held(fingerprint(source), count_rows([source]))
    except Exception as error:
        return Held(fault=_words(error))


def _complaint(words: list[str | None], schema: pa.Schema) -> pa.Table:
    """One row that is none, and says what is wrong."""
    values = {"number": 0, "input_index": 0, "fault": json.dumps(words), "id": "", "row": b""}
    return pa.Table.from_pylist([{k: v for k, v in values.items() if k in schema.names}], schema=schema)


def _words(error: Exception) -> str:
    """An error's own message where it is known to repeat no text, else only its kind."""
    from prefilter.models.manifest import ManifestError
    from prefilter.models.registry import RegistryError

    own = PrefilterError | ManifestError | RegistryError
    return str(error.args[0]) if isinstance(error, own) and error.args else type(error).__name__


def find_model(model: Path, driver_folder: str) -> Path:
    """The model on this node: in the installed package, under the same path, or under the driver's folder.

    The process that loads it makes sure that it is the one meant.
    """
    from prefilter.models.manifest import MANIFEST
    from prefilter.models.registry import RegistryError, store_dir

    places = [model, store_dir() / model.name]
    if model.is_relative_to(driver_folder):
        places.insert(1, Path.cwd() / model.relative_to(driver_folder))
    for place in places:
        if (place / MANIFEST).is_file():
            return place
    raise RegistryError(f"no model {model.name!r} in the installed package, nor at {model}")


def _absolute(source: Input) -> Input:
    return replace(source, path=source.path.absolute())
