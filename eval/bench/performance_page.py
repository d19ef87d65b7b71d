"""The page of performance: tables of what the benchmarks measured, written from their documents alone.

Every figure on the page is in a document of the folder, with its machine, date and command. The text is in `notes.md`
in the same folder and is copied unchanged. A test writes the page again and compares.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefilter.eval.bench import streamed_tables
from prefilter.eval.bench.scaling_plot import scaling

NAMES = ("scorer", "stream", "http", "streamed", "bulk", "rivals")
TARGETS = Path(__file__).with_name("speed_targets.toml")
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
        "roofline": lambda: _roofline(documents),
        "serving": lambda: _serving(documents),
        "waits": lambda: _table(streamed_tables.WAITS, streamed_tables.waits(documents.get("streamed", {}))),
        "let out": lambda: _table(streamed_tables.LET_OUT, streamed_tables.let_out(documents.get("streamed", {}))),
        "meanwhile": lambda: streamed_tables.meanwhile(documents.get("streamed", {})),
        "scaling": lambda: _scaling(documents),
        "rivals": lambda: _rivals(documents),
        "cost": lambda: _cost(documents, price),
        "plots": lambda: "\n\n".join(
            f"![{alt}]({place}/{name}.svg)" for name, alt in _PLOTS.items() if (folder / f"{name}.svg").is_file()
        ),
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


_PRODUCTS = ("DynamicQuantizeMatMul", "QAttention", "MatMulInteger", "MatMulIntegerToFloat", "QGemm")
"""Operations that hold the int8 products; all others of the profile do no multiply-adds that count."""


def _roofline(documents: Documents) -> str:
    profile = documents.get("scorer", {}).get("profile")
    if not profile:
        return ""
    best = max(profile["int8_peak_gmac_per_s"].values())
    shares: Mapping[str, float] = profile["share_of_time"]
    outside = 1 - sum(shares.get(name, 0.0) for name in _PRODUCTS)
    rows = [
        ("a row of 128 through the network", profile["gmac_per_s"], profile["gmac_per_s"] / best),
        *(
            (f"one int8 product, {' x '.join(shape.split('x'))}", rate, rate / best)
            for shape, rate in profile["int8_peak_gmac_per_s"].items()
        ),
    ]
    told = [(what, _number(rate), f"{share:.1%}") for what, rate, share in rows]
    return (
        _table(("what", "billion multiply-adds a second", "of the best"), told)
        + f"\n\nA row of 128 takes {_number(profile['row_ms'])} ms for {_number(profile['gmac_per_row'])} billion "
        f"multiply-adds; at the best product's rate the network would read {_number(profile['tokens_per_s_at_peak'])} "
        f"tokens/s. {outside:.1%} of the time goes to operations that hold no int8 product."
    )


def _serving(documents: Documents) -> str:
    rows = []
    for what, path in _SERVED.items():
        found = value_at(documents, f"http.{path}")
        if found is not None:
            rows.append((what, _number(found)))
    statuses = documents.get("http", {}).get("overload", {}).get("statuses", {})
    rows += [(f"requests answered {status} under overload", f"{number:,}") for status, number in statuses.items()]
    return _table(("server", "measured"), rows)


_SERVED = {
    "single text, p50, ms": "single_ms_p50",
    "single text, p99, ms": "single_ms_p99",
    "the same text in process, p50, ms": "in_process_single_ms_p50",
    "single text beside batches of 1,000, p50, ms": "single_beside_batches_ms_p50",
    "single text beside batches of 1,000, p99, ms": "single_beside_batches_ms_p99",
    "texts/s in batches of 64": "batch_texts_per_s",
    "texts/s in process": "in_process_texts_per_s",
    "start to `ready`, database made too, s": "ready_s.first",
    "start to `ready`, database there, s": "ready_s.later_p50",
    "texts/s offered under overload": "overload.offered_texts_per_s",
    "texts/s served under overload": "overload.goodput_texts_per_s",
    "refusal under overload, p50, ms": "overload.refused_ms_p50",
    "refusal under overload, p99, ms": "overload.refused_ms_p99",
    "resident memory before overload, MB": "overload.resident_mb_before.0",
    "resident memory after overload, MB": "overload.resident_mb_after.0",
}


def _scaling(documents: Documents) -> str:
    rates: dict[str, Mapping[str, float]] = {
        "prefilter score, exact": documents.get("bulk", {}).get("rows_per_s", {}),
        "prefilter score, fast stage": documents.get("bulk", {}).get("rows_per_s_fast_stage", {}),
        "prefilter serve, exact": {
            number: own["texts_per_s"] for number, own in documents.get("http", {}).get("workers", {}).items()
        },
    }
    rows = [
        (f"`{command.split(',')[0]}`,{command.split(',')[1]}", number, _number(rate), _number(rate / int(number) / one))
        for command, own in rates.items()
        for number, rate in own.items()
        if (one := own.get("1"))
    ]
    return _table(("command", "workers", "texts of 450 characters a second", "per worker, beside one"), rows)


def _rivals(documents: Documents) -> str:
    rows = []
    for name, rival in documents.get("rivals", {}).get("rivals", {}).items():
        figures = [_number(rival[key]) if rival.get(key) else "" for key in _BESIDE.values()]
        rows.append((name, str(rival.get("version", "")), *figures))
    return _table(("what", "version", *_BESIDE), rows)


_BESIDE = {
    "texts/s": "docs_per_s",
    "tokens/s": "tokens_per_s",
    "ours, exact: times the texts/s": "ratio_exact",
    "times the tokens/s": "ratio_tokens",
    "ours, fast stage first: times the texts/s": "ratio_fast",
    "our fast stage alone: times the texts/s": "ratio_stage",
}


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
