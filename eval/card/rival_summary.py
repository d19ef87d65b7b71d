"""What stands beside the model: the headline numbers of an earlier model or of a baseline, on the same rows.

A summary is made from a results document by `python -m prefilter.eval.card.rival_summary DOCUMENT`, and is small enough
to be kept: those in `beside/` stand in every card. It holds numbers and the names of suites, never a text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefilter.models.known_error import KnownError
from prefilter.models.labels import ANY

FOLDER = Path(__file__).parent / "rivals"
SUMMARY = "summary"
"""The key that tells a summary from a whole document."""
POLICY = "model-output"
"""The policy whose shares are compared: the one that acts unless another is named."""
KEPT = ("auprc", "recall_at_1pct_fpr")
DIGITS = 5


class BesideError(KnownError, ValueError):
    """A file is neither a results document nor a summary of one; the message names it."""


def summarise(document: Mapping[str, Any], *, name: str = "", about: str = "") -> dict[str, Any]:
    """Return the headline numbers of a results document; a summary is returned as it is."""
    if SUMMARY in document:
        return dict(document)
    return {
        SUMMARY: name or str(document["model_version"]),
        "about": about,
        "model_version": document["model_version"],
        "created_at": document["created_at"],
        "command": document["command"],
        "suites": {key: _suite(suite) for key, suite in document["suites"].items()},
    }


def read_summary(path: Path) -> dict[str, Any]:
    """Read a results document or a summary; raises BesideError."""
    try:
        document = json.loads(path.read_bytes())
        return summarise(document)
    except OSError as error:
        raise BesideError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BesideError(f"{path}: no results document") from None


def kept_summaries() -> list[dict[str, Any]]:
    """Return the summaries of `beside/`, by the date they were measured."""
    return sorted(map(read_summary, FOLDER.glob("*.json")), key=lambda own: str(own["created_at"]))


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write a summary, a line per suite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines(summary), encoding="utf-8")


def lines(document: Mapping[str, Any], *, digits: int = DIGITS) -> str:
    """Return a document as JSON with a line per key and per suite, its numbers cut to `digits` places."""
    parts = []
    for key, value in document.items():
        if key == "suites":
            rows = (f"  {_json(name)}: {_json(rounded(own, digits))}" for name, own in value.items())
            parts.append(' "suites": {\n' + ",\n".join(rows) + "\n }")
        else:
            parts.append(f" {_json(key)}: {_json(rounded(value, digits))}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def rounded(value: Any, digits: int = DIGITS) -> Any:
    """Return a JSON value with every number cut to `digits` decimal places."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, Mapping):
        return {key: rounded(own, digits) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(own, digits) for own in value]
    return value


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _suite(suite: Mapping[str, Any]) -> dict[str, Any]:
    """What a comparison shows of one suite."""
    heads = {ANY: suite[ANY], **suite["categories"]}
    found: dict[str, Any] = {
        "n": suite["n"],
        "heads": {head: _kept(row, ("n", "positives", *KEPT)) for head, row in heads.items() if row["auprc"]},
        "operating": {
            name: _kept(own, ("n", "review", "block", "miss_rate"))
            for name, own in suite["operating"].items()
            if name == POLICY
        },
    }
    if suite.get("hatecheck"):
        found["hatecheck"] = {
            head: {kind: _kept(own[kind], ("n", "accuracy")) for kind in ("all", "hateful", "non_hateful")}
            for head, own in suite["hatecheck"].items()
        }
    if suite.get("bias"):
        found["bias"] = {head: {"worst": own["worst"]} for head, own in suite["bias"].items()}
    if suite.get("spans"):
        found["spans"] = suite["spans"]
    return found


def _kept(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    kept = {name: row[name] for name in names if name in row}
    bounds = {name: own for name, own in (row.get("ci95") or {}).items() if name in kept}
    return {**kept, "ci95": bounds}


def main(arguments: Sequence[str]) -> int:
    """Print a document's summary: `python -m prefilter.eval.card.rival_summary DOCUMENT [NAME [ABOUT]]`."""
    path, *said = arguments
    document = json.loads(Path(path).read_bytes())
    sys.stdout.write(lines(summarise(document, name="".join(said[:1]), about="".join(said[1:2]))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
