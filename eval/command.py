"""`prefilter evaluate`: suites in, one document out; with a report, three files that need nothing else.

Standard output carries the answer only: a table for people, or with `json_out` one JSON document on its
last line. Progress and complaints go to standard error. No text of a suite is ever written anywhere.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from prefilter.eval.assessment import Assessment, assess, false_alarms
from prefilter.eval.machine import describe_machine, usable_cores
from prefilter.eval.plan import Entry, Role, planned_suites, role_of
from prefilter.eval.results import terminal_table
from prefilter.eval.scoring import open_cache, score_suite
from prefilter.eval.suites import Suite, SuiteError, load_suite
from prefilter.models.manifest import NAME, ManifestError
from prefilter.models.registry import RegistryError, resolve
from prefilter.models.scorer import Scorer, ScorerError
from prefilter.serving.policies import PRESETS, Policy, load_preset

OK, FAILED = 0, 2


class EvaluateError(ValueError):
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
) -> int:
    """Judge a model on suites and print the result; returns the exit code: 0, or 2 after a complaint.

    `targets` are names of suites in the data folder (`data_dir`, else `PREFILTER_DATA_DIR`) or Parquet
    files; `all_suites` adds every suite of the plan. `limit` draws that many rows of each suite with a
    fixed seed. `report` names the files to write without their ending: REPORT.md, REPORT.json and
    REPORT.html. Scores are kept under `cache_dir` (default: `PREFILTER_HOME`, else `var`) unless
    `no_cache`.
    """
    try:
        if report is not None and find_spec("matplotlib") is None:
            raise EvaluateError("a report has plots: install the extra `eval` (matplotlib)")
        entries = _entries(targets, split=split, all_suites=all_suites, limit=limit)
        folder = (
            None
            if no_cache
            else (cache_dir or Path(os.environ.get("PREFILTER_HOME") or "var") / "eval-cache")
        )
        command = _command(
            targets, model=model, split=split, all_suites=all_suites, limit=limit, report=report
        )
        document, assessments = judge(
            entries, model=model, workers=workers, data_dir=data_dir, cache_dir=folder, command=command
        )
        if report is not None:
            from prefilter.eval.report import write_report

            for path in write_report(Path(report), document, assessments):
                sys.stderr.write(f"wrote {path}\n")
    except (EvaluateError, SuiteError, RegistryError, ManifestError, ScorerError) as error:
        sys.stderr.write(f"prefilter evaluate: {error}\n")
        return FAILED
    except OSError as error:
        sys.stderr.write(
            f"prefilter evaluate: {error.filename or 'a file'}: {error.strerror or 'cannot be used'}\n"
        )
        return FAILED
    if json_out:
        sys.stdout.write(json.dumps(document, allow_nan=False, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(terminal_table(document))
    sys.stdout.flush()
    return OK


def judge(
    entries: Sequence[Entry],
    *,
    model: str | Path | None = None,
    workers: int | None = None,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    command: str = "",
) -> tuple[dict[str, Any], list[Assessment]]:
    """Score and judge every suite of `entries`; returns the document and what plots need, in that order."""
    threads = workers or usable_cores()
    suites = [load_suite(e.target, split=e.split, limit=e.max_rows, data_dir=data_dir) for e in entries]
    suites = _named_apart(suites, entries)
    folder = resolve(model)
    scorer = Scorer.load(folder, threads=threads, max_chars=None)
    try:
        cache = open_cache(cache_dir, folder)
    except OSError as error:
        sys.stderr.write(f"scores are not kept: {cache_dir}: {error.strerror}\n")
        cache = open_cache(None, folder)
    policies = [load_preset(name) for name in PRESETS]
    document: dict[str, Any] = {
        "model_version": scorer.model_version,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "machine": describe_machine(),
        "model": {
            "name": scorer.manifest.name,
            "categories": list(scorer.categories),
            "uncalibrated": list(scorer.uncalibrated),
            "calibration_mix": dict(scorer.manifest.calibration_mix),
            "languages": list(scorer.manifest.languages),
        },
        "policies": {policy.name: _policy_body(policy) for policy in policies},
        "suites": {},
    }
    assessments: list[Assessment] = []
    with _progress(sum(suite.n for suite in suites)) as bar:
        for suite, entry in zip(suites, entries, strict=True):
            bar.set_postfix_str(suite.name, refresh=False)
            scoring = score_suite(suite, scorer, cache=cache, workers=threads, progress=bar.update)
            assessment = assess(
                suite,
                scoring,
                categories=scorer.categories,
                uncalibrated=scorer.uncalibrated,
                policies=policies,
                bias=entry.role is Role.BIAS,
            )
            about = {"role": entry.role.value, "split": entry.split, "about": entry.about}
            document["suites"][suite.name] = {**about, **assessment.document}
            assessments.append(assessment)
    roles = [entry.role for entry in entries]
    document["false_alarms"] = false_alarms(assessments, roles)
    return document, assessments


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


def _named_apart(suites: Sequence[Suite], entries: Sequence[Entry]) -> list[Suite]:
    """Give suites of one name their path as name, so that none hides another in the document."""
    names = [suite.name for suite in suites]
    apart = [
        replace(suite, name=entry.target) if names.count(suite.name) > 1 else suite
        for suite, entry in zip(suites, entries, strict=True)
    ]
    twice = next((s.name for i, s in enumerate(apart) if s.name in [o.name for o in apart[:i]]), None)
    if twice is not None:
        raise EvaluateError(f"{twice} is named twice")
    return apart


def _policy_body(policy: Policy) -> dict[str, Any]:
    return {"version": policy.version, **policy.to_body()}


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


@contextmanager
def _progress(rows: int) -> Any:
    """A bar with rate and ETA on a terminal, nothing elsewhere."""
    with tqdm(total=rows, unit="row", disable=None, file=sys.stderr, smoothing=0.05) as bar:
        yield bar
