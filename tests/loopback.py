"""A server of the tests on a thread of its own, from the first request that may come to the last that was taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Listener(Protocol):
    """A listener of `socketserver` or of `websockets.sync`."""

    def serve_forever(self) -> None:
        """Serve until `shutdown`."""
        ...

    def shutdown(self) -> None:
        """End `serve_forever`."""
        ...


@contextmanager
def listening(listener: Listener, **how: Any) -> Iterator[None]:
    """Serve, `how` as its `serve_forever` takes it; at the end it is shut down and its thread has ended."""
    thread = threading.Thread(target=listener.serve_forever, kwargs=how)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown()
        thread.join()
