"""The pages and packaging files agree with the code: versions, locks, settings, words, the image."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from setuptools import find_packages

from prefilter.serving.settings import Settings
from prefilter.serving.store.tables import metadata

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
APART = ("litellm", "nemo")  # environments of their own
HASHED = [lock for lock in LOCKS if lock.stem != "torch"]
ADRS = sorted((ROOT / "docs/adr").glob("0*.md"))
HEADINGS = ["## Context", "## Decision", "## Consequences", "## Alternatives", "## Status"]


def text(name: str) -> str:
    """Return a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def pins(lock: Path) -> dict[str, str]:
    """Return the versions of a lock by package."""
    return dict(re.findall(r"^([\w.\[\]-]+)==([^ \n]+)", lock.read_text(encoding="utf-8"), re.M))


def test_the_changelog_begins_with_this_version() -> None:
    titles = re.findall(r"^## (\S+)", text("CHANGELOG.md"), re.M)
    assert next(title for title in titles if title != "Unreleased") == PROJECT["project"]["version"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_holds_no_address_and_no_path(lock: Path) -> None:
    assert re.findall(r"://|^\s*-(?!-hash)\S*|@ ", lock.read_text(encoding="utf-8"), re.M) == []


@pytest.mark.parametrize("lock", HASHED, ids=lambda lock: lock.stem)
def test_every_pin_of_a_lock_has_a_hash(lock: Path) -> None:
    assert pins(lock)
    for entry in re.split(r"\n(?=[\w])", lock.read_text(encoding="utf-8")):
        assert entry.startswith("#") or "--hash=sha256:" in entry, entry[:60]


@pytest.mark.parametrize("lock", [lock for lock in HASHED if lock.stem not in APART], ids=lambda lock: lock.stem)
def test_the_locks_agree_so_that_one_environment_holds_them_all(lock: Path) -> None:
    widest = pins(ROOT / "requirements/dev.txt")
    assert {name: v for name, v in pins(lock).items() if name in widest and widest[name] != v} == {}


def test_torch_is_pinned_once_and_stands_in_no_hashed_lock() -> None:
    assert (
        pins(ROOT / "requirements/torch.txt")["torch"]
        in PROJECT["project"]["optional-dependencies"]["train"][0]
    )
    assert [lock.stem for lock in HASHED if "torch" in pins(lock)] == []


def test_what_serves_is_locked_without_what_trains() -> None:
    assert {"torch", "transformers", "scikit-learn", "pytest"} & set(
        pins(ROOT / "requirements/serve.txt")
    ) == set()


def test_every_package_of_the_rooms_is_in_the_distribution() -> None:
    rooms = ("prefilter", "models", "classifier", "serving", "eval")
    found = {
        ".".join(init.parent.relative_to(ROOT).parts).removeprefix("prefilter.")
        for room in rooms
        for init in (ROOT / room).rglob("__init__.py")
    }
    chosen = PROJECT["tool"]["setuptools"]["packages"]["find"]
    packages = find_packages(str(ROOT), include=chosen["include"], exclude=chosen["exclude"])
    assert {name.removeprefix("prefilter.") for name in packages} == found


@pytest.mark.parametrize("room", ["models", "classifier", "serving", "eval"])
def test_a_room_is_reached_by_a_link_that_any_checkout_has(room: str) -> None:
    assert os.readlink(ROOT / "prefilter" / room) == f"../{room}"


def test_the_runbook_names_every_setting() -> None:
    names = {f"PREFILTER_{field.name.upper()}" for field in fields(Settings)}
    assert names - set(re.findall(r"PREFILTER_[A-Z_]+", text("docs/operating.md"))) == set()


@pytest.mark.parametrize("page", ADRS, ids=lambda page: page.stem)
def test_a_decision_has_its_five_headings_and_stands_in_the_index(page: Path) -> None:
    assert re.findall(r"^## .*", page.read_text(encoding="utf-8"), re.M) == HEADINGS
    assert page.name in text("docs/adr/README.md")


def test_tables_use_the_words_of_the_glossary() -> None:
    rows = re.findall(
        r"^\| [^|]+ \| [^|]+ \| ([^|]+) \|$", text("docs/glossary.md").partition("## Verbs")[0], re.M
    )
    avoided = {word.strip() for row in rows[1:] for word in row.split(",")} - {"", "log line"}
    names = [t.name for t in metadata.sorted_tables] + [
        c.name for t in metadata.sorted_tables for c in t.columns
    ]
    # case_texts.case_id and the like: every word of a name counts, singular or plural
    used = {part.rstrip("s") for name in names for part in name.split("_")}
    assert len(avoided) > 20
    assert avoided & used == set()


def test_the_image_runs_locked_and_not_as_root() -> None:
    build, final = text("Dockerfile").split("\nFROM ")[1:]
    assert "--require-hashes" in build
    assert re.search(r"^USER (?!0|root)", final, re.M)
    assert "/readyz" in final.partition("HEALTHCHECK")[2]
    assert not re.search(r"^RUN .*\b(pip|apt-get)\b", final, re.M)


def test_what_the_image_copies_is_let_in() -> None:
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text("Dockerfile"), re.M)
        for name in line.split()
    }
    assert copied == set(re.findall(r"^!(\S+)", text(".dockerignore"), re.M))
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_compose_file_holds_no_secret() -> None:
    for line in text("compose.yaml").splitlines():
        if re.search(r"PASSWORD: |://\w+:", line):
            assert "${PREFILTER_DB_PASSWORD:?" in line, line
