"""Which format a file has, told by its name alone, and how to open it through its compression.

Knows nothing of rows. A name decides and not the content, so that a command can be refused before anything
is read.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from prefilter.serving.bulk.bulk_errors import WrongRequest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from zstandard import ZstdDecompressionObj

_KINDS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}
_COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
READABLE = "JSONL (.jsonl, .ndjson), CSV (.csv), both also .gz and .zst, or Parquet (.parquet)"
WRITABLE = "Parquet (.parquet) or JSONL (.jsonl, .ndjson, also .gz and .zst)"


@dataclass(frozen=True, slots=True)
class Format:
    """`kind` is jsonl, csv or parquet; `compression` is gz, zst or None."""

    kind: str
    compression: str | None = None


def recognise(path: Path, *, for_output: bool = False) -> Format:
    """Return the format a file name stands for; raises WrongRequest where it stands for none."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    compression = _COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    if compression is not None:
        suffixes.pop()
    kind = _KINDS.get(suffixes[-1]) if suffixes else None
    unfit = kind is None or (kind == "parquet" and compression is not None) or (kind == "csv" and for_output)
    if unfit or kind is None:
        known = WRITABLE if for_output else READABLE
        raise WrongRequest(f"{path}: this name stands for no known format; use {known}", field=path.name)
    return Format(kind, compression)


def open_to_read(path: Path, compression: str | None) -> BinaryIO:
    """Open `path` for reading the bytes under its compression."""
    if compression == "gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if compression == "zst":
        return cast(BinaryIO, io.BufferedReader(_WholeZstd(path)))
    return path.open("rb")


def open_to_write(path: Path, compression: str | None) -> BinaryIO:
    """Open `path` for writing bytes that are the same for the same content: no time and no name inside."""
    if compression == "gz":
        return cast(BinaryIO, _DatelessGzip(path))
    if compression == "zst":
        import zstandard

        return cast(BinaryIO, zstandard.open(path, "wb"))
    return path.open("wb")


class _WholeZstd(io.RawIOBase):
    """Reads every frame of a zstd file and raises EOFError where the last one is cut off.

    The library's own reader stops after the first frame and takes a truncated file for a complete one.
    """

    def __init__(self, path: Path) -> None:
        import zstandard

        self._file = path.open("rb")
        self._library = zstandard.ZstdDecompressor()
        self._frame: ZstdDecompressionObj | None = None
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready:
            if not self._advance():
                return 0
        size = min(len(view), len(self._ready))
        view[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()

    def _advance(self) -> bool:
        """Decompress one more piece; False at the end of the file."""
        rest = self._frame.unused_data if self._frame is not None and self._frame.eof else b""
        piece = rest or self._file.read(1 << 16)
        if not piece:
            if self._frame is not None and not self._frame.eof:
                raise EOFError("the zstd file is cut off")
            return False
        if self._frame is None or self._frame.eof:
            self._frame = self._library.decompressobj()
        self._ready = self._frame.decompress(piece)
        return True


class _DatelessGzip(gzip.GzipFile):
    """A gzip file without time and name, which closes the file below it."""

    def __init__(self, path: Path) -> None:
        self._below = path.open("wb")
        super().__init__(filename="", mode="wb", fileobj=self._below, mtime=0)

    def close(self) -> None:
        super().close()
        self._below.close()
