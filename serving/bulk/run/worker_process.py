"""One scoring process: `python -m prefilter.serving.bulk.run.worker_process FD`.

It hears the terms of the run, loads the model once, says so, and screens chunks on the socket FD until its
parent closes it or dies: it holds no other end of the socket, so it never outlives the run. Started as a
program of its own and not by forking, since ONNX sessions do not survive a fork and the lock on the output
must not be inherited.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection


def main(arguments: list[str]) -> int:
    """Serve chunks until the other side is gone; 1 where the model cannot be loaded."""
    from prefilter.serving.bulk.run.worker_messages import (
        read_rows,
        read_terms,
        write_complaint,
        write_table,
    )

    connection: Connection = Connection(int(arguments[0]))
    try:
        from prefilter.serving.bulk.run.screener import load_screener

        screener = load_screener(read_terms(connection.recv_bytes()))
    except Exception as error:
        connection.send_bytes(write_complaint(f"{type(error).__name__}: {error}"))
        return 1
    connection.send_bytes(write_complaint(None))
    while True:
        try:
            chunk = read_rows(connection.recv_bytes())
            connection.send_bytes(write_table(screener.screen(chunk)))
        except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
            return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
