"""The log of the service: lines on standard error, without what may quote a caller's key.

Every process of the service sets it up once, before it does anything else.
"""

from __future__ import annotations

import logging
import sys


def log_to_stderr() -> None:
    """Write the log as lines on standard error."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("prefilter", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").addFilter(_names_no_path)


_UNSAID = ("WebSocket", "connection", "handshake")


def _names_no_path(record: logging.LogRecord) -> bool:
    """Keep out what the HTTP library says of each WebSocket: it quotes queries, which may hold keys.

    A refused one it also calls an error.
    """
    return not any(word in str(record.msg) for word in _UNSAID)
