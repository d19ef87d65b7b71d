"""The file tree at the end of the README: one line per source file, taken from the file's own first line.

`python scripts/tree.py --write` rewrites it from what git tracks; without it the exit code says whether the
README is up to date. Python files stand with the first sentence of their docstring, pages with their
heading, the rest by folder.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- tree -->\n```\n", "```\n<!-- /tree -->"
ROOMS = ("prefilter", "models", "classifier", "serving", "eval")
WIDTH, COLUMN = 128, 36

# What has no docstring of its own. A folder ends in a slash and covers every file in it that is not Python.
SAID = {
    "classifier/recipes/": "one file per released model: sources, mix, rates, seeds",
    "eval/rivals/kept/": "summaries of what stands beside the model in its card: its predecessor, a baseline",
    "eval/suites/identity_terms.txt": "the identity terms found in the templates of the bias suite",
    "models/data/": "look-alike characters and other tables the text step reads",
    "models/store/": "the artefacts: ONNX, tokenizer, calibration, manifest, model card",
    "prefilter/py.typed": "says that the package carries types",
    "serving/compat/openai/openai_categories.toml": "OpenAI's 13 categories: from which heads, trained or derived, how good",
    "client/": "the typed client, a distribution of its own: synchronous and asynchronous, batches, retries, streams",
    "client/examples/": "a proxy before any OpenAI-compatible chat server",
    "serving/migrations/script.py.mako": "the form of a new migration",
    "serving/policy/presets/": "the shipped policies, each with its reasons",
    "serving/static/": "one stylesheet and small ES modules, no build step",
    "serving/templates/": "the console's pages",
    "tests/": "flat: test_<package>_<module>.py; fixtures in conftest.py; nothing skips",
    "docs/adr/": "decisions that are hard to reverse, with their reasons",
    "requirements/": "hashed locks: serve, train, bulk, dev; build, encoder, torch; two gateways of others",
    "bench/": "what one would otherwise use, timed beside ours in throw-away environments; all.sh runs all",
    "docs/perspective/": "the documents behind the Perspective page, and how their samples are made",
    "docs/model/": "the tables behind the model card, by topic",
    "docs/performance/": "the documents behind the performance page, its words and its plots",
    "scripts/": "what make calls: locks, apt packages, this tree",
    ".ci/run": "make check and make test from a clean clone",
    "Dockerfile": "the server's image: locked, not root, no build tools",
    "compose.yaml": "the server with PostgreSQL",
    "Makefile": "serve · test · check · lock · tree",
    "pyproject.toml": "the distribution, the tools' settings, the import contracts",
}


def tracked(root: Path = ROOT) -> list[str]:
    """Return the paths of all files that git tracks or would track, sorted."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted({name for name in names if name and (root / name).is_file()})


def said(path: str, root: Path = ROOT) -> str | None:
    """Return the one line that stands beside a file, or None where its folder's line covers it."""
    if path in SAID:
        return SAID[path]
    if path.endswith(".py"):
        docstring = ast.get_docstring(ast.parse((root / path).read_text(encoding="utf-8"))) or ""
        first = " ".join(docstring.split("\n\n")[0].split())
        return _sentence(first)
    if path.endswith(".md"):
        return (root / path).read_text(encoding="utf-8").split("\n")[0].lstrip("# ")
    if path.endswith(".toml"):
        comment = re.match(r"# *(.+)", (root / path).read_text(encoding="utf-8"))
        return _sentence(comment[1]) if comment else None
    return None


def _sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", text)[0].rstrip(".")


def lines(root: Path = ROOT) -> list[str]:
    """Return the tree's lines: rooms and their files first, then what surrounds them."""
    paths, out = tracked(root), []
    for room in ROOMS:
        inside = [p for p in paths if p.startswith(room + "/")]
        out.append(f"{room}/")
        folders: set[str] = set()
        for path in sorted(inside, key=lambda p: (p.count("/") > 1, p)):
            parts = path.split("/")[1:]
            covered = next((f for f in SAID if f.endswith("/") and path.startswith(f)), None)
            if covered and not path.endswith(".py"):
                if covered not in folders:
                    folders.add(covered)
                    out.append(_line(covered.split("/", 1)[1], SAID[covered]))
                continue
            if parts[-1] == "__init__.py" and len(parts) > 1:
                out.append(_line("/".join(parts[:-1]) + "/", said(path, root) or ""))
                continue
            out.append(_line("/".join(parts), said(path, root) or ""))
    out.append("")
    around = SAID | {path: said(path, root) or "" for path in paths if re.fullmatch(r"docs/\w+\.md", path)}
    order = [name for name in around if name.split("/")[0] not in ROOMS]
    out += [_line(name, around[name], indent="") for name in sorted(order, key=lambda n: ("/" not in n, n))]
    return out


def _line(name: str, text: str, *, indent: str = "  ") -> str:
    """Return one line of the tree; a text that is too long ends at its last clause that fits."""
    start = f"{indent}{name}".ljust(COLUMN) + " "
    room = WIDTH - len(start)
    if len(text) > room:
        ends = [m.start() for m in re.finditer(r"[,;:]? and |[,;:] | \(|[?] ", text) if m.start() <= room]
        text = text[: ends[-1]] if ends and ends[-1] > room // 3 else text[: room - 1].rstrip() + "…"
    return start + text


def replaced(readme: str, root: Path = ROOT) -> str:
    """Return the README's text with its tree written anew; raises ValueError where it has no tree."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the README has no <!-- tree --> block")
    return before + begin + "".join(line.rstrip() + "\n" for line in lines(root)) + end + after


def main(arguments: list[str]) -> int:
    """Rewrite the README's tree (`--write`), or answer 1 when it is out of date."""
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = replaced(old)
    if "--write" in arguments:
        path.write_text(new, encoding="utf-8")
        return 0
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
