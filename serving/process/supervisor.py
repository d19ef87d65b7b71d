"""The supervisor: several worker processes on one port, each with a part of the cores.

Every worker has its own listening socket on the port, and the kernel spreads connections over them. The sockets
are made and kept here, so that connections made while a worker is started again wait for it and are not refused. This
process prints `ready`, and the admin key that one of the workers made, when all are ready. It stops them all when one
cannot start the first time, starts one again that dies later, and lets them finish what they accepted when it is told
to stop. It never sees a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import sys

from prefilter.serving.process.ready_line import address_of, print_ready
from prefilter.serving.process.service_log import log_to_stderr
from prefilter.serving.process.worker import WorkerPlace
from prefilter.serving.settings import SHARED_METRICS, Settings, SettingsError

logger = logging.getLogger("prefilter.supervisor")

BACKLOG = 2_048
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""Between a death before readiness and the next attempt, doubled each time."""
GRACE_S = 8
"""Beyond the deadline of requests, before a worker that does not end is killed."""


class _StartFailed(Exception):
    """A worker could not start, and has said why; holds its exit code."""


class _Worker:
    """One place at the port, and whichever process holds it now."""

    def __init__(self, number: int, listener: socket.socket) -> None:
        self.number = number
        self.listener = listener
        self.process: asyncio.subprocess.Process | None = None
        self.admin_key: str | None = None
        self._report: asyncio.StreamWriter | None = None

    async def start(self, *, early: bool) -> None:
        """Start a process and return when it is ready; raises EOFError where it ends before."""
        ours, theirs = socket.socketpair()
        with theirs:
            place = WorkerPlace(self.number, self.listener.fileno(), theirs.fileno(), early)
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "prefilter", "serve", "--as-worker", place.to_argument()),
                pass_fds=(self.listener.fileno(), theirs.fileno()),
            )
        reader, self._report = await asyncio.open_unix_connection(sock=ours)
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        self.admin_key = json.loads(line)["admin_key"]

    async def end(self) -> int:
        """Wait until the process has ended, let go of what it left, and return its exit code."""
        assert self.process is not None
        code = await self.process.wait()
        if self._report is not None:
            self._report.close()
            self._report = None
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(self.process.pid)  # type: ignore[no-untyped-call]
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it still runs."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


def supervise(settings: Settings) -> None:
    """Serve with `settings.workers` processes until stopped; raises SystemExit where they cannot start."""
    log_to_stderr()
    listeners = listen(settings.host, settings.port, count=settings.workers)
    shared = settings.home.absolute() / f"metrics-{listeners[0].getsockname()[1]}"
    shutil.rmtree(shared, ignore_errors=True)  # of a run that was killed
    shared.mkdir(mode=0o700)
    os.environ[SHARED_METRICS] = str(shared)
    try:
        asyncio.run(_supervise(settings, listeners))
    except _StartFailed as failure:
        raise SystemExit(failure.args[0]) from None
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def listen(host: str, port: int, *, count: int) -> list[socket.socket]:
    """Return `count` sockets that listen on one port; raises SettingsError where they cannot."""
    listeners: list[socket.socket] = []
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if port:  # sockets that share a port would also share it with another server's
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        for _ in range(count):
            listener = socket.socket(family, kind)
            listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(address)
            address = listener.getsockname()
        for listener in listeners:
            listener.listen(BACKLOG)
    except OSError as fault:
        for listener in listeners:
            listener.close()
        message = f"PREFILTER_HOST, PREFILTER_PORT: cannot listen there: {fault.strerror}"
        raise SettingsError(message, field="PREFILTER_PORT") from None
    return listeners


async def _supervise(settings: Settings, listeners: list[socket.socket]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    workers = [_Worker(number, listener) for number, listener in enumerate(listeners)]
    address = address_of(settings, listeners[0])
    keeping = [asyncio.create_task(_start_first(workers))]
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([*keeping, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            keeping.pop().result()
            print_ready(address, next((w.admin_key for w in workers if w.admin_key is not None), None))
            keeping = [asyncio.create_task(_keep(worker)) for worker in workers]
            await stopped
    finally:
        stopped.cancel()
        for task in keeping:
            task.cancel()
        for listener in listeners:
            listener.close()
        await _stop(workers, patience_s=settings.deadline_ms / 1_000 + GRACE_S)


async def _start_first(workers: list[_Worker]) -> None:
    """Start all; the first of them says why where none can, so it is waited for before the others are judged."""
    starting = [asyncio.create_task(worker.start(early=True)) for worker in workers]
    try:
        for worker, task in zip(workers, starting, strict=True):
            try:
                await task
            except EOFError:
                code = await worker.end()
                logger.error("worker %d ended before it was ready, with %d", worker.number, code)
                raise _StartFailed(code if code > 0 else 1) from None
    finally:
        for task in starting:
            task.cancel()
        await asyncio.wait(starting)
        for task in starting:
            if not task.cancelled():
                task.exception()


async def _keep(worker: _Worker) -> None:
    """Start a worker again whenever it ends."""
    pause_s = FIRST_PAUSE_S
    while True:
        code = await worker.end()
        logger.error("worker %d ended with %d; it is started again", worker.number, code)
        try:
            await worker.start(early=False)
        except (EOFError, OSError) as fault:
            logger.error("worker %d could not be started: %s", worker.number, type(fault).__name__)
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
        else:
            pause_s = FIRST_PAUSE_S


async def _stop(workers: list[_Worker], *, patience_s: float) -> None:
    """Let every worker finish what it accepted; kill one that does not end."""
    running = [worker for worker in workers if worker.process is not None]
    if not running:
        return
    for worker in running:
        worker.signal(signal.SIGTERM)
    ending = [asyncio.create_task(worker.end()) for worker in running]
    _, late = await asyncio.wait(ending, timeout=patience_s)
    if late:
        for worker in running:
            worker.signal(signal.SIGKILL)
        await asyncio.wait(late)
