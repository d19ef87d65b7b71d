"""The server: one process that listens, loads while it listens, says when it is ready, and drains when it stops.

It runs alone (`serve`) or as one of the workers that `supervisor` starts (`work`), each on a socket that it was
given; the worker reports to its supervisor instead of printing. Loading begins at once, beside the import of
everything else, and until it is done every request but the probes is answered 503 (see `gate`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

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


def serve(settings: Settings | None = None) -> None:
    """Run the service until it is stopped; prints the admin key on the first start, then one `ready` line.

    What keeps it from starting is raised: a setting, a model or a database that cannot be used.
    """
    settings = settings or Settings.from_env()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.workers > 1:
        from prefilter.serving.supervisor import supervise

        supervise(settings)
    else:
        _serve(settings, announce=print_ready)


def work(settings: Settings, asks: str) -> None:
    """Serve as the supervisor `asks`: a worker's number, two inherited sockets, and whether to listen early.

    Serves on the first socket and reports on the second when ready. Listens from the start where it is to be
    early, else only when ready, so that others take the requests meanwhile. Ends when the supervisor's end of
    the second socket closes: a worker does not outlive its supervisor. Of several that cannot start only the
    first says why.
    """
    number, listener, report, early = (int(part) for part in asks.split(","))
    supervisor = socket.socket(fileno=report)

    def announce(_address: str, admin_key: str | None) -> None:
        supervisor.sendall(json.dumps({"admin_key": admin_key}).encode("ascii") + b"\n")

    try:
        _serve(
            settings,
            announce=announce,
            listener=socket.socket(fileno=listener),
            supervisor=supervisor,
            early=bool(early),
        )
    except Exception:
        if number and early:
            raise SystemExit(1) from None
        raise


def print_ready(address: str, admin_key: str | None) -> None:
    """Print the `ready` line, and before it a new admin key with a call that uses it."""
    lines = []
    if admin_key is not None:
        body = json.dumps({"items": [{"id": "1", "text": "Have a good day."}]})
        lines += [
            f"admin key, shown only now: {admin_key}",
            f"curl -s {address}/v1/score -H 'Authorization: Bearer {admin_key}' "
            f"-H 'Content-Type: application/json' -d '{body}'",
        ]
    sys.stdout.write("\n".join([*lines, f"ready {address}\n"]))
    sys.stdout.flush()


def log_to_stderr() -> None:
    """Write the log as lines on standard error."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("prefilter", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").addFilter(_names_no_path)


_UNSAID = ("WebSocket", "connection", "handshake")


def _names_no_path(record: logging.LogRecord) -> bool:
    """Keep out what the HTTP library says of each WebSocket: it quotes queries, and keys stand there.

    A refused one it also calls an error.
    """
    return not any(word in str(record.msg) for word in _UNSAID)


def address_of(settings: Settings, listener: socket.socket) -> str:
    """Return the address that callers use: the host as it was set, the port as it turned out."""
    host, port = settings.host, listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _serve(
    settings: Settings,
    *,
    announce: Announce,
    listener: socket.socket | None = None,
    supervisor: socket.socket | None = None,
    early: bool = True,
) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with ThreadPoolExecutor(1, thread_name_prefix="prefilter-load") as loader:
        loading = loader.submit(_load, settings)
        log_to_stderr()
        app, config = _build(settings, loading)
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(app, config, announce, listener, supervisor, early=early))


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
    supervisor: socket.socket | None,
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
    leaving = asyncio.create_task(_follow(server, supervisor))
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


async def _follow(server: uvicorn.Server, supervisor: socket.socket | None) -> None:
    """End the server when its supervisor has ended."""
    if supervisor is None:
        return
    supervisor.setblocking(False)
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while await loop.sock_recv(supervisor, 1):
            pass
    server.should_exit = True
