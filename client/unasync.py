"""Writes the blocking client from the asynchronous one, which is the source of both (docs/adr/0017).

`python client/unasync.py` rewrites the files; with `--check` nothing is written and the exit code says whether they
are up to date. The rules replace text, in their order; ruff then sorts the imports and drops those that only
the asynchronous file needs. It knows no threads: what needs other code and not other words is in `lookahead`
and `feeder`, written by hand.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "prefilter_client"
FILES = {"async_client.py": "client.py", "async_stream.py": "stream.py"}
HEAD = "# Written from {source} by `make unasync`: edit that file, not this one.\n"

RULES = (
    (r"\A# The source of .+\n", ""),
    # the language
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\bAwaitable\[((?:[^\[\]]|\[[^\[\]]*\])*)\]", r"\1"),
    (r"\bIterable\[Submission\] \| AsyncIterable\[Submission\]", "Iterable[Submission]"),
    # names
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b(async_|ASYNC_)(?=\w)", ""),
    (r"\baclose\b", "close"),
    (r"\benter_async_context\b", "enter_context"),
    # libraries
    (r"\bwebsockets\.asyncio\b", "websockets.sync"),
    (r"\basyncio\.wait_for\((.+)\.recv\(\), (\w+)\)", r"\1.recv(\2)"),
    (r"\basyncio\.TimeoutError\b", "TimeoutError"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"(?m)^import asyncio$", "import time"),
    # prose
    (r"\n +The items may come from an asynchronous iterable\.(?=\n)", ""),
    (r"\bit belongs to one event loop\b", "it may be shared by threads"),
    (r"\b([Aa])n asynchronous\b", r"\1 blocking"),
    (r"\basynchronous\b", "blocking"),
    (r"\bin a task\b", "in a thread"),
)
"""What is replaced by what. A rule changes words, never what the code does."""


def written(source: str) -> str:
    """Return the blocking file of an asynchronous one."""
    text = (FOLDER / source).read_text(encoding="utf-8")
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    text = HEAD.format(source=source) + text
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--fix", "--select", "I,F401"]
    command += ["--stdin-filename", str(FOLDER / FILES[source]), "-"]
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout


def main() -> int:
    """Write the files, or say which of them are out of date."""
    parser = argparse.ArgumentParser(description="Writes the blocking client from the asynchronous one.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is out of date")
    check = parser.parse_args().check
    stale = []
    for source, target in FILES.items():
        text, path = written(source), FOLDER / target
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(target)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"{', '.join(stale)}: not what its source says; run `make unasync`\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
