"""Our scores of a sample: made by the model here, or read from a scores file of the same rows.

Every score is the transformer's over the whole text; the estimates of the fast stage lie below some policy's edges and
say no more, so a file with such rows is refused. Rows that broke the contract or could not be read are counted, and
have no score.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prefilter.eval.matching.their_sample import Sample
from prefilter.models.labels import HEADS
from prefilter.models.scored import FAST
from prefilter.models.scorer import Scorer
from prefilter.serving.bulk.bulk_errors import WrongRequest
from prefilter.serving.bulk.redecision import uncalibrated_of
from prefilter.serving.bulk.write.scores_file import read_scores

_CHUNK = 256


@dataclass(frozen=True, slots=True)
class OurScores:
    """Scores by head float32 [n], NaN where none.

    `unscored`: rows that could not be read, by reason; `errors`: rows that broke the contract. `uncalibrated`: the
    heads on which no policy blocks alone, as far as is known.
    """

    heads: dict[str, NDArray[np.float32]]
    model_version: str
    unscored: dict[str, int] = field(default_factory=dict)
    errors: int = 0
    uncalibrated: tuple[str, ...] = ()

    @property
    def scored(self) -> NDArray[np.bool_]:
        """True [n] where the row has scores."""
        return np.asarray(np.isfinite(np.stack(list(self.heads.values()))).all(axis=0))


def score_sample(
    sample: Sample, model: Path, *, threads: int, progress: Callable[[int], None] = lambda rows: None
) -> OurScores:
    """Score every text with the model in a folder; `progress` is told how many more rows are done."""
    scorer = Scorer.load(model, threads=threads, max_chars=None)
    matrix = np.full((len(sample), len(HEADS)), np.nan, dtype=np.float32)
    unscored: Counter[str] = Counter()
    errors = 0
    for start in range(0, len(sample), _CHUNK):
        rows = slice(start, min(start + _CHUNK, len(sample)))
        for number, found in enumerate(scorer.score(sample.texts[rows], languages=sample.languages[rows]), start):
            errors += found.error is not None
            if found.unscored is not None:
                unscored[found.unscored] += 1
            matrix[number] = [found.scores.get(head, np.nan) for head in HEADS]
        progress(rows.stop - rows.start)
    return OurScores(_by_head(matrix), scorer.model_version, dict(unscored), errors, tuple(scorer.uncalibrated))


def read_stored(sample: Sample, path: Path) -> OurScores:
    """Read the scores file of the same rows; raises WrongRequest where it is not theirs, or holds estimates."""
    columns = ("id", "error", "because", "stage", "model_version", *(f"score_{head}" for head in HEADS))
    rows = []
    for table in read_scores(path):
        rows += table.select(columns).to_pylist()
    if [row["id"] for row in rows] != sample.ids:
        raise WrongRequest(f"{path}: holds other rows than the sample: score the same files, in order", field="scores")
    if estimates := sum(row["stage"] == FAST for row in rows):
        raise WrongRequest(
            f"{path}: {estimates} rows have the fast stage's estimates; use prefilter score --exact", field="scores"
        )
    versions = sorted({row["model_version"] for row in rows if row["model_version"]})
    if len(versions) > 1:
        raise WrongRequest(f"{path}: holds scores of several models: {', '.join(versions)}", field="scores")
    matrix = np.array([[row[f"score_{head}"] for head in HEADS] for row in rows], dtype=np.float32)
    errors = [row["error"] is not None for row in rows]
    without = np.isnan(matrix).all(axis=1) & ~np.array(errors, dtype=bool)
    reasons = Counter(str(json.loads(rows[n]["because"])[0].get("reason")) for n in np.flatnonzero(without))
    soft = uncalibrated_of(path) or ()
    return OurScores(_by_head(matrix), versions[0] if versions else "", dict(reasons), sum(errors), tuple(soft))


def _by_head(matrix: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Scores by head; a head that the model lacks has no score where others have one, and is left out."""
    columns = {head: matrix[:, number] for number, head in enumerate(HEADS)}
    return {head: own for head, own in columns.items() if np.isfinite(own).any() or not np.isfinite(matrix).any()}
