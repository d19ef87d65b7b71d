"""The screener: rows in, their output rows out; what every process does that holds a model.

The same for this process, for a worker and for an actor on a cluster, so that the three give the same
values. It is the one place where the bulk room loads a Scorer. Knows no file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from prefilter.serving.bulk.bulk_errors import WorkersLost
from prefilter.serving.bulk.read.input_rows import Row
from prefilter.serving.bulk.run_terms import Terms
from prefilter.serving.bulk.write.scores_table import output_table

if TYPE_CHECKING:
    import pyarrow as pa

    from prefilter.models.repeats.repeats import Repeats
    from prefilter.models.scored import Scored

REPEATS_BYTES = 64 * 2**20
"""The file of answers given before, beside a run's parts: some 300,000 of them."""


class ScorerLike(Protocol):
    """What is needed of a Scorer."""

    def certificate_for(self, edges: Mapping[str, float]) -> str | None:
        """Name the certificate for these edges."""
        ...

    def score(
        self,
        texts: Sequence[object],
        *,
        languages: Sequence[str | None] | None = None,
        contexts: Sequence[object] | None = None,
        certificates: Sequence[str | None] | None = None,
    ) -> list[Scored]:
        """Score texts in order."""
        ...


class Screener:
    """Scores rows and decides them under the terms of one run."""

    def __init__(self, scorer: ScorerLike, terms: Terms) -> None:
        """Ask once per distinct edges whether the fast stage may clear."""
        self._scorer = scorer
        self._terms = terms
        self._certificates: dict[str | None, str | None] = dict.fromkeys((None, *terms.policy.sources))
        if terms.exact:
            return
        asked: dict[tuple[tuple[str, float], ...], str | None] = {}
        for source in self._certificates:
            edges = terms.policy.edges_for(source)
            key = tuple(sorted(edges.items()))
            if key not in asked:
                asked[key] = scorer.certificate_for(edges)
            self._certificates[source] = asked[key]

    def screen(self, rows: Sequence[Row]) -> pa.Table:
        """Return one output row per row, in order; a row with an error goes past the scorer."""
        scored = iter(self._score([row for row in rows if row.error is None]))
        return output_table(rows, [None if row.error else next(scored) for row in rows], self._terms)

    def _score(self, rows: Sequence[Row]) -> list[Scored]:
        """Score rows; one that fails is `internal_fault` (REVIEW), the others keep their scores."""
        if not rows:
            return []
        try:
            return self._scorer.score(
                [row.text for row in rows],
                languages=[row.language for row in rows],
                contexts=[row.context for row in rows],
                certificates=[self._certificate(row) for row in rows],
            )
        except Exception:
            if len(rows) == 1:
                return [faulted()]
            return [scored for row in rows for scored in self._score([row])]

    def _certificate(self, row: Row) -> str | None:
        known = self._certificates
        return known[row.source if row.source in known else None]


def load_screener(terms: Terms) -> Screener:
    """Load the model with one one-thread session; raises WorkersLost where it is not the one meant."""
    from prefilter.models.manifest import MANIFEST
    from prefilter.models.scorer import Scorer

    found = hashlib.sha256((terms.model / MANIFEST).read_bytes()).hexdigest()
    if found != terms.manifest_sha256:
        raise WorkersLost(f"{Path(terms.model)}: another model than the run was started with")
    scorer = Scorer.load(terms.model, threads=1, max_chars=None, repeats=_repeats(terms))
    return Screener(scorer, terms)


def _repeats(terms: Terms) -> Repeats | None:
    """The answers that this run has given before; a run goes on without them where they cannot be kept."""
    from prefilter.models.manifest import Manifest
    from prefilter.models.repeats.repeats import Repeats, RepeatsError

    if terms.repeats is None:
        return None
    path, secret = terms.repeats
    try:
        return Repeats.open(
            Path(path),
            secret=bytes.fromhex(secret),
            max_bytes=REPEATS_BYTES,
            manifest=Manifest.load(terms.model),
        )
    except (RepeatsError, OSError):
        return None


def faulted() -> Scored:
    """Return what stands for a valid text that could not be scored."""
    from prefilter.models.scored import Scored

    return Scored(scores={}, unscored="internal_fault")
