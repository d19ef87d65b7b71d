"""A file that appears whole or not at all: written under another name beside its own, then renamed.

Whoever reads at that moment sees the old file or the new one. A kill leaves only the other name behind, `.NAME.partial`
unless the caller names one, which the next writer overwrites; an error leaves nothing. `durable` also waits for the
disk, so that the file outlives a power cut. Knows nothing of what is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, partial: Path | None = None, durable: bool = False) -> Iterator[Path]:
    """Yield where to write; what lies there at the end takes the place of `path`. `partial`: on the same disk."""
    fresh = partial or partial_path(path)
    try:
        yield fresh
        if durable:
            _sync(fresh)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    if durable:
        _sync(path.parent)


def write_atomically(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Put `content` in the place of the file at `path`."""
    with replacing(path, durable=durable) as fresh:
        fresh.write_bytes(content)


def partial_path(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.partial")


def _sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
