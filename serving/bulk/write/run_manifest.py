"""What an output is made of: its identity, and the manifest `OUTPUT.manifest.json` that says it beside it.

Two runs with the same identity have the same output, so an unfinished one may be continued, and a finished
one need not be done again. The manifest adds what came out and with which versions. It names no time, place
or command: a run that was broken off and continued ends in the same manifest as an unbroken one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from prefilter.models.atomic_file import write_atomically
from prefilter.serving.bulk.cleared_rows import edges_by_source
from prefilter.serving.bulk.read.file_formats import recognise
from prefilter.serving.bulk.read.input_files import Fingerprint
from prefilter.serving.bulk.read.input_rows import Columns
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.bulk.write.run_summary import Summary

FORMAT = 2
METADATA_KEY = "prefilter"
VERSIONS = ("harm-prefilter", "onnxruntime", "pyarrow", "numpy")


def identify(
    terms: Terms, *, inputs: Sequence[Fingerprint], columns: Columns, ordered: bool = True
) -> dict[str, object]:
    """Say what is made of what.

    `cleared_under` holds the policy's edges by source: what the fast stage clears is only known to lie below
    them. It is null where the fast stage was off.
    """
    return {
        "format": FORMAT,
        "inputs": [one.to_json() for one in inputs],
        "columns": columns.to_json(),
        "model": {
            "version": terms.model_version,
            "manifest_sha256": terms.manifest_sha256,
            "uncalibrated": list(terms.uncalibrated),
        },
        "policy": {"name": terms.policy.label, "body": terms.policy.to_body()},
        "exact": terms.exact,
        "cleared_under": None if terms.exact else edges_by_source(terms.policy),
        "ordered": ordered,
        "onnxruntime": version("onnxruntime"),
    }


def manifest_path(output: Path) -> Path:
    """Where the manifest of an output lies."""
    return output.with_name(output.name + ".manifest.json")


def write_manifest(output: Path, *, identity: Mapping[str, object], summary: Summary) -> None:
    """Write the manifest of a finished output: all of it or nothing, and the same for the same output."""
    policy = json.dumps(identity.get("policy"), sort_keys=True, separators=(",", ":"))
    document = {
        **identity,
        "policy_sha256": hashlib.sha256(policy.encode()).hexdigest(),
        **summary.to_json(),
        "output": _digest(output),
        "versions": {name: version(name) for name in VERSIONS},
    }
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    write_atomically(manifest_path(output), text.encode(), durable=True)


def has_manifest(output: Path) -> bool:
    """Whether a manifest lies beside an output and is about these very bytes."""
    return _read_manifest(output) is not None


def read_identity(output: Path) -> dict[str, object] | None:
    """Return what a finished output says it was made of; None where nothing says it.

    A Parquet file says it itself; of JSONL its manifest does, if it is about these very bytes.
    """
    if not output.is_file():
        return None
    if recognise(output, for_output=True).kind == "parquet":
        return _read_metadata(output)
    document = _read_manifest(output)
    if document is None:
        return None
    beside = {"policy_sha256", "rows", "outcomes", "stages", "output", "versions"}
    return {key: value for key, value in document.items() if key not in beside}


def _read_manifest(output: Path) -> dict[str, object] | None:
    try:
        document = json.loads(manifest_path(output).read_bytes())
        found = isinstance(document, dict) and document.get("output") == _digest(output)
    except (OSError, ValueError):
        return None
    return document if found else None


def _read_metadata(output: Path) -> dict[str, object] | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(output).metadata or {}
        identity = json.loads(metadata.get(METADATA_KEY.encode(), b"null"))
    except (pa.ArrowException, OSError, ValueError):
        return None
    return identity if isinstance(identity, dict) else None


def _digest(output: Path) -> dict[str, object]:
    with output.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.tell(), "sha256": digest}
