"""The document of a benchmark: what was measured, with the machine, the model, the command and the date."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefilter.eval.machine import describe_machine
from prefilter.models.manifest import Manifest
from prefilter.models.registry import resolve


def make(name: str, command: str, figures: Mapping[str, Any], *, model: str | None = None) -> dict[str, Any]:
    """The figures of one benchmark under the head that makes them comparable."""
    return {
        "bench": name,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": describe_machine(),
        "model_version": Manifest.load(resolve(model)).version,
        **figures,
    }


def lines(document: Mapping[str, Any]) -> list[str]:
    """The figures for people, one a line."""
    return [
        f"{name:28s} {json.dumps(value) if isinstance(value, dict | list) else value}"
        for name, value in document.items()
    ]


def keep(document: Mapping[str, Any], output: Path) -> None:
    """Write the document to a file."""
    output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def say(line: str) -> None:
    """One line of progress on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
