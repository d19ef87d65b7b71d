"""A real server as a process of its own, started and asked as a caller would: over loopback, with a key."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

READY = re.compile(r"ready http://127\.0\.0\.1:(\d+)")
KEY = re.compile(r"admin key, shown only now: (\S+)")


@dataclass(frozen=True, slots=True)
class Server:
    """A started server: its port, a key, the process, and how long it took until it said `ready`."""

    port: int
    key: str
    process: subprocess.Popen[str]
    ready_s: float
    callers: list[Caller] = field(default_factory=list)

    def connect(self) -> Caller:
        """A caller with a connection of its own, closed with the server at the latest."""
        self.callers.append(Caller(self.port, self.key))
        return self.callers[-1]

    def resident_mb(self) -> list[float]:
        """Resident memory of the server's process and of every process it started, in MB, largest first."""
        found = [_resident(pid) for pid in [self.process.pid, *_children(self.process.pid)]]
        return sorted((round(size, 1) for size in found if size), reverse=True)


class Caller:
    """One keep-alive connection; not for several threads."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def score(self, texts: Sequence[str], **more: Any) -> tuple[int, Mapping[str, Any], str | None]:
        """Status, body and Retry-After of one request for these texts, scored exactly."""
        items = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
        body = json.dumps({"items": items, "exact": True, **more})
        self._connection.request("POST", "/v1/score", body, self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.getheader("Retry-After")

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body of the answer to one request; raises RuntimeError where it was refused."""
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        found: Mapping[str, Any] = json.loads(answer.read())
        if answer.status >= 300:
            raise RuntimeError(f"{path} answered {answer.status}: {found['error']['code']}")
        return found

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def started(*, workers: int = 1, threads: int | None = None, home: Path | None = None) -> Iterator[Server]:
    """A server on a free port with a database of its own, without repeats; stopped at the end."""
    with tempfile.TemporaryDirectory() as place:
        folder = home or Path(place)
        settings = {"PREFILTER_HOME": str(folder), "PREFILTER_PORT": "0", "PREFILTER_REPEATS_MB": "0"}
        if threads is not None:
            settings["PREFILTER_ENGINE_THREADS"] = str(threads)
        kept = ("PREFILTER_MODEL",)
        given = {n: value for n, value in os.environ.items() if n in kept or not n.startswith("PREFILTER_")}
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "prefilter", "serve", "--workers", str(workers)],
            env={**given, **settings, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            key, port = "", 0
            assert process.stdout is not None
            for line in process.stdout:
                if match := KEY.search(line):
                    key = match[1]
                    (folder / "bench.key").write_text(key, encoding="utf-8")
                if match := READY.search(line):
                    port = int(match[1])
                    break
            if not port:
                raise RuntimeError(f"the server ended before it was ready, with code {process.wait()}")
            ready_s = time.perf_counter() - begun
            server = Server(port, key or (folder / "bench.key").read_text(encoding="utf-8"), process, ready_s)
            try:
                yield server
            finally:
                for caller in server.callers:
                    caller.close()
        finally:
            end(process)
            if process.stdout is not None:
                process.stdout.close()


def end(process: subprocess.Popen[Any]) -> None:
    """Ask a process to end and wait for it; kill one that does not."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    own = [int(word) for word in text.split()]
    return own + [grandchild for child in own for grandchild in _children(child)]


def _resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0
