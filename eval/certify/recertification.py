"""Certifying anew: a certificate for a policy of one's own, on texts of one's own, for a model that is here.

A certificate holds for exactly the edges it was issued for; a policy with other edges clears nothing until the same
walk (see `certificates`) has been made for them. The texts need no labels: the model says which it would not allow.
They must be texts the policy will meet and that trained nothing. Writes the manifest, touches no other file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prefilter.eval.certify.certificates import Cannot, issue, judge
from prefilter.models.fast.fast_stage import Certificate, FastStageError
from prefilter.models.labels import HEADS
from prefilter.models.scorer import Scorer


def certify(
    folder: Path,
    texts: Sequence[str],
    edges: Mapping[str, float],
    *,
    name: str,
    threads: int,
    verdict: str | None = None,
) -> dict[str, Any] | Cannot:
    """Issue a certificate for `edges` and write it into the artefact's manifest, in place of those for the same edges.

    Where the texts refute every cut, those are withdrawn; where there are too few texts, nothing changes.

    `verdict`: which verdict of the fast stage is cut; default: `verdict:NAME` where there is one, else the first.
    Raises `FastStageError` for a model without a fast stage or without such a verdict.
    """
    scorer = Scorer.load(folder, threads=threads, max_chars=None)
    manifest, clearance = scorer.manifest, scorer.clearance
    if clearance is None:
        raise FastStageError(f"model {manifest.name} has no fast stage")
    verdicts = [output for output in clearance.stage.outputs if ":" in output]
    chosen = verdict or (f"verdict:{name}" if f"verdict:{name}" in verdicts else verdicts[0])
    if chosen not in verdicts:
        raise FastStageError(f"the fast stage gives {', '.join(verdicts)}, not {chosen}")
    distinct = list(dict.fromkeys(texts))
    scored = scorer.score(distinct)
    whole = [row for row, answer in enumerate(scored) if answer.scores]
    scores = np.array([[scored[row].scores[head] for head in HEADS] for row in whole], dtype=np.float32)
    read = [distinct[row] for row in whole]
    judged = judge(clearance.stage, read, scores.reshape(-1, len(HEADS)), ["own"] * len(read))
    found = issue(name, judged, clearance.stage, edges, verdict=chosen)
    if isinstance(found, Cannot) and found.needed:
        return found
    kept = [
        body
        for body in manifest.certificates
        if body["name"] != name and not Certificate.from_json(body).covers(edges)
    ]
    issued = kept if isinstance(found, Cannot) else [*kept, found]
    dataclasses.replace(manifest, fast={**manifest.fast, "certificates": issued}).write(folder)
    return found
