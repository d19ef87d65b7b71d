"""`prefilter evaluate`: suites in, one document out; with a report, the model card, its data and its plots.

Standard output carries the answer only: a table for people, or with `json_out` one JSON document on its
last line. Progress and complaints go to standard error. No text of a suite is ever written anywhere.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from prefilter.eval.card.report_files import ReportError, read_report, write_report
from prefilter.eval.card.terminal_table import terminal_table
from prefilter.eval.document import SubcategoriesOf, plain
from prefilter.eval.judge.suite_judge import judge_subcategories, judge_suites, load_suites
from prefilter.eval.machine import usable_cores
from prefilter.eval.rivals.kept_summaries import BesideError, kept_summaries, read_summary
from prefilter.eval.scoring.subject import Model
from prefilter.eval.suites.suite import SuiteError
from prefilter.eval.suites.suite_plan import Entry, Role, planned_suites, role_of
from prefilter.models.known_error import KnownError
from prefilter.models.manifest import NAME, ManifestError
from prefilter.models.registry import RegistryError
from prefilter.models.scorer import ScorerError

OK, FAILED = 0, 2


class EvaluateError(KnownError, ValueError):
    """The command was asked for something that cannot be done; the message says what."""


def evaluate(
    targets: Sequence[str],
    *,
    split: str | None = None,
    json_out: bool = False,
    model: str | Path | None = None,
    report: str | Path | None = None,
    all_suites: bool = False,
    limit: int | None = None,
    workers: int | None = None,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    no_cache: bool = False,
    beside: Sequence[Path] = (),
) -> int:
    """Judge a model on suites and print the result; returns the exit code: 0, or 2 after a complaint.

    `targets` are names of suites in the data folder (`data_dir`, else `PREFILTER_DATA_DIR`) or Parquet
    files; `all_suites` adds every suite of the plan. `limit` draws that many rows of each suite with a
    fixed seed. `report` names the files to write without their ending: REPORT.md, REPORT.json and
    REPORT.html. Scores are kept under `cache_dir` (default: `PREFILTER_HOME`, else `var`) unless
    `no_cache`. `beside` are documents (or summaries) of what the model is compared with; without any, all
    suites are compared with the summaries that are kept.
    """
    try:
        if report is not None:
            _need_plots()
        entries = _entries(targets, split=split, all_suites=all_suites, limit=limit)
        folder = (
            None
            if no_cache
            else (cache_dir or Path(os.environ.get("PREFILTER_HOME") or "var") / "eval-cache")
        )
        command = _command(
            targets, model=model, split=split, all_suites=all_suites, limit=limit, report=report
        )
        others = [read_summary(path) for path in beside] or (kept_summaries() if all_suites else [])
        suites = load_suites(entries, data_dir=data_dir)
        subject = Model(model, threads=workers or usable_cores(), cache_dir=folder)
        document, judged = judge_suites(entries, suites, subject, command=command)
        if all_suites:
            finer = judge_subcategories(subject, entries, judged, limit=limit, data_dir=data_dir)
            document = replace(document, subcategories=finer)
        document = replace(document, beside=tuple(others))
        if report is not None:
            _say(write_report(Path(report), document))
    except (EvaluateError, BesideError, SuiteError, RegistryError, ManifestError, ScorerError) as error:
        sys.stderr.write(f"prefilter evaluate: {error}\n")
        return FAILED
    except OSError as error:
        sys.stderr.write(
            f"prefilter evaluate: {error.filename or 'a file'}: {error.strerror or 'cannot be used'}\n"
        )
        return FAILED
    if json_out:
        sys.stdout.write(json.dumps(plain(document), allow_nan=False, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(terminal_table(document))
    sys.stdout.flush()
    return OK


def render(data: Path, *, beside: Sequence[Path] = ()) -> int:
    """Write a report's card and page again from its JSON file, as the words beside the numbers now are."""
    try:
        _need_plots()
        document = read_report(data)
        if beside:
            document = replace(document, beside=tuple(read_summary(path) for path in beside))
        _say(write_report(data, document))
    except (EvaluateError, BesideError, ReportError) as error:
        sys.stderr.write(f"prefilter evaluate: {error}\n")
        return FAILED
    return OK


def measure_again(
    data: Path,
    *,
    model: str | Path | None = None,
    workers: int | None = None,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
) -> int:
    """Measure the sub-categories of a report again, and nothing else; the report says when and by which model."""
    try:
        _need_plots()
        document = read_report(data)
        entries = [entry for entry in planned_suites() if entry.role is Role.BENIGN]
        subject = Model(model, threads=workers or usable_cores(), cache_dir=cache_dir)
        command = f"prefilter evaluate --subcategories {data.name}"
        suites = load_suites(entries, data_dir=data_dir)
        own, judged = judge_suites(entries, suites, subject, command=command)
        document = replace(
            document,
            subcategories=judge_subcategories(subject, entries, judged, limit=None, data_dir=data_dir),
            subcategories_of=SubcategoriesOf(
                model_version=own.model_version,
                created_at=own.created_at,
                command=own.command,
                machine=own.machine,
            ),
        )
        _say(write_report(data, document))
    except (EvaluateError, ReportError, SuiteError, RegistryError, ManifestError, ScorerError) as error:
        sys.stderr.write(f"prefilter evaluate: {error}\n")
        return FAILED
    return OK


def _need_plots() -> None:
    if find_spec("matplotlib") is None:
        raise EvaluateError("a report has plots: install the extra `eval` (matplotlib)")


def _say(paths: Sequence[Path]) -> None:
    for path in paths:
        sys.stderr.write(f"wrote {path}\n")


def _entries(
    targets: Sequence[str], *, split: str | None, all_suites: bool, limit: int | None
) -> list[Entry]:
    if limit is not None and limit < 1:
        raise EvaluateError("limit must be at least 1")
    entries = [Entry(target, role_of(Path(target).stem), split) for target in targets]
    if all_suites:
        if split is not None:
            raise EvaluateError("the plan of all suites has its own splits: leave out --split")
        entries += [entry for entry in planned_suites() if entry.target not in targets]
    if not entries:
        raise EvaluateError("name at least one suite or Parquet file, or ask for all suites")
    return [replace(e, max_rows=min(filter(None, (e.max_rows, limit)), default=None)) for e in entries]


def _command(
    targets: Sequence[str],
    *,
    model: str | Path | None,
    split: str | None,
    all_suites: bool,
    limit: int | None,
    report: str | Path | None,
) -> str:
    """The command as someone else would type it: files by their name only, no folder of this machine."""
    words = ["prefilter", "evaluate", *(Path(target).name for target in targets)]
    words += ["--all"] if all_suites else []
    # An artefact given by folder is known by the model version in the document.
    words += ["--model", str(model)] if isinstance(model, str) and NAME.fullmatch(model) else []
    words += ["--split", split] if split is not None else []
    words += ["--limit", str(limit)] if limit is not None else []
    if report is not None:
        path = Path(report)
        words += ["--report", path.name if path.is_absolute() else path.as_posix()]
    return " ".join(words)
