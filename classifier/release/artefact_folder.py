"""The folder of an artefact, put into a store: made under another name, and in its place only when it is whole.

An artefact of the same name is replaced. Knows the size limit and the manifest's check, not what an artefact holds.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefilter.models import manifest as manifests
from prefilter.models.atomic_file import partial_path

LIMIT_BYTES = 30 * 2**20


@contextmanager
def artefact_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill, manifest included; at the end it is `folder`.

    Raises ValueError for an artefact above the size limit; then, and after any other error, nothing has changed.
    """
    partial = partial_path(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        size = sum(file.stat().st_size for file in partial.iterdir())
        if size > LIMIT_BYTES:
            raise ValueError(f"the artefact has {size / 2**20:.1f} MiB; the limit is {LIMIT_BYTES / 2**20:.0f}")
        manifests.verify(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
