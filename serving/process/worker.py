"""A worker: one server of several on a port, as the supervisor starts it.

It serves on a socket that it inherits, and says on a second one that it is ready, and which admin key it made; it
prints nothing. It ends when the supervisor's end of that second socket closes, so that it never outlives it. How the
two sockets are named on the worker's command line is written and read here only.
"""

from __future__ import annotations

import json
import socket
from typing import NamedTuple

from prefilter.serving.process.server import serve
from prefilter.serving.settings import Settings


class WorkerPlace(NamedTuple):
    """What a worker is told: its number, the two inherited sockets by descriptor, and whether to listen early."""

    number: int
    listener: int
    report: int
    early: bool

    @classmethod
    def of_argument(cls, argument: str) -> WorkerPlace:
        """Read what `to_argument` wrote."""
        number, listener, report, early = (int(part) for part in argument.split(","))
        return cls(number, listener, report, bool(early))

    def to_argument(self) -> str:
        """Return it as the value of `serve --as-worker`."""
        return ",".join(str(int(part)) for part in self)


def work(settings: Settings, place: WorkerPlace) -> None:
    """Serve at `place` and report when ready. Of several that cannot start only the first says why."""
    report = socket.socket(fileno=place.report)

    def announce(_address: str, admin_key: str | None) -> None:
        report.sendall(json.dumps({"admin_key": admin_key}).encode("ascii") + b"\n")

    listener = socket.socket(fileno=place.listener)
    try:
        serve(settings, announce=announce, listener=listener, lifeline=report, early=place.early)
    except Exception:
        if place.number and place.early:
            raise SystemExit(1) from None
        raise
