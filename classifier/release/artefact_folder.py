"""The folder of an artefact in the store, made apart and put in its place once it is whole.

A reader of the store sees the old artefact or the new one, never half of one. An artefact above the size limit is
refused: it is part of the package. Knows names and sizes, not what the files hold.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefilter.models import manifest as manifests

LIMIT_BYTES = 30 * 2**20


@contextmanager
def artefact_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, manifest included; at the end it is verified and takes the place of `folder`.

    Raises ValueError for an artefact above the size limit.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    size = sum(f.stat().st_size for f in partial.iterdir())
    if size > LIMIT_BYTES:
        raise ValueError(f"the artefact has {size / 2**20:.1f} MiB; the limit is {LIMIT_BYTES / 2**20:.0f}")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    manifests.verify(folder)
