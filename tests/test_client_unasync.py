"""The blocking client is written from the asynchronous one: it is up to date, and both take the same arguments."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefilter_client import AsyncClient, AsyncStream, Client, Stream

from client_samples import ROOT

TAKEN_OTHERWISE = {("Client", "http"), ("score_many", "items"), ("score_many", "concurrency"), ("guard", "source")}
"""Where a parameter's type or default has to differ."""


def unasync(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, folder / "unasync.py", *arguments], capture_output=True, text=True)


def methods(kind: type[Any]) -> dict[str, Any]:
    """Return the public methods of a client or a stream under the blocking names, and how it is made."""
    found = {name: method for name, method in vars(kind).items() if inspect.isfunction(method) and name[0] != "_"}
    return {"close" if name == "aclose" else name: method for name, method in found.items()} | {"Client": kind}


def test_the_blocking_client_is_what_its_source_says() -> None:
    run = unasync(ROOT / "client", "--check")
    assert run.returncode == 0, run.stderr


def test_a_change_of_the_source_alone_is_found_and_carried_over(tmp_path: Path) -> None:
    folder = tmp_path / "client"
    shutil.copytree(ROOT / "client", folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", ".*"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    source, target = folder / "prefilter_client" / "async_client.py", folder / "prefilter_client" / "client.py"
    source.write_text(source.read_text(encoding="utf-8").replace("exact: bool = False", "exact: bool = True"))
    run = unasync(folder, "--check")
    assert run.returncode == 1
    assert "client.py" in run.stderr
    assert "exact: bool = True" not in target.read_text(encoding="utf-8")
    assert unasync(folder).returncode == 0
    assert "exact: bool = True" in target.read_text(encoding="utf-8")
    assert unasync(folder, "--check").returncode == 0


@pytest.mark.parametrize(("blocking", "asynchronous"), [(Client, AsyncClient), (Stream, AsyncStream)])
def test_both_take_the_same_arguments_and_say_what_they_do(blocking: type[Any], asynchronous: type[Any]) -> None:
    ours, theirs = methods(blocking), methods(asynchronous)
    assert list(ours) == list(theirs)
    for name, method in ours.items():
        here, there = (inspect.signature(found).parameters for found in (method, theirs[name]))
        assert list(here) == list(there)
        different = {(name, argument) for argument, said in here.items() if said != there[argument]}
        assert different <= TAKEN_OTHERWISE | {("Client", "open_with")}
        assert inspect.getdoc(method)
        assert inspect.getdoc(theirs[name])
        assert inspect.iscoroutinefunction(method) is False
