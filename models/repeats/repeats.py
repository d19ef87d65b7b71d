"""Repeats: answers given before, by keyed hash of the text, shared by the processes of one machine.

One file, mapped by all of them: a header and pages. A key names its page; a page is a ring of entries (key, length,
check, record) of any size, the newest over the oldest. Nobody locks to read or to write: where two write one page at
once, or one reads what is half written, the entry's check fails, which is a miss, never a wrong answer. The file never
grows. It holds no text: a key is a hash under a secret, because short texts can be guessed, and a record holds numbers.
A key covers whatever decides an answer: manifest, software versions, text as normalised and, where it differs, as sent
(evidence has the sender's offsets), declared language, context. Knows no network and no policy.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import mmap
import os
import stat
import threading
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from prefilter.models.known_error import KnownError
from prefilter.models.manifest import Manifest
from prefilter.models.repeats.repeat_record import pack, unpack
from prefilter.models.scored import Scored

FORMAT = b"prefilter repeats 1\n"
RUN_BY = ("harm-prefilter", "numpy", "onnxruntime", "tokenizers")
"""Distributions of which another version may answer otherwise."""
PAGE = 4096
START = 2
"""A page's first entry, behind the place of its next one."""
KEY, LENGTH, CHECK = 16, 2, 8
ENTRY = KEY + LENGTH + CHECK
MAX_RECORD = PAGE // 2
"""A record that would push out more of its page than this is not kept."""
MIN_SECRET, MAX_SECRET = 16, 64


class RepeatsError(KnownError, RuntimeError):
    """The file cannot be made, or others can read it."""


class Repeats:
    """An open file of answers. Thread-safe; after `close` every look-up is a miss."""

    def __init__(self, table: mmap.mmap, *, secret: bytes, manifest: Manifest) -> None:
        self._table: mmap.mmap | None = table
        self._pages = len(table) // PAGE - 1
        self._heads = manifest.heads
        self._identity = _identity(manifest)
        self._keys = blake2b(self._identity, key=secret, digest_size=KEY, person=b"repeats key")
        self._checks = blake2b(key=secret, digest_size=CHECK, person=b"repeats check")
        self._counting = threading.Lock()
        self.hits = 0
        self.misses = 0

    @classmethod
    def open(cls, path: Path, *, secret: bytes, max_bytes: int, manifest: Manifest) -> Repeats:
        """The file at `path`, made anew where there is none, or one of another model, secret or size.

        `secret`: 16 to 64 random bytes, the same in every process that is to share; with it one can try texts.
        A process that still maps a replaced file keeps it to itself. Raises `RepeatsError`.
        """
        if not MIN_SECRET <= len(secret) <= MAX_SECRET:
            raise ValueError(f"the secret must have {MIN_SECRET} to {MAX_SECRET} bytes")
        size = max_bytes // PAGE * PAGE
        if size < 2 * PAGE:
            raise ValueError(f"max_bytes must be at least {2 * PAGE}")
        header = FORMAT + blake2b(_identity(manifest), key=secret, person=b"repeats header").digest()
        try:
            table = None
            while table is None:
                table = _open(path, header, size)
        except OSError as error:
            raise RepeatsError(f"{path}: {error.strerror or type(error).__name__}") from error
        return cls(table, secret=secret, manifest=manifest)

    def serves(self, manifest: Manifest) -> bool:
        """Whether the answers in it are this model's."""
        return _identity(manifest) == self._identity

    def key(self, normalised: str, text: str, *, language: str | None, context: str | None) -> bytes:
        """The key of a question: `text` as sent and as `normalised`, its declared language, its context."""
        found = self._keys.copy()
        for part in (language, context, normalised, None if text == normalised else text):
            data = b"" if part is None else part.encode("utf-8", "surrogatepass")
            found.update(b"%d:" % (-1 if part is None else len(data)))
            found.update(data)
        return found.digest()

    def get(self, key: bytes) -> Scored | None:
        """The answer under a key, None where there is none or its entry is damaged; counted in `hits` or `misses`."""
        record = self._find(key)
        with self._counting:
            if record is None:
                self.misses += 1
            else:
                self.hits += 1
        return None if record is None else unpack(record, self._heads)

    def put(self, key: bytes, scored: Scored) -> None:
        """Keep an answer, unless it has no record or a very long one."""
        table, record = self._table, pack(scored, self._heads)
        if table is None or record is None or len(record) > MAX_RECORD:
            return
        entry = b"".join([key, len(record).to_bytes(LENGTH, "little"), self._check(key, record), record])
        page = self._page(key)
        place = int.from_bytes(table[page : page + START], "little")
        if not START <= place <= PAGE - len(entry):
            place = START
        table[page + place : page + place + len(entry)] = entry
        table[page : page + START] = (place + len(entry)).to_bytes(START, "little")

    def close(self) -> None:
        """Let the file go; it stays for others."""
        self._table = None

    def _find(self, key: bytes) -> bytes | None:
        if (table := self._table) is None:
            return None
        start = self._page(key)
        page = table[start : start + PAGE]
        at = page.find(key, START)
        while at >= 0:
            check = at + KEY + LENGTH
            length = int.from_bytes(page[at + KEY : check], "little")
            record = page[at + ENTRY : at + ENTRY + length]
            if page[check : check + CHECK] == self._check(key, record):
                return record
            at = page.find(key, at + 1)
        return None

    def _page(self, key: bytes) -> int:
        return PAGE * (1 + int.from_bytes(key[:8], "little") % self._pages)

    def _check(self, key: bytes, record: bytes) -> bytes:
        found = self._checks.copy()
        found.update(key)
        found.update(record)
        return found.digest()


def _identity(manifest: Manifest) -> bytes:
    """What decides answers: the whole manifest, and the versions of what runs it."""
    parts = {"manifest": dataclasses.asdict(manifest), "run_by": {name: version(name) for name in RUN_BY}}
    return blake2b(json.dumps(parts, sort_keys=True).encode()).digest()


def _open(path: Path, header: bytes, size: int) -> mmap.mmap | None:
    """The file mapped, None where it has just been made or replaced and is to be opened again."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise RepeatsError(f"{path}: must be a file that its owner alone can read and write")
        if not _is_still_there(found, path):
            return None
        if found.st_size == size and os.pread(handle, len(header), 0) == header:
            return mmap.mmap(handle, size)
        # Never in place: another process may have the file mapped, and what it maps must not shrink.
        _make(path, header, size)
        return None
    finally:
        # The map keeps a copy of the handle, and with it the lock.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _make(path: Path, header: bytes, size: int) -> None:
    """Put a new, empty file at `path`; the caller holds the lock of the one that was there."""
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # Room is taken now: a disk that fills later would kill whoever writes to the map.
        os.posix_fallocate(handle, 0, size)
        os.pwrite(handle, header, 0)
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def _is_still_there(found: os.stat_result, path: Path) -> bool:
    try:
        return os.path.samestat(found, path.stat())
    except FileNotFoundError:
        return False
