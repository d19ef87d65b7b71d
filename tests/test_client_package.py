"""The client's distribution: what it imports and contains, and the error tree of its docstring."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import prefilter_client
import pytest
from prefilter_client import errors
from prefilter_client.values import SCORES

from client_samples import ROOT
from prefilter.models.labels import HEADS

FOLDER = ROOT / "client"
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILES = sorted((FOLDER / "prefilter_client").rglob("*.py"))


def test_importing_it_loads_neither_the_service_nor_a_model_nor_tables() -> None:
    heavy = ("prefilter", "onnxruntime", "tokenizers", "numpy", "pandas", "datasets", "pyarrow", "fastapi")
    program = "import sys, prefilter_client, prefilter_client.pandas, prefilter_client.datasets; "
    program += f"print(sorted(set({heavy}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr


def test_it_imports_only_what_it_declares() -> None:
    declared = [*PROJECT["dependencies"], *itertools.chain(*PROJECT["optional-dependencies"].values())]
    names, owners = {re.split(r"[^\w-]", requirement)[0] for requirement in declared}, packages_distributions()
    found: set[str] = set()
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    outside = found - sys.stdlib_module_names - {"prefilter_client"}
    assert {name for library in outside for name in owners[library]} == names
    assert len(PROJECT["dependencies"]) == 2


def test_a_wheel_holds_every_module_the_marker_and_the_licence(tmp_path: Path) -> None:
    settings = tmp_path / "build.cfg"
    settings.write_text(f"[build]\nbuild_base = {tmp_path / 'build'}\n[egg_info]\negg_base = {tmp_path}\n")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-compile"]
    command += ["--disable-pip-version-check", "--no-index", "--target", str(tmp_path / "site"), str(FOLDER)]
    environ = {"DIST_EXTRA_CONFIG": str(settings), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run(command, check=True, env=environ, capture_output=True)
    installed = {path.name for path in (tmp_path / "site" / "prefilter_client").iterdir()}
    assert installed == {path.name for path in FILES} | {"py.typed"}
    (about,) = (tmp_path / "site").glob("harm_prefilter_client-*.dist-info")
    assert list(about.rglob("LICENSE"))
    metadata = (about / "METADATA").read_text(encoding="utf-8")
    assert f"Version: {prefilter_client.__version__}\n" in metadata
    assert "License-Expression: Apache-2.0\n" in metadata


def test_the_error_tree_is_drawn_as_it_is() -> None:
    line = re.compile(r"^    ((?:[│ ]  +)*)(?:[├└]── )?([A-Z]\w+)(?: +(\d\d\d|5xx))?", re.MULTILINE)
    drawn = line.findall(errors.__doc__ or "")
    parents: list[str] = []
    for number, (indent, name, status) in enumerate(drawn):
        depth = 0 if number == 0 else len(indent) // 4 + 1
        kind = getattr(errors, name)
        parents[depth:] = [name]
        assert depth == 0 or kind.__bases__ == (getattr(errors, parents[depth - 1]),), name
        assert not status.isdigit() or errors.BY_STATUS[int(status)] is kind
    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert {name for _, name, _ in drawn} == classes
    assert classes < set(prefilter_client.__all__)


def test_its_scores_are_those_of_the_taxonomy() -> None:
    assert SCORES == HEADS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_says_what_it_is_and_stays_small(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    assert source.count("\n") <= 350
