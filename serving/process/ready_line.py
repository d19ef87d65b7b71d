"""What a service that has started prints: its admin key, where one was made, and the `ready` line.

Printed once for all processes: by the server where it runs alone, else by the supervisor.
"""

from __future__ import annotations

import json
import socket
import sys

from prefilter.serving.settings import Settings


def address_of(settings: Settings, listener: socket.socket) -> str:
    """Return the address that callers use: the host as it was set, the port as it turned out."""
    host, port = settings.host, listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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
