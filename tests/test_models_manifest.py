"""The manifest: every byte is checked before it is used, and no name leads out of the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import build_artefact
from prefilter.models.manifest import REQUIRED, Manifest, ManifestError, load, verify


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    return build_artefact(tmp_path / "model")


def change(artefact: Path, **fields: Any) -> None:
    path = artefact / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_an_untouched_artefact_verifies(artefact: Path) -> None:
    manifest = verify(artefact)
    assert {*REQUIRED, "README.md"} == set(manifest.files)
    assert manifest == load(artefact)


def test_a_manifest_from_before_contexts_and_spans_reads_as_without(artefact: Path) -> None:
    document = json.loads((artefact / "manifest.json").read_text())
    del document["spans"], document["window"]["context"]
    (artefact / "manifest.json").write_text(json.dumps(document))
    assert (load(artefact).context, load(artefact).spans) == (0, {})


@pytest.mark.parametrize("name", [*REQUIRED, "README.md"])
def test_one_changed_byte_is_named(artefact: Path, name: str) -> None:
    data = bytearray((artefact / name).read_bytes())
    data[len(data) // 2] ^= 1
    (artefact / name).write_bytes(data)
    with pytest.raises(ManifestError, match=name):
        verify(artefact)


def test_a_missing_file_is_named(artefact: Path) -> None:
    (artefact / "model.onnx").unlink()
    with pytest.raises(ManifestError, match=r"model\.onnx"):
        verify(artefact)


def test_a_link_is_refused(artefact: Path, tmp_path: Path) -> None:
    (artefact / "README.md").rename(tmp_path / "elsewhere")
    (artefact / "README.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ManifestError, match="link"):
        verify(artefact)


@pytest.mark.parametrize("name", ["../secret", "/etc/hosts", "a/b", "..", "manifest.json", "a\\b"])
def test_a_name_that_leads_elsewhere_is_refused(artefact: Path, name: str) -> None:
    change(artefact, files=load(artefact).files | {name: "0" * 64})
    with pytest.raises(ManifestError, match="no plain file name"):
        load(artefact)


@pytest.mark.parametrize(
    "fields",
    [
        {"format": 2},
        {"heads": "any"},
        {"files": {}},
        {"window": {}},
        {"window": {"length": 128, "overlap": 32, "context": "many"}},
        {"spans": {"no_head": 0.0}},
        {"spans": {"any": None}},
        {"name": "../x"},
        {"version": None},
    ],
)
def test_a_broken_manifest_is_refused(artefact: Path, fields: dict[str, Any]) -> None:
    change(artefact, **fields)
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        load(artefact)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        Manifest.load(tmp_path)


def test_an_unlisted_file_is_never_read(artefact: Path) -> None:
    (artefact / "extra.bin").write_bytes(b"x")
    with pytest.raises(ManifestError, match="not listed"):
        load(artefact).read(artefact, "extra.bin")
