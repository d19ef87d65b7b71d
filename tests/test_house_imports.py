"""Who may import whom: each contract of pyproject.toml is seen to break when someone breaks it.

The package is copied with its links followed (no build, no install), one line is added to one file, and
import-linter must name the contract. `make check` runs the same contracts on the unchanged house.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
CONTRACTS = [contract["id"] for contract in PROJECT["importlinter"]["contracts"]]

# contract, the file that breaks it, the line added to it
PLANTS = [
    ("rooms", "models/text/normalisation.py", "import prefilter.serving.errors"),
    ("rooms", "classifier/training/trainer.py", "import prefilter.serving.policy.policy"),
    ("rooms", "serving/engine/engine.py", "import prefilter.eval.metrics"),
    ("rooms", "eval/metrics.py", "import prefilter.cli.main"),
    ("rooms", "prefilter/new_room.py", ""),
    ("package", "serving/engine/engine.py", "from prefilter import Scorer"),
    ("training", "models/scorer.py", "import torch"),
    ("training", "serving/engine/engine.py", "def late():\n    import transformers"),
    ("fitting", "models/calibrator.py", "from sklearn.isotonic import IsotonicRegression"),
    ("sql", "serving/triage/triage.py", "from sqlalchemy import select"),
    ("http", "serving/screening/screening.py", "from fastapi import Request"),
    ("bodies", "serving/screening/screening.py", "import pydantic"),
    ("ray", "serving/engine/engine.py", "import ray"),
    ("pure", "serving/policy/policy.py", "from prefilter.serving.settings import Settings"),
    ("pure", "serving/policy/policy.py", "from prefilter.serving.policy import presets"),
    ("pure", "serving/policy/decide.py", "from prefilter.serving.policy.columns import decide_columns"),
    ("pure", "serving/policy/columns.py", "from prefilter.serving.store import decision_rows"),
    ("pure", "serving/errors.py", "from prefilter.serving.policy import policy"),
    ("engine", "serving/engine/engine.py", "from prefilter.serving.policy.decide import decide"),
    ("engine", "serving/engine/engine.py", "from prefilter.serving.store import Store"),
    ("no-sql-in-http", "serving/api/score_routes.py", "from prefilter.serving.store import case_rows"),
    ("no-sql-in-http", "serving/console/case_page.py", "from prefilter.serving.store import case_rows"),
    ("light-server", "serving/triage/triage.py", "import pyarrow"),
    ("no-pickle", "models/scorer.py", "import pickle"),
    ("acyclic", "serving/process/server.py", "from prefilter.serving.process.supervisor import supervise"),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the rooms in the shape of their import names."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "prefilter", site / "prefilter", ignore=shutil.ignore_patterns("store", "__pycache__"))
    shutil.copytree(ROOT / "serving/store", site / "prefilter/serving/store", dirs_exist_ok=True)
    return site


def lint(house: Path, contract: str) -> str:
    """Return what import-linter says of one contract, exit code first."""
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", ROOT / "pyproject.toml",
         "--no-cache", "--no-logo", "--contract", contract],
        cwd=house.parent, env=os.environ | {"PYTHONPATH": str(house)}, capture_output=True, text=True,
    )  # fmt: skip
    return f"{run.returncode}\n{run.stdout}{run.stderr}"


def test_every_contract_has_a_plant() -> None:
    assert {contract for contract, _, _ in PLANTS} == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "path", "line"), PLANTS)
def test_a_planted_violation_is_caught(house: Path, contract: str, path: str, line: str) -> None:
    room, rest = path.split("/", 1)
    file = house / "prefilter" / ("" if room == "prefilter" else room) / rest
    before = file.read_bytes() if file.exists() else None
    file.write_text((before or b"").decode() + f"\n{line}\n")
    try:
        answer = lint(house, contract)
    finally:
        file.write_bytes(before) if before is not None else file.unlink()
    assert answer.startswith("1\n"), answer
    assert "BROKEN" in answer or "new_room" in answer, answer


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_unchanged_house_keeps_its_contracts(house: Path, contract: str) -> None:
    answer = lint(house, contract)
    assert answer.startswith("0\n"), answer
