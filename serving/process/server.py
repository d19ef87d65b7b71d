"""The server: one process that listens, loads while it listens, says when it is ready, and drains when it stops.

Loading begins at once, beside the import of everything else, and until it is done every request but the probes is
answered 503 (see `request_gate`). Whoever starts it says what happens when it is ready, and may give it a socket
to listen on; it does not know whether other processes share its port.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from prefilter.serving.process.ready_line import address_of
from prefilter.serving.process.service_log import log_to_stderr
from prefilter.serving.settings import Settings

if TYPE_CHECKING:  # imported while the model loads
    import uvicorn
    from fastapi import FastAPI

    from prefilter.serving.model_loading import Loaded

READY_RETRY_S = 0.2
SWITCH_INTERVAL_S = 0.001
"""How long one thread may keep Python's lock while others want it: a large answer being written, at the default
of 5 ms, would hold up every step of a small one."""

Announce = Callable[[str, str | None], None]
"""Says that the server is ready: its address, and the admin key where one was made."""


def serve(
    settings: Settings,
    *,
    announce: Announce,
    listener: socket.socket | None = None,
    lifeline: socket.socket | None = None,
    early: bool = True,
) -> None:
    """Serve until stopped: on `listener` where one is given, until the other end of `lifeline` closes where it is.

    Listens from the start where it is to be `early`, else only when ready, so that others take the requests
    meanwhile. What keeps it from starting is raised: a setting, a model or a database that cannot be used.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with ThreadPoolExecutor(1, thread_name_prefix="prefilter-load") as loader:
        loading = loader.submit(_load, settings)
        log_to_stderr()
        app, config = _build(settings, loading)
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(app, config, announce, listener, lifeline, early=early))


def _load(settings: Settings) -> Loaded:
    from prefilter.serving.model_loading import load

    return load(settings)


def _build(settings: Settings, loading: Future[Loaded]) -> tuple[FastAPI, uvicorn.Config]:
    import uvicorn

    from prefilter.serving.api.stream_exchange import MAX_MESSAGE_BYTES
    from prefilter.serving.app import create_app

    app = create_app(settings, loading=loading)
    return app, uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws_max_size=MAX_MESSAGE_BYTES,
        timeout_graceful_shutdown=settings.deadline_ms // 1_000 + 5,
    )


async def _run(
    app: FastAPI,
    config: uvicorn.Config,
    announce: Announce,
    listener: socket.socket | None,
    lifeline: socket.socket | None,
    *,
    early: bool,
) -> None:
    import uvicorn

    for number in (signal.SIGINT, signal.SIGTERM):
        # The server handles these while it serves, and raises them once more when it has stopped.
        signal.signal(number, lambda _number, _frame: None)
    server = uvicorn.Server(config)
    sockets = None if listener is None else [listener]
    serving = asyncio.create_task(server.serve(sockets)) if early else None
    leaving = asyncio.create_task(_follow(server, lifeline))
    try:
        # The server's own way to run a lifespan turns whatever went wrong into a printed traceback.
        async with app.router.lifespan_context(app):
            serving = serving or asyncio.create_task(server.serve(sockets))
            ready = asyncio.create_task(_announce(app, server, announce))
            await serving
            ready.cancel()
    finally:
        leaving.cancel()
        server.should_exit = True
        if serving is not None:
            await serving


async def _announce(app: FastAPI, server: uvicorn.Server, announce: Announce) -> None:
    from prefilter.serving.state import state_of

    while not server.started or not await _ready(app):
        await asyncio.sleep(READY_RETRY_S if server.started else 0.01)
    state = state_of(app)
    key, state.admin_key = state.admin_key, None
    announce(address_of(state.parts.settings, server.servers[0].sockets[0]), key)


async def _ready(app: FastAPI) -> bool:
    """Say whether `/readyz` answers 200 now."""
    from prefilter.serving.errors import PrefilterError
    from prefilter.serving.state import state_of

    state = state_of(app)
    if state.running is None or not state.running.engine.ready:
        return False
    try:
        await asyncio.to_thread(state.parts.store.ping)
    except PrefilterError:
        return False
    return True


async def _follow(server: uvicorn.Server, lifeline: socket.socket | None) -> None:
    """End the server when whoever holds the other end of its lifeline has ended."""
    if lifeline is None:
        return
    lifeline.setblocking(False)
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while await loop.sock_recv(lifeline, 1):
            pass
    server.should_exit = True
