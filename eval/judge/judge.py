"""The judge: suites and a subject in, one document out. It prints nothing and never repeats a text."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from prefilter.eval.card.card_sections import int8_cost
from prefilter.eval.judge.assessment import Assessment, assess, by_length, false_alarms, without_context
from prefilter.eval.judge.curves import pooled_reliability, verdict_curves
from prefilter.eval.judge.span_agreement import judge_spans
from prefilter.eval.judge.subcategories import MAX_ROWS, Evidence, benign_scores, measure_subcategories
from prefilter.eval.judge.subject import Progress, Subject
from prefilter.eval.machine import describe_machine
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


def judge_suites(
    entries: Sequence[Entry], suites: Sequence[Suite], subject: Subject, *, command: str = ""
) -> tuple[dict[str, Any], list[Assessment]]:
    """Score and judge every suite; returns the document and the assessments, in the order of `entries`."""
    policies = [load_preset(name) for name in PRESETS]
    document: dict[str, Any] = {
        "model_version": subject.model_version,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "machine": describe_machine(),
        "model": subject.about(),
        "policies": {policy.name: {"version": policy.version, **policy.to_body()} for policy in policies},
        "suites": {},
    }
    if cost := int8_cost(document["model"].get("metrics", {})):
        document["int8"] = cost
    assessments: list[Assessment] = []
    with _progress(sum(suite.n for suite in suites)) as bar:
        for suite, entry in zip(suites, entries, strict=True):
            bar.set_postfix_str(suite.name, refresh=False)
            assessment, own = _judge_one(suite, entry, subject, policies, bar.update)
            about = {"role": entry.role.value, "split": entry.split, "about": entry.about}
            document["suites"][suite.name] = {**about, **own}
            assessments.append(assessment)
    roles = [entry.role for entry in entries]
    document["false_alarms"] = false_alarms(assessments, roles)
    document["by_length"] = by_length(assessments, roles)
    document["reliability"] = pooled_reliability(assessments)
    return document, assessments


def judge_subcategories(
    subject: Subject,
    entries: Sequence[Entry],
    assessments: Sequence[Assessment],
    *,
    limit: int | None,
    data_dir: Path | None,
) -> list[dict[str, Any]]:
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
) -> tuple[Assessment, dict[str, Any]]:
    """Judge one suite, as pairs where it has what its texts answer and the subject reads it."""
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
    document = assessment.document
    if entry.role is Role.LANGUAGE:
        document.pop("hatecheck", None)  # it must not be read at all, so nothing is right or wrong
    if curves := verdict_curves(assessment):
        document["curves"] = curves
    if suite.context is not None:
        document["context"] = paired
    if paired:
        alone = subject.score(suite, with_context=False, progress=lambda rows: None)
        document["without_context"] = without_context(suite, alone, assessment.outcomes)
    heads = [head for head in entry.span_heads if head in subject.span_heads]
    if suite.spans is not None and heads:
        document["spans"] = judge_spans(suite, subject.mark(suite, heads))
        document["span_heads"] = heads
    return assessment, document


@contextmanager
def _progress(rows: int) -> Any:
    """A bar with rate and ETA on a terminal, nothing elsewhere."""
    with tqdm(total=rows, unit="row", disable=None, file=sys.stderr, smoothing=0.05) as bar:
        yield bar
