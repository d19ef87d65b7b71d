"""Sources: the shared schema's Parquet files and a user's own JSONL, CSV or Parquet, read as arrays.

A source gives rows of text with, per head, a value in [0,1] or NaN where it has no label: unknown is not zero. Knows
columns, licences and which sources are test suites; knows neither splits nor weights.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
from numpy.typing import NDArray

from prefilter.classifier.recipe import OwnData, Recipe
from prefilter.models.known_error import KnownError
from prefilter.models.labels import ANY, CATEGORIES, HEADS

NEVER_TRAIN = frozenset(
    {
        "hatecheck",
        "bias_madlibs_77k",
        "wiki_toxicity_fuzzed_test",
        "beavertails_30k_test",
        "safe_rlhf_test2k",
        "harmful_instructions_bench",
        "do_not_answer",
        "xsafety_en",
        "rtp_lx_en_prompts",
        "trustllm_misuse",
        "medsafetybench",
        "cyber_frr_benign",
    }
)
"""The public test suites: no row of these is trained or calibrated on. Names ending in `_mhc` belong here too."""


Spans = tuple[tuple[int, int], ...]
CONTEXT_COLUMNS = ("context", "prompt")


class SourceError(KnownError, ValueError):
    """A source file cannot be read as labelled text; the message names the file and the column."""


@dataclass(frozen=True, slots=True)
class Source:
    """One labelled file as arrays of `n` rows.

    `labels` is float32 [n, heads] with NaN for unknown; `held_out` is True where the source marks a row as test;
    `pair` joins rows that must stay in one split ("" where there is none). `context` is "" where
    there is none. `spans` are the characters [start, end) that people marked as harmful in a text, None where nobody
    judged.
    """

    name: str
    licence: str
    human: bool
    texts: list[str]
    labels: NDArray[np.float32]
    held_out: NDArray[np.bool_]
    pair: list[str]
    context: list[str]
    spans: list[Spans | None]


def data_dir_from_env() -> Path | None:
    """The folder of labelled data, from PREFILTER_DATA_DIR, or None."""
    value = os.environ.get("PREFILTER_DATA_DIR")
    return Path(value) if value else None


def is_test_suite(name: str) -> bool:
    """True for a public test suite that training must never see."""
    return name in NEVER_TRAIN or name.endswith("_mhc")


def read_catalogue(data_dir: Path) -> dict[str, dict[str, str]]:
    """The catalogue's rows by data set name; raises `SourceError` where the folder has no catalogue."""
    path = data_dir / "catalogue.csv"
    if not path.is_file():
        raise SourceError(f"{path} does not exist: point PREFILTER_DATA_DIR at the labelled data")
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["dataset"]: row for row in csv.DictReader(handle)}


def training_sources(recipe: Recipe, data_dir: Path | None) -> list[Source]:
    """Every source the recipe may train on: right language, right licence, no test suite, not excluded."""
    found: list[Source] = []
    if data_dir is not None:
        for name, row in sorted(read_catalogue(data_dir).items()):
            rule = recipe.sources.get(name)
            language_ok = row["folder"] in recipe.languages
            if is_test_suite(name) or row["licence"] not in recipe.licences or not language_ok:
                continue
            if rule is not None and rule.exclude:
                continue
            found.append(_read_shared(data_dir / row["folder"] / f"{name}.parquet", row))
    found.extend(_read_own(own) for own in recipe.own)
    if not found:
        raise SourceError("the recipe leaves no source to train on")
    return found


def held_out_texts(data_dir: Path, languages: tuple[str, ...]) -> list[str]:
    """Texts that must not be trained on: every test suite's, and every row marked test in any source."""
    texts: list[str] = []
    for name, row in sorted(read_catalogue(data_dir).items()):
        if row["folder"] not in languages:
            continue
        table = pq.read_table(data_dir / row["folder"] / f"{name}.parquet", columns=["text", "split"])
        suite = is_test_suite(name)
        splits = table.column("split").to_pylist()
        texts += [t for t, s in zip(table.column("text").to_pylist(), splits, strict=True) if suite or s == "test"]
    return texts


