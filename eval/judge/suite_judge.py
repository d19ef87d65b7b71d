"""The judge of suites: suites and a subject in, one results document out. It prints nothing, never repeats a text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from prefilter.eval.document import (
    Machine,
    PolicyDescription,
    ResultsDocument,
    SubcategoryMeasures,
    SuiteResult,
    int8_cost,
    read,
    widened,
)
from prefilter.eval.judge.assessment import Assessment, assess, by_length, false_alarms, without_context
from prefilter.eval.judge.curves import pooled_reliability, verdict_curves
from prefilter.eval.judge.span_agreement import judge_spans
from prefilter.eval.judge.subcategories import MAX_ROWS, Evidence, benign_scores, measure_subcategories
from prefilter.eval.machine import describe_machine, usable_cores
from prefilter.eval.scoring.subject import Model, Progress, Subject
from prefilter.eval.suites.suite import Suite, SuiteError, load_suite
from prefilter.eval.suites.suite_plan import Entry, Role
from prefilter.models.labels import HEADS
from prefilter.serving.policy.policy import Policy
from prefilter.serving.policy.presets import PRESETS, load_preset


def load_suites(entries: Sequence[Entry], *, data_dir: Path | None) -> list[Suite]:
    """Read the suites of `entries`; those of one name get their path as name, so that none hides another."""
    suites = [load_suite(e.target, split=e.split, limit=e.max_rows, data_dir=data_dir) for e in entries]
    names = [suite.name for suite in suites]
    apart = [
        replace(suite, name=entry.target) if names.count(suite.name) > 1 else suite
        for suite, entry in zip(suites, entries, strict=True)
    ]
    twice = next((s.name for i, s in enumerate(apart) if s.name in [o.name for o in apart[:i]]), None)
    if twice is not None:
        raise SuiteError(f"{twice} is named twice")
    return apart


def judge(
    entries: Sequence[Entry],
    *,
    model: str | Path | None = None,
    workers: int | None = None,
    data_dir: Path | None = None,
    cache_dir: Path | None = None,
    command: str = "",
) -> tuple[ResultsDocument, list[Assessment]]:
    """Score and judge every suite of `entries` with a model; returns the document and the assessments in order."""
    suites = load_suites(entries, data_dir=data_dir)
    subject = Model(model, threads=workers or usable_cores(), cache_dir=cache_dir)
    return judge_suites(entries, suites, subject, command=command)


def judge_suites(
    entries: Sequence[Entry], suites: Sequence[Suite], subject: Subject, *, command: str = ""
) -> tuple[ResultsDocument, list[Assessment]]:
    """Score and judge every suite; returns the document and the assessments, in the order of `entries`."""
    policies = [load_preset(name) for name in PRESETS]
    model = subject.about()
    results: dict[str, SuiteResult] = {}
    assessments: list[Assessment] = []
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with _progress(sum(suite.n for suite in suites)) as (progress, show):
        for suite, entry in zip(suites, entries, strict=True):
            show(suite.name)
            assessment, results[suite.name] = _judge_one(suite, entry, subject, policies, progress)
            assessments.append(assessment)
    roles = [entry.role for entry in entries]
    document = ResultsDocument(
        model_version=subject.model_version,
        created_at=started,
        command=command,
        machine=read(Machine, describe_machine(), at="machine"),
        model=model,
        policies={policy.name: _described(policy) for policy in policies},
        suites=results,
        int8=int8_cost(model.making),
        false_alarms=false_alarms(assessments, roles),
        by_length=by_length(assessments, roles),
        reliability=pooled_reliability(assessments),
    )
    return document, assessments


def judge_subcategories(
    subject: Subject,
    entries: Sequence[Entry],
    assessments: Sequence[Assessment],
    *,
    limit: int | None,
    data_dir: Path | None,
) -> tuple[SubcategoryMeasures, ...]:
    """Measure what has no head of its own, on suites beside those of the plan."""

    def load(evidence: Evidence) -> Suite:
        return load_suite(evidence.name, split=evidence.split, data_dir=data_dir)

    def score(suite: Suite) -> Mapping[str, NDArray[np.float32]]:
        part = subject.score(suite, with_context=False, progress=lambda rows: None).declared
        return {head: part.of(head) for head in HEADS}

    benign = benign_scores(assessments, [entry.role for entry in entries], HEADS)
    return measure_subcategories(load, score, benign=benign, rows=min(MAX_ROWS, limit or MAX_ROWS))


def _judge_one(
    suite: Suite, entry: Entry, subject: Subject, policies: Sequence[Policy], progress: Progress
) -> tuple[Assessment, SuiteResult]:
    """Judge one suite, as pairs where it has contexts and the subject reads them."""
    paired = suite.context is not None and subject.reads_context
    scoring = subject.score(suite, with_context=paired, progress=progress)
    assessment = assess(
        suite,
        scoring,
        categories=subject.categories,
        uncalibrated=subject.uncalibrated,
        policies=policies,
        bias=entry.role is Role.BIAS,
    )
    result = widened(
        SuiteResult,
        assessment.result,
        role=entry.role.value,
        split=entry.split,
        about=entry.about,
        curves=verdict_curves(assessment),
        context=None if suite.context is None else paired,
    )
    if entry.role is Role.LANGUAGE:
        result = replace(result, hatecheck=None)  # it must not be read at all, so nothing is right or wrong
    if paired:
        alone = subject.score(suite, with_context=False, progress=lambda rows: None)
        result = replace(result, without_context=without_context(suite, alone, assessment.outcomes))
    heads = tuple(head for head in entry.span_heads if head in subject.span_heads)
    if suite.spans is not None and heads:
        result = replace(result, spans=judge_spans(suite, subject.mark(suite, heads)), span_heads=heads)
    return assessment, result


def _described(policy: Policy) -> PolicyDescription:
    return read(PolicyDescription, {"version": policy.version, **policy.to_body()}, at=f"policy {policy.name}")


@contextmanager
def _progress(rows: int) -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """A bar with rate and ETA on a terminal, nothing elsewhere: how it moves, and how a name is shown beside it."""
    with tqdm(total=rows, unit="row", disable=None, file=sys.stderr, smoothing=0.05) as bar:
        yield bar.update, lambda name: bar.set_postfix_str(name, refresh=False)
