"""The tree of rooms at the end of the README, and the map of every file in docs/architecture.md.

`python scripts/tree.py --write` rewrites both from what git tracks; without it the exit code says whether they are
up to date. A room is described by the first sentence of its package's docstring, a file by its own first sentence,
what has no docstring by `SAID`. No sentence is cut: a room's must fit its line.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- tree -->\n```\n", "```\n<!-- /tree -->"
MAP_BEGIN, MAP_END = "<!-- map -->\n", "<!-- /map -->"
ROOMS = ("prefilter", "models", "classifier", "serving", "eval")
WIDTH, COLUMN = 128, 22

# What has no docstring of its own. A folder ends in a slash and covers every file in it that is not Python.
SAID = {
    "classifier/recipes/": "One file for each released model: sources, mix, rates, seeds.",
    "eval/rivals/kept/": "Summaries of what is compared with the model in its card: its predecessor, a baseline.",
    "eval/suites/identity_terms.txt": "The identity terms found in the templates of the bias suite.",
    "models/data/": "Look-alike characters and the taxonomy, as data.",
    "models/store/": "The artefacts: ONNX graph, tokenizer, calibration, manifest, card.",
    "eval/card/templates/": "The page of the model card as HTML.",
    "prefilter/py.typed": "Says that the package carries types.",
    "serving/migrations/": "How the tables came to be: one file for each change, never edited.",
    "serving/migrations/script.py.mako": "The form of a new migration.",
    "serving/policy/presets/": "The shipped policies, each with its reasons.",
    "serving/static/": "One style sheet and small ES modules, no build step.",
    "serving/templates/": "The pages of the console.",
}
ON_THE_TREE = {"classifier/recipes/", "models/store/"}
"""Folders without code that the tree names all the same; the map names every folder."""
# What is around the rooms, on the tree alone.
AROUND = {
    "client/": "The typed Python client, a distribution of its own.",
    "docs/": "Pages by reader, decisions (adr/), the map of every file (architecture.md).",
    "tests/": "test_<room>_<file>.py; acceptance/ runs whole processes and a browser.",
}


def tracked(root: Path = ROOT) -> list[str]:
    """Return the paths of all files that git tracks or would track, sorted; links are not files."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted({name for name in names if name and (root / name).is_file() and not (root / name).is_symlink()})


def said(path: str, root: Path = ROOT) -> str | None:
    """Return the sentence about a file or a folder of Python, or None where its folder's covers it."""
    if path in SAID:
        return SAID[path]
    file = root / path / "__init__.py" if path.endswith("/") else root / path
    if file.suffix == ".py" and file.is_file():
        return _sentence(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "")
    if file.suffix == ".toml":
        comment = re.match(r"(?:#.*\n)+", file.read_text(encoding="utf-8"))
        return _sentence(re.sub(r"(?m)^# ?", "", comment[0])) if comment else None
    return None


def _sentence(text: str) -> str:
    first = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", first)[0]


def packages(root: Path = ROOT) -> list[str]:
    """Return every folder of a room that holds a file and is not covered by another, each ending in a slash."""
    folders = {path.rsplit("/", 1)[0] + "/" for path in tracked(root) if path.split("/")[0] in ROOMS}
    folders |= {"/".join(folder.split("/")[:2]) + "/" for folder in folders if folder.count("/") > 1}
    apart = [folder for folder in folders if not any(folder != f and folder.startswith(f) for f in SAID)]
    return sorted(apart, key=lambda folder: (ROOMS.index(folder.split("/")[0]), folder))


def tree_lines(root: Path = ROOT) -> Iterator[str]:
    """Yield the lines of the README's tree: each room, its packages, and what is around; raises ValueError."""
    for folder in packages(root):
        depth = folder.count("/")
        if depth > 2 or not (folder in ON_THE_TREE or (root / folder / "__init__.py").is_file()):
            continue
        name = folder if depth == 1 else "  " + folder.split("/", 1)[1]
        yield _line(name, said(folder, root) or "")
    yield ""
    for name, text in AROUND.items():
        yield _line(name, text)


def _line(name: str, text: str) -> str:
    line = name.ljust(COLUMN) + " " + text
    if not text or len(line) > WIDTH:
        raise ValueError(f"{name.strip()}: a sentence of at most {WIDTH - COLUMN - 1} characters is needed")
    return line


def map_lines(root: Path = ROOT) -> Iterator[str]:
    """Yield the lines of the map: a heading for each folder, a line for each file in it."""
    paths = tracked(root)
    for folder in packages(root):
        yield from (f"### `{folder}`", "", said(folder, root) or "", "")
        inside = [path for path in paths if path.rsplit("/", 1)[0] + "/" == folder]
        lines = [f"- `{path.rsplit('/', 1)[1]}`: {text}" for path in inside if (text := _own(path, root))]
        yield from ([*lines, ""] if lines else [])


def _own(path: str, root: Path) -> str | None:
    covered = any(folder.endswith("/") and path.startswith(folder) for folder in SAID)
    if path.endswith("/__init__.py") or (covered and path not in SAID and not path.endswith(".py")):
        return None
    return said(path, root)


def replaced(page: str, begin: str, end: str, lines: Iterator[str]) -> str:
    """Return a page's text with the block between its marks written anew; raises ValueError where it has none."""
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page has no {begin.strip()} block")
    return before + begin + "".join(line.rstrip() + "\n" for line in lines) + end + after


PAGES: dict[str, Callable[[str], str]] = {
    "README.md": lambda page: replaced(page, BEGIN, END, tree_lines()),
    "docs/architecture.md": lambda page: replaced(page, MAP_BEGIN, MAP_END, map_lines()),
}


def main(arguments: list[str]) -> int:
    """Rewrite both pages (`--write`), or answer 1 when one is out of date."""
    stale = 0
    for name, written in PAGES.items():
        old = (ROOT / name).read_text(encoding="utf-8")
        new = written(old)
        if "--write" in arguments:
            (ROOT / name).write_text(new, encoding="utf-8")
        else:
            stale |= int(old != new)
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
