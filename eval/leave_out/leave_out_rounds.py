"""Rounds of the leave-out measure: a group of sources goes away, a recipe is trained on the rest, the group is judged.

`prefilter leave-out RECIPE` runs a round per group and keeps each round's scores in the run's folder, so that an
interrupted measure goes on. The TF-IDF baseline, fitted on the same rows, is measured too. The network is
judged in fp32, before quantisation and calibration, since neither changes what ranks above what by more than noise;
its text is cut into at most `MOST_WINDOWS` windows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.corpus.merging import load_examples
from prefilter.classifier.corpus.sources import data_dir_from_env
from prefilter.classifier.corpus.tokenised import of_examples
from prefilter.classifier.encoder import encoder_tokenizer
from prefilter.classifier.recipe import Recipe
from prefilter.classifier.release.calibration import per_text
from prefilter.classifier.run_folder import write_json
from prefilter.classifier.training.inference import load_network, window_logits
from prefilter.classifier.training.trainer import Trainer
from prefilter.eval.document import LeftOutMeasures, plain
from prefilter.eval.leave_out.left_out_measure import (
    LEAST_OF_A_KIND,
    MOST_ROWS,
    GroupsError,
    Judged,
    Scores,
    load_groups,
    measure_left_out,
    summary,
)
from prefilter.eval.machine import describe_machine
from prefilter.eval.rivals.baseline import NAME as BASELINE
from prefilter.eval.rivals.baseline import Baseline
from prefilter.eval.suites.suite import Suite

MOST_WINDOWS = 8
ROUND_TOKENS = 2_000_000
"""Word pieces of one round: a recipe is compared at a fraction of its full schedule."""
Scorer = Callable[[Examples], Scores]


def leave_out(
    recipe: Recipe, examples: Examples, run_dir: Path, *, groups: Mapping[str, Sequence[str]], tokens: int
) -> LeftOutMeasures:
    """Run every round (or read what is there) and return the document of the recipe and its rivals."""
    _check_groups(examples, groups)
    judged: dict[str, list[Judged]] = {}
    digest = replace(recipe, total_tokens=tokens).digest()
    for name, sources in groups.items():
        away = np.isin(examples.source, [i for i, s in enumerate(examples.source_names) if s in sources])
        if not away.any():
            continue
        for who, scored in _round(recipe, examples, away, run_dir / f"without-{name}-{digest}", tokens).items():
            judged.setdefault(who, []).extend(scored)
    documents = {who: measure_left_out(parts) for who, parts in judged.items()}
    return replace(
        documents[recipe.name],
        recipes=tuple(summary(who, document) for who, document in documents.items()),
        recipe=f"{recipe.name}@{recipe.version}",
        groups={name: tuple(sources) for name, sources in groups.items()},
        tokens=tokens,
        rows_per_source=MOST_ROWS,
        least_of_a_kind=LEAST_OF_A_KIND,
        date=datetime.now(UTC).date().isoformat(),
        machine=describe_machine(),
    )


def _check_groups(examples: Examples, groups: Mapping[str, Sequence[str]]) -> None:
    grouped = {source for sources in groups.values() for source in sources}
    present = {examples.source_names[i] for i in np.unique(examples.source)}
    for source in sorted(present - grouped):
        raise GroupsError(f"{source} is trained on and stands in no group")


def _round(
    recipe: Recipe, examples: Examples, away: NDArray[np.bool_], folder: Path, tokens: int
) -> dict[str, list[Judged]]:
    rows = _judged_rows(examples, away)
    left_out = examples.take(rows)
    rest = examples.take(np.flatnonzero(~away))
    kept = folder / "scores.npz"
    if kept.is_file():
        with np.load(kept) as file:
            scores = {name: file[name] for name in file.files}
    else:
        short = replace(recipe, total_tokens=tokens, warmup_tokens=min(recipe.warmup_tokens, tokens // 6))
        Trainer(short, rest, folder).run()
        scores = {recipe.name: _network_scores(short, folder, left_out), **_rivals(rest, left_out)}
        np.savez_compressed(kept, **scores)
    return {who: _by_source(left_out, values) for who, values in scores.items()}


def _judged_rows(examples: Examples, away: NDArray[np.bool_], *, seed: int = 0) -> NDArray[np.int64]:
    """At most `MOST_ROWS` rows of each source left out that a person judged."""
    rng = np.random.default_rng(seed)
    chosen = []
    for source in np.unique(examples.source[away]):
        rows = np.flatnonzero((examples.source == source) & examples.human.any(axis=1))
        chosen.append(np.sort(rng.permutation(rows)[:MOST_ROWS]))
    return np.concatenate(chosen)


def _network_scores(recipe: Recipe, folder: Path, left_out: Examples) -> Scores:
    """Highest logit of each text and head; ranks only, so no calibration is needed."""
    tokenised = of_examples(left_out, encoder_tokenizer(recipe), recipe, most_windows=MOST_WINDOWS)
    logits = window_logits(load_network(recipe, folder), tokenised, recipe, exact=False)
    return per_text(logits, tokenised.text, len(left_out))[0].astype(np.float32)


def _rivals(rest: Examples, left_out: Examples) -> dict[str, Scores]:
    train = rest.of("train")
    baseline = Baseline.fit(replace(train, weights=train.weights * train.share[:, None]))
    suite = Suite("left out", list(left_out.texts), {}, {}, len(left_out))
    return {BASELINE: baseline.score(suite, with_context=False, progress=lambda rows: None).declared.scores}


def _by_source(left_out: Examples, scores: Scores) -> list[Judged]:
    labels = np.where(left_out.human, left_out.labels, np.nan).astype(np.float32)
    parts = []
    for source in np.unique(left_out.source):
        rows = left_out.source == source
        parts.append(Judged(left_out.source_names[source], np.nan_to_num(scores[rows], nan=0.0), labels[rows]))
    return parts


def main(
    recipe_path: Path,
    *,
    output: Path,
    run_dir: Path | None = None,
    data_dir: Path | None = None,
    tokens: int = ROUND_TOKENS,
    groups_file: Path | None = None,
) -> Path:
    """Measure a recipe and write the document to `output`."""
    recipe = Recipe.load(recipe_path)
    examples, _ = load_examples(recipe, data_dir or data_dir_from_env())
    groups = load_groups(groups_file) if groups_file else load_groups()
    folder = run_dir or Path("runs") / f"{recipe.name}-leave-out"
    document = leave_out(recipe, examples, folder, groups=groups, tokens=tokens)
    command = f"prefilter leave-out {recipe_path.as_posix()} -o {output.name}"
    write_json(output, plain(replace(document, command=command)))
    sys.stderr.write(f"wrote {output}\n")
    return output
