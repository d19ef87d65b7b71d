"""A throw-away environment per rival, made the first time it is asked for."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

LISTED = Path(__file__).with_name("environments.toml")
DONE = ".complete"


def python_of(name: str, folder: Path) -> Path:
    """The interpreter of the environment `name` below `folder`, made where it is not there or holds something else.

    Raises `CalledProcessError` where pip cannot make it.
    """
    place = folder / name
    python = place / "bin" / "python"
    wanted = listed()[name]
    if (place / DONE).is_file() and (place / DONE).read_text(encoding="utf-8") == str(wanted):
        return python
    sys.stderr.write(f"rivals: installing {name}\n")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
    _install(python, *wanted["requires"])
    if wanted["files"]:
        _install(python, "--no-deps", *wanted["files"])
    (place / DONE).write_text(str(wanted), encoding="utf-8")
    return python


def listed() -> dict[str, dict[str, Any]]:
    """What each environment holds, by its name."""
    return tomllib.loads(LISTED.read_text(encoding="utf-8"))


def _install(python: Path, *what: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    subprocess.run(command, check=True, stdout=sys.stderr)
