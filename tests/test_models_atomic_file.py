"""A file is there whole or not at all, and an error leaves nothing beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prefilter.models.atomic_file import replacing, write_atomically


def interrupted(fresh: Path) -> None:
    fresh.write_bytes(b"half")
    raise KeyboardInterrupt


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"old")
    write_atomically(tmp_path / "a", b"new", durable=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_until_the_end_a_reader_sees_the_old_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"old")
    with replacing(tmp_path / "a") as fresh:
        fresh.write_bytes(b"new")
        assert (tmp_path / "a").read_bytes() == b"old"
        assert names(tmp_path) == [".a.partial", "a"]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"old")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a", partial=tmp_path / "b") as fresh:
        interrupted(fresh)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(("durable", "waits"), [(False, 0), (True, 2)])
def test_a_durable_file_waits_for_the_disk_and_so_does_its_name(
    durable: bool, waits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda handle: waited.append(True))
    write_atomically(tmp_path / "a", b"1", durable=durable)
    assert len(waited) == waits
