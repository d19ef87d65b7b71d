"""Scores on disk, so that a report can be made again in minutes: keyed hashes and numbers, never text.

One folder holds the scores of one model under one scoring code; a change of either is another folder. A
row is found by a keyed hash of its text, declared language and context: short texts could be guessed from a plain
one. Chunks are only ever added, so a killed run keeps what it had. It knows rows of numbers, not what
they mean.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prefilter.models.atomic_file import replacing

_DIGEST_BYTES = 16


class ScoreCache:
    """Rows of one structured dtype under a keyed digest; `folder=None` keeps them in memory only."""

    def __init__(self, folder: Path | None, *, dtype: np.dtype[np.void]) -> None:
        """Open (and create) the cache in `folder` and read every chunk that fits `dtype`."""
        self._dtype = dtype
        self._folder = folder
        self._rows: dict[bytes, np.void] = {}
        self._secret = secrets.token_bytes(32)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._secret = _kept_secret(folder / "secret")
            for chunk in sorted(folder.glob("*.npy")):
                self._read(chunk)

    def key(self, text: str, language: str | None, context: str | None = None) -> bytes:
        """Return the keyed digest of a text with its declared language and, where it has one, its context."""
        paired = b"" if context is None else b"pair"
        digest = hashlib.blake2b(key=self._secret, digest_size=_DIGEST_BYTES, person=paired)
        if context is not None:
            before = context.encode("utf-8", "surrogatepass")
            digest.update(len(before).to_bytes(8, "big") + before)
        digest.update((language or "").encode("utf-8", "surrogatepass") + b"\0")
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.digest()

    def get(self, key: bytes) -> np.void | None:
        """Return the row under a key, None where there is none."""
        return self._rows.get(key)

    def add(self, keys: list[bytes], rows: NDArray[np.void]) -> None:
        """Keep rows under their keys, on disk as one new chunk."""
        self._rows.update(zip(keys, rows, strict=True))
        if self._folder is None or not keys:
            return
        chunk = np.zeros(len(keys), dtype=self._chunk_dtype())
        chunk["key"] = np.frombuffer(b"".join(keys), dtype=f"V{_DIGEST_BYTES}")
        chunk["row"] = rows
        with replacing(self._folder / f"{secrets.token_hex(8)}.npy") as fresh, fresh.open("wb") as handle:
            np.save(handle, chunk, allow_pickle=False)

    def _read(self, path: Path) -> None:
        try:
            chunk = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return  # a broken chunk is scored again
        if chunk.dtype != self._chunk_dtype():
            return
        self._rows.update(zip((key.tobytes() for key in chunk["key"]), chunk["row"], strict=True))

    def _chunk_dtype(self) -> np.dtype[np.void]:
        return np.dtype([("key", f"V{_DIGEST_BYTES}"), ("row", self._dtype)])


def _kept_secret(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as handle:
        secret = secrets.token_bytes(32)
        handle.write(secret)
    return secret
