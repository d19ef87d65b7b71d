"""A contestant: a process that scores the texts it is sent, a line of JSON each way, and says how long it took.

Only one contestant works at a time: all others wait for their next line, so that each has the whole core in turn.
This file runs in every rival's environment and imports nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

Texts = Sequence[str]


def compete(
    version: str, ways: Mapping[str, Callable[[Texts], object]], *, pieces: Callable[[Texts], int] = lambda _: 0
) -> None:
    """Answer the driver until it closes the pipe: each line names a way of scoring and the texts.

    `pieces`: how many word pieces of the texts are read, counted outside the time; 0 where there are none.
    """
    out, sys.stdout = sys.stdout, sys.stderr  # a library that prints does not break the protocol
    print(json.dumps({"version": version, "ways": list(ways)}), file=out, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        score = ways[asked["way"]]
        begun = time.perf_counter()
        score(asked["texts"])
        took = time.perf_counter() - begun
        print(json.dumps({"seconds": took, "pieces": pieces(asked["texts"])}), file=out, flush=True)


class Contestant(AbstractContextManager["Contestant"]):
    """The driver's end: starts the script on one core with one thread, and asks it."""

    def __init__(self, python: Path, script: Path, *arguments: str, core: int) -> None:
        one = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [str(python), str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **one, **quiet},
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        said = self._line()
        self.version: str = said["version"]
        self.ways: list[str] = said["ways"]

    def ask(self, way: str, texts: Sequence[str]) -> dict[str, Any]:
        """Seconds and word pieces of scoring these texts that way."""
        assert self._process.stdin is not None
        print(json.dumps({"way": way, "texts": list(texts)}), file=self._process.stdin, flush=True)
        return self._line()

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a contestant ended with code {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found
