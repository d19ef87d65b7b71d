"""A server as a new user starts it: a process, what it prints, and calls over loopback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


class Started:
    """A running server: its address, all it has printed, and a client."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.printed.append(line.rstrip("\n"))
            if line.startswith("ready "):
                break
        else:
            raise AssertionError("the server ended before it was ready: " + "\n".join(self.printed))
        self.url = self.printed[-1].removeprefix("ready ")
        self.reader = threading.Thread(target=lambda: self.printed.extend(process.stdout or ()), daemon=True)
        self.reader.start()


@contextmanager
def server(home: Path, model: Path, *arguments: str, **more: str) -> Iterator[Started]:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFILTER_")},
        "PREFILTER_HOME": str(home),
        "PREFILTER_MODEL": str(model),
        "PREFILTER_PORT": "0",
        **more,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "prefilter", "serve", *arguments],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:  # closes the pipe
        try:
            started = Started(process)
            yield started
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(30)
        started.reader.join(10)


def key_of(started: Started) -> str:
    found = [match[1] for line in started.printed if (match := re.search(r"admin key.*: (pf_\S+)", line))]
    assert len(found) == 1
    return found[0]


def score(started: Started, key: str, **body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{started.url}/v1/score", headers=headers, json=body, timeout=30)