def verdict(labels: NDArray[np.float32], unsafe: NDArray[np.float32]) -> NDArray[np.float32]:
    """The `any` label of each row from its category labels [n, 10] and its `unsafe` value [n], NaN where unknown.

    A source's own safe/unsafe label counts. Else a known positive category makes the row harmful, and a row counts as
    harmless only where `toxicity`, the umbrella, is known and every known category is negative.
    """
    highest = np.where(np.isnan(labels), -1.0, labels).max(axis=1)
    known_toxicity = ~np.isnan(labels[:, CATEGORIES.index("toxicity")])
    derived = np.where(highest >= 0.5, highest, np.where(known_toxicity, np.maximum(highest, 0.0), np.nan))
    return np.where(np.isnan(unsafe), derived, unsafe).astype(np.float32)


def _label_columns(table: pa.Table, file: Path) -> NDArray[np.float32]:
    columns = []
    for head in (*CATEGORIES, "unsafe"):
        if head not in table.column_names:
            columns.append(np.full(table.num_rows, np.nan, dtype=np.float32))
            continue
        try:
            column = table.column(head).cast(pa.float32()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid as error:
            raise SourceError(f"{file.name}: column {head} is not a number in [0,1]") from error
        values = np.asarray(column, dtype=np.float32)
        known = values[~np.isnan(values)]
        if known.size and (known.min() < 0 or known.max() > 1):
            raise SourceError(f"{file.name}: column {head} leaves [0,1]")
        columns.append(values)
    categories = np.stack(columns[:-1], axis=1)
    labels = np.concatenate([categories, verdict(categories, columns[-1])[:, None]], axis=1)
    assert labels.shape[1] == len(HEADS)
    assert HEADS[-1] == ANY
    return labels.astype(np.float32)


def _read_shared(file: Path, row: dict[str, str]) -> Source:
    table = pq.read_table(file)
    pairs = table.column("pair").to_pylist() if "pair" in table.column_names else [None] * table.num_rows
    return Source(
        name=row["dataset"],
        licence=row["licence"],
        human=row["labels"] == "human",
        texts=table.column("text").to_pylist(),
        labels=_label_columns(table, file),
        held_out=np.array([s == "test" for s in table.column("split").to_pylist()], dtype=bool),
        pair=["" if p is None else f"{row['dataset']}:{p}" for p in pairs],
        context=_contexts(table),
        spans=_spans(table),
    )


def _contexts(table: pa.Table) -> list[str]:
    """The context of each text, from the first column that holds it; "" where there is none."""
    for name in CONTEXT_COLUMNS:
        if name in table.column_names:
            return [c if isinstance(c, str) and not c.isspace() else "" for c in table.column(name).to_pylist()]
    return [""] * table.num_rows


def _spans(table: pa.Table) -> list[Spans | None]:
    """The marked characters of each text; a list of [start, end) pairs in column `spans`."""
    if "spans" not in table.column_names:
        return [None] * table.num_rows
    rows = table.column("spans").to_pylist()
    return [None if marked is None else tuple((int(s), int(e)) for s, e in marked) for marked in rows]


def _read_table(file: Path) -> pa.Table:
    name = file.name.removesuffix(".gz").removesuffix(".zst")
    if name.endswith(".parquet"):
        return pq.read_table(file)
    if name.endswith((".jsonl", ".ndjson")):
        return pa.json.read_json(pa.input_stream(str(file)))
    if name.endswith(".csv"):
        return pa.csv.read_csv(pa.input_stream(str(file)))
    raise SourceError(f"{file.name}: a .parquet, .jsonl or .csv file is expected")


def _read_own(own: OwnData) -> Source:
    if not own.path.is_file():
        raise SourceError(f"{own.path} does not exist")
    table = _read_table(own.path)
    ours = {}
    for name in ("text", "pair", "split", "context", "spans", *CATEGORIES, "unsafe"):
        theirs = own.columns.get(name, name)
        if theirs in table.column_names:
            ours[name] = table.column(theirs)
        elif name in own.columns:
            raise SourceError(f"{own.path.name}: no column {theirs!r} (mapped to {name})")
    if "text" not in ours:
        raise SourceError(f"{own.path.name}: no column for the text; map one with columns.text")
    table = pa.table(ours)
    split = table.column("split").to_pylist() if "split" in ours else [""] * table.num_rows
    pair = table.column("pair").to_pylist() if "pair" in ours else [""] * table.num_rows
    return Source(
        name=own.name,
        licence=own.licence,
        human=own.labels == "human",
        texts=[t if isinstance(t, str) else "" for t in table.column("text").to_pylist()],
        labels=_label_columns(table, own.path),
        held_out=np.array([s == "test" for s in split], dtype=bool),
        pair=[f"{own.name}:{p}" if p not in (None, "") else "" for p in pair],
        context=_contexts(table),
        spans=_spans(table),
    )
