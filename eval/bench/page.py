"""The page of performance: tables of what the benchmarks measured, written from their documents alone.

Every figure on the page stands in a document of the folder, with its machine, date and command; what people have to
say about them stands in `notes.md` beside them and is put in as it is. A test writes the page again and compares.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefilter.eval.bench.curves import scaling

NAMES = ("scorer", "stream", "http", "bulk", "rivals")
TARGETS = Path(__file__).with_name("targets.toml")
MARK = "<!-- {} -->"

Documents = Mapping[str, Mapping[str, Any]]


def write(folder: Path, output: Path, *, price: float) -> None:
    """Write the page to `output`, and its plots beside the documents; a benchmark without a document is left out."""
    documents = load(folder)
    for name, svg in scaling(documents).items():
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    output.write_text(render(folder, documents, price=price, place=folder.name), encoding="utf-8")


def load(folder: Path) -> dict[str, Any]:
    """The documents of a folder by the benchmark's name."""
    return {
        name: json.loads((folder / f"{name}.json").read_bytes())
        for name in NAMES
        if (folder / f"{name}.json").is_file()
    }


def render(folder: Path, documents: Documents, *, price: float, place: str) -> str:
    """The page as Markdown: the notes, with a table wherever they name one."""
    notes = (folder / "notes.md").read_text(encoding="utf-8")
    tables: dict[str, Callable[[], str]] = {
        "measured": lambda: _measured(documents),
        "targets": lambda: _targets(documents),
        "lengths": lambda: _lengths(documents),
        "stream": lambda: _stream(documents),
        "profile": lambda: _profile(documents),
        "rivals": lambda: _rivals(documents),
        "cost": lambda: _cost(documents, price),
        "plots": lambda: "\n\n".join(f"![{alt}]({place}/{name}.svg)" for name, alt in _PLOTS.items()),
    }
    for name, table in tables.items():
        if (mark := MARK.format(name)) in notes:
            notes = notes.replace(mark, table())
    return notes


_PLOTS = {"workers": "Rows a second against worker processes", "lengths": "Rows a second against the length of a text"}


def value_at(documents: Documents, path: str) -> float | None:
    """The number at a dotted path, None where there is none."""
    found: Any = documents
    for part in path.split("."):
        if isinstance(found, list):
            found = found[int(part)] if int(part) < len(found) else None
        else:
            found = found.get(part) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) else None


def _measured(documents: Documents) -> str:
    rows = []
    for name, document in documents.items():
        machine = document["machine"]
        cpu = f"{machine['cores']} x {machine['cpu']} ({machine['instructions'].split()[-1]})"
        rows.append((name, document["date"], cpu, machine["onnxruntime"], f"`{document['command']}`"))
    return _table(("benchmark", "date", "machine", "onnxruntime", "command"), rows)


def _targets(documents: Documents) -> str:
    rows = []
    for target in tomllib.loads(TARGETS.read_text(encoding="utf-8"))["target"]:
        measured = value_at(documents, target["at"])
        if measured is not None and "less" in target:
            other = value_at(documents, target["less"])
            measured = None if other is None else measured - other
        if measured is not None and "over" in target:
            other = value_at(documents, target["over"])
            measured = None if not other else measured / other / target["divide"]
        higher = target["better"] == "higher"
        if measured is None:
            said, met = "not measured", ""
        else:
            said, met = _number(measured), "yes" if (measured >= target["bound"]) == higher else "**no**"
            met = "yes" if measured == target["bound"] else met
        rows.append((target["what"], f"{'≥' if higher else '≤'} {_number(target['bound'])}", said, met))
    return _table(("figure", "target", "measured", "met"), rows)


def _lengths(documents: Documents) -> str:
    document = documents.get("scorer", {})
    rows = [
        (
            length,
            _number(rate),
            _number(document["tokens_per_s_per_core_network_alone"][length]),
            _number(rate / document["pieces"][length]),
        )
        for length, rate in document.get("tokens_per_s_per_core", {}).items()
    ]
    return _table(("row or text, pieces", "tokens/s per core", "network alone", "texts/s per core"), rows)


def _stream(documents: Documents) -> str:
    document = documents.get("stream", {})
    rows = [
        (source, str(row["documents"]), f"{row['cleared']:.3f}", str(row["flagged"]))
        for source, row in document.get("by_source", {}).items()
    ]
    return _table(("source", "documents", "cleared", "flagged by the transformer"), rows)


def _profile(documents: Documents) -> str:
    shares = documents.get("scorer", {}).get("profile", {}).get("share_of_time", {})
    return _table(("operation", "share of the time"), [(f"`{n}`", f"{s:.1%}") for n, s in shares.items()])


def _rivals(documents: Documents) -> str:
    rows = []
    for name, rival in documents.get("rivals", {}).get("rivals", {}).items():
        ratios = [_number(rival[key]) if rival.get(key) else "" for key in ("ratio_exact", "ratio_fast")]
        rows.append((name, str(rival.get("version", "")), _number(rival["docs_per_s"]), *ratios))
    return _table(("what", "version", "texts/s", "ours, exact: times", "ours, fast stage: times"), rows)


def _cost(documents: Documents, price: float) -> str:
    rates = {
        "web-like stream, every row by the transformer": value_at(documents, "stream.docs_per_s_exact"),
        "web-like stream, fast stage": value_at(documents, "stream.docs_per_s"),
        "texts of 450 characters, every row by the transformer": value_at(
            documents, "scorer.exact_docs_per_s_450_chars"
        ),
        "texts of 450 characters, all cleared by the fast stage": value_at(documents, "scorer.fast_answers_per_s"),
    }
    rows = []
    for what, rate in rates.items():
        if rate:
            hours = 1e9 / rate / 3600
            rows.append((what, _number(rate), _number(hours), _number(hours * price)))
    heading = ("a billion rows", "rows/s per core", "core-hours", f"cost at {price} a core-hour")
    return _table(heading, rows)


def _number(value: float) -> str:
    if value and abs(value) < 0.1:
        return f"{value:.4f}"
    if abs(value) < 10:
        return f"{value:.2f}".rstrip("0").rstrip(".") if float(value).is_integer() else f"{value:.2f}"
    return f"{value:,.1f}" if abs(value) < 100 and not float(value).is_integer() else f"{value:,.0f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
