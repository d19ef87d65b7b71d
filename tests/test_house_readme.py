"""The README's tree has a line for every source file, and no line for a file that is gone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import tree

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def on_the_tree() -> dict[str, str]:
    """Return every path on the README's tree with the text beside it."""
    block, found, room = README.partition(tree.BEGIN)[2].partition(tree.END)[0], {}, ""
    for line in block.splitlines():
        name, _, text = line.strip().partition(" ")
        if line.startswith("  "):
            found[room + name] = text.strip()
        elif name in {f"{r}/" for r in tree.ROOMS}:
            room = name
        elif name:
            found[name] = text.strip()
    return found


def covered(path: str, names: set[str]) -> bool:
    """Say whether a file or, where it is not Python, a folder above it is on the tree."""
    if path in names or path.replace("__init__.py", "") in names:
        return True
    return not path.endswith(".py") and any(name.endswith("/") and path.startswith(name) for name in names)


def test_every_source_file_is_on_the_tree() -> None:
    listed = subprocess.run(
        ["git", "ls-files", *tree.ROOMS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = set(on_the_tree())
    assert [path for path in listed.stdout.splitlines() if not covered(path, names)] == []


def test_every_line_of_the_tree_is_a_file_that_exists() -> None:
    assert [name for name in on_the_tree() if not (ROOT / name).exists()] == []


def test_every_line_of_the_tree_says_something() -> None:
    assert [name for name, text in on_the_tree().items() if len(text) < 8] == []


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_ends_with_the_tree() -> None:
    assert README.index(tree.END) > 0.9 * len(README) - 300
