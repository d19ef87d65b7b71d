"""Every snippet of the README and of the pages for moving over is run exactly as printed, against a real server.

Only the address changes: a test's server has a port of its own. A block in another language than `python` or `sh` is
not meant to be run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefilter.models.registry import resolve
from served import Started, key_of, server

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("migrate", "moderations", "stream", "perspective")),
]
FENCE = re.compile(r"^```(python|sh)\n(.*?)^```$", re.M | re.S)
SNIPPETS = [
    pytest.param(language, code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, (language, code) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")))
]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with server(tmp_path_factory.mktemp("home"), resolve(None)) as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample that a mover is asked to bring: texts, stored scores, labels."""
    place = tmp_path_factory.mktemp("snippets")
    rows = [
        {
            "text": f"Comment number {number} is about {topic}.",
            "TOXICITY": round(number / 100, 2),
            "INSULT": round((number * 7 % 100) / 100, 2),
            "judged": "yes" if number > 70 else "no",
        }
        for number in range(100)
        for topic in [("bread", "boats", "trains")[number % 3]]
    ]
    (place / "comments.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return place


@pytest.mark.parametrize(("language", "code"), SNIPPETS)
def test_a_snippet_runs_as_it_stands(started: Started, folder: Path, language: str, code: str) -> None:
    code = code.replace("http://127.0.0.1:8080", started.url)
    command = [sys.executable, "-c", code] if language == "python" else ["bash", "-euo", "pipefail", "-c", code]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "KEY": key_of(started), "PATH": path, "PREFILTER_HOME": str(folder / "home")}
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert '"error"' not in done.stdout


def test_every_page_has_snippets() -> None:
    for page in PAGES:
        assert FENCE.search(page.read_text(encoding="utf-8")), page.name
