"""One run per output: a lock that the system lets go of when its holder dies, however it dies.

The lock is on a file inside the run's folder, which goes when the run is finished. So whoever gets the lock
makes sure that it still is the file of that name, or two runs could hold locks on two files.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefilter.serving.bulk.bulk_errors import OutputBusy


@contextmanager
def sole_writer(folder: Path, *, output: Path) -> Iterator[None]:
    """Hold `folder` (made where missing) for this run; raises OutputBusy while another process holds it."""
    path = folder / "lock"
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise OutputBusy(f"{output}: another run writes it now", field=str(output)) from None
        if _is_still_there(handle, path):
            break
        os.close(handle)
    try:
        yield
    finally:
        os.close(handle)


def _is_still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
