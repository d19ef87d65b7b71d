"""The finished parts of an unfinished run: files of some thousand rows, and the journal that vouches for
them.

A part is written under a temporary name, flushed to the disk, renamed, and only then entered in the journal
with its digest, so that a kill at any point leaves either the whole part or none. The journal's first line
says what is being made of what; a run of anything else refuses to go on with these parts. Where rows are cut
into parts does not show in the output, so a part ends when it is full or its time is up: a kill costs seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prefilter.models.atomic_file import write_atomically
from prefilter.serving.bulk.bulk_errors import RunDiffers

if TYPE_CHECKING:
    import pyarrow as pa

PART_ROWS = 5_000
PART_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """One finished part; `last_input` is the index of the last input its rows came from."""

    number: int
    rows: int
    last_input: int
    sha256: str

    def to_line(self) -> str:
        """Return the journal line."""
        body = {"part": self.number, "rows": self.rows, "last_input": self.last_input, "sha256": self.sha256}
        return json.dumps(body) + "\n"


class Parts:
    """The folder `OUTPUT.parts` of one run. Used by one process at a time (see output_lock.py)."""

    def __init__(self, folder: Path) -> None:
        """Look at nothing yet; `open` reads what is there."""
        self.folder = folder
        self.finished: list[Part] = []
        self._journal = folder / "journal.jsonl"

    @property
    def rows(self) -> int:
        """How many rows are finished."""
        return sum(part.rows for part in self.finished)

    def open(self, identity: Mapping[str, object], *, restart: bool = False) -> None:
        """Go on with what is there, or begin.

        Raises RunDiffers where the finished parts were made of something else than `identity` says, unless
        `restart`, which drops them.
        """
        header, self.finished = (None, []) if restart else self._read_journal()
        if header is not None and self.finished:
            difference = _difference(header, identity, inputs_used=self.finished[-1].last_input + 1)
            if difference is not None:
                raise RunDiffers(
                    f"{self.folder} holds {self.rows} finished rows of another {difference}; "
                    "run again with the same, or with --restart to drop them",
                    field=difference,
                )
        kept = {self._path(part.number) for part in self.finished}
        for path in self.folder.iterdir():
            if path.name.startswith(("part-", ".part-")) and path not in kept:
                path.unlink()
        lines = [json.dumps(identity) + "\n", *(part.to_line() for part in self.finished)]
        write_atomically(self._journal, "".join(lines).encode(), durable=True)

    def add(self, table: pa.Table, *, last_input: int) -> None:
        """Keep `table` as the next finished part."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        content = sink.getvalue().to_pybytes()
        part = Part(len(self.finished), table.num_rows, last_input, hashlib.sha256(content).hexdigest())
        write_atomically(self._path(part.number), content, durable=True)
        with self._journal.open("ab") as journal:
            journal.write(part.to_line().encode())
            journal.flush()
            os.fsync(journal.fileno())
        self.finished.append(part)

    def tables(self) -> Iterator[pa.Table]:
        """Yield the finished parts in order."""
        import pyarrow.parquet as pq

        for part in self.finished:
            yield pq.read_table(self._path(part.number), partitioning=None)

    def remove(self) -> None:
        """Drop the folder; the lock file goes last, so that a waiting run sees an empty folder or none."""
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()
        shutil.rmtree(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.parquet"

    def _read_journal(self) -> tuple[dict[str, object] | None, list[Part]]:
        """Return the header and the parts that are really there; a torn or wrong line ends the list."""
        try:
            lines = self._journal.read_text(encoding="utf-8").splitlines()
            header = json.loads(lines[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None, []
        parts: list[Part] = []
        for line in lines[1:]:
            try:
                body = json.loads(line)
                part = Part(body["part"], body["rows"], body["last_input"], body["sha256"])
                content = self._path(part.number).read_bytes()
            except (ValueError, KeyError, FileNotFoundError):
                break
            if part.number != len(parts) or hashlib.sha256(content).hexdigest() != part.sha256:
                break
            parts.append(part)
        return header, parts


def _difference(old: Mapping[str, object], new: Mapping[str, object], *, inputs_used: int) -> str | None:
    """Name what differs between two runs; inputs that no finished part has touched do not matter."""
    for key in {**old, **new}:
        was, now = old.get(key), new.get(key)
        if key == "inputs" and isinstance(was, list) and isinstance(now, list):
            was, now = was[:inputs_used], now[:inputs_used]
        if was != now:
            return _SPOKEN.get(key, key)
    return None


_SPOKEN = {
    "inputs": "input",
    "format": "release",
    "exact": "setting of --exact",
    "ordered": "setting of --unordered",
}
