"""Every snippet of the client's README runs as written, against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from client_samples import ROOT, Served, shipped

__all__ = ["shipped"]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "client" / "README.md").read_text(encoding="utf-8"), re.DOTALL)
PRINTED = (
    "['allow', 'review'] prefilter-en-",
    "not_a_string",
    "['Have a good day.', 'The library opens at nine.']",
    "opens at nine and closes at five. Done(outcome='allow'",
)


@pytest.mark.parametrize(("snippet", "printed"), list(zip(SNIPPETS, PRINTED, strict=True)))
def test_a_snippet_runs_and_says_what_it_should(shipped: Served, snippet: str, printed: str, tmp_path: Path) -> None:
    environ = {**os.environ, "PREFILTER_URL": shipped.url, "PREFILTER_API_KEY": shipped.key, "HF_HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", snippet], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert printed in " ".join(run.stdout.split())
