"""The README names every room, docs/architecture.md every source file, and what they point to exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tree

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def on_the_map() -> dict[str, str]:
    """Return every file of the map with the text beside it."""
    found, folder = {}, ""
    for line in MAP.partition(tree.MAP_BEGIN)[2].splitlines():
        if heading := re.fullmatch(r"### `(.+)`", line):
            folder = heading[1]
        elif entry := re.fullmatch(r"- `(.+?)`: (.+)", line):
            found[folder + entry[1]] = entry[2]
    return found


def asked() -> Iterator[tuple[str, str, str]]:
    """Yield question, file and name for each row of the table of places."""
    rows = re.findall(r"^\| (.+?) \| `(\S+?)`: `(\S+?)` \|", MAP, re.M)
    yield from rows


def test_every_source_file_is_on_the_map() -> None:
    files = [p for p in tree.tracked() if p.split("/")[0] in tree.ROOMS and p.endswith(".py")]
    names = on_the_map()
    missing = [p for p in files if p not in names and not p.endswith("__init__.py") and "migrations/" not in p]
    assert missing == []


def test_every_file_of_the_map_exists_and_says_something() -> None:
    names = on_the_map()
    assert len(names) > 200
    assert [name for name, text in names.items() if not (ROOT / name).exists() or len(text) < 8] == []


def test_both_pages_are_as_make_tree_writes_them() -> None:
    assert tree.main([]) == 0


def test_the_tree_fits_one_screen_and_names_every_room() -> None:
    block = README.partition(tree.BEGIN)[2].partition(tree.END)[0].splitlines()
    assert len(block) <= 45
    assert all(line == "" or line.rstrip().endswith((".", "?")) for line in block)
    assert {line.split("/")[0] for line in block if not line.startswith(" ")} >= set(tree.ROOMS)


def test_the_readme_is_read_in_four_minutes() -> None:
    assert len(README.splitlines()) <= 220


@pytest.mark.parametrize(("question", "path", "name"), list(asked()))
def test_what_the_table_of_places_names_is_there(question: str, path: str, name: str) -> None:
    last = name.rsplit(".", 1)[-1]
    assert re.search(rf"\b(def|class) {last}\b", (ROOT / path).read_text(encoding="utf-8")), question


def test_the_table_of_places_answers_what_a_newcomer_asks() -> None:
    said = " ".join(question for question, _, _ in asked())
    for word in ("calibrated", "threshold", "lease", "held back", "certificate"):
        assert word in said, word


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_page_is_in_the_index_of_the_docs() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = [p.name for p in (ROOT / "docs").glob("*.md") if p.name != "README.md"]
    assert [name for name in pages if f"({name}" not in index] == []
