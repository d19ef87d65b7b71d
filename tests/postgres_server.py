"""A PostgreSQL server of the tests' own: a temporary folder, a free port, an ordinary user.

It knows nothing of the project. PostgreSQL refuses to run as root, so as root it runs as `postgres` or
`nobody`; whatever server already runs on this machine is left alone. Durability is off: the data lives
as long as one test run. The server dies with the process that started it, even if that is killed.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

ORDINARY_USERS = ("postgres", "nobody")
START_TIMEOUT_S = 60.0


class PostgresMissing(RuntimeError):
    """No PostgreSQL server is installed; `make test` installs one by apt as root or with sudo."""


def find_bin_dir() -> Path:
    """Return the folder that holds `initdb` and `postgres`; raises `PostgresMissing`."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else []
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found += [p.parent for p in sorted(versions, key=lambda p: int(p.parts[-3]), reverse=True)]
    for folder in found:
        if (folder / "postgres").exists():
            return folder
    raise PostgresMissing(PostgresMissing.__doc__)


def ordinary_user() -> pwd.struct_passwd | None:
    """Return the user to switch to when running as root, else None."""
    if os.geteuid() != 0:
        return None
    for name in ORDINARY_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresMissing("running as root, and there is no ordinary user to run PostgreSQL as")


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def die_with_parent() -> None:
    """Ask the kernel for an immediate shutdown (SIGQUIT) of this child when its parent dies."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def connectable(url: str) -> bool:
    """Say whether a server answers at this libpq URL."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def own_server() -> Iterator[str]:
    """Start a server, yield its libpq URL (as superuser), stop it and remove its folder."""
    bin_dir, user = find_bin_dir(), ordinary_user()
    folder = Path(tempfile.mkdtemp(prefix="prefilter-pg-"))
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    try:
        subprocess.run(
            [bin_dir / "initdb", "-D", folder / "data", "-U", "prefilter", "--auth=trust", "--no-sync",
             "--encoding=UTF8", "--locale=C"],
            check=True, cwd=folder, stdout=subprocess.DEVNULL, **who,
        )  # fmt: skip
        for _ in range(5):  # another process may take the free port first
            port = free_port()
            url = f"postgresql://prefilter@127.0.0.1:{port}/postgres"
            with (folder / "server.log").open("wb") as log:
                server = subprocess.Popen(
                    [bin_dir / "postgres", "-D", folder / "data", "-p", str(port), "-h", "127.0.0.1",
                     "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "synchronous_commit=off",
                     "-c", "full_page_writes=off", "-c", "max_connections=200"],
                    cwd=folder, stdout=log, stderr=log, preexec_fn=die_with_parent, **who,
                )  # fmt: skip
            if _answers(server, url):
                break
        else:
            raise RuntimeError("PostgreSQL did not start:\n" + (folder / "server.log").read_text()[-2000:])
        try:
            yield url
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(server: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the server answers (True) or has ended (False)."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while server.poll() is None:
        if connectable(url):
            return True
        if time.monotonic() > deadline:
            server.kill()
            server.wait()
            return False
        time.sleep(0.05)
    return False
