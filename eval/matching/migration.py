"""A move from Perspective: a sample read, scored and compared attribute by attribute, as the document of the move.

What is asked comes as people write it, ATTRIBUTE=EDGE and ATTRIBUTE=COLUMN; everything that cannot be is refused with
WrongUse, as early as it shows. What of ours answers for an attribute is what the Perspective endpoint answers with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefilter.eval.machine import usable_cores
from prefilter.eval.matching.edge_matching import WAYS
from prefilter.eval.matching.move_document import BLOCK, REVIEW, Asked, Counterpart, make
from prefilter.eval.matching.move_measures import MoveDocument
from prefilter.eval.matching.moved_policy import check_policy
from prefilter.eval.matching.our_scores import OurScores, read_stored, score_sample
from prefilter.eval.matching.their_sample import Sample, SampleColumns, read_sample
from prefilter.models.known_error import WrongUse
from prefilter.models.registry import resolve
from prefilter.serving.bulk.read.input_files import find_inputs
from prefilter.serving.bulk.run.progress import Progress
from prefilter.serving.compat.perspective.attributes import ATTRIBUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What is asked. `scores`: ours of the same rows, else `model` makes them. `policy`: the file it ends in, if any.

    `edges` and `block_edges`: ATTRIBUTE=EDGE; `their_columns` and `label_columns`: ATTRIBUTE=COLUMN.
    """

    inputs: Sequence[str]
    edges: Sequence[str] = ()
    block_edges: Sequence[str] = ()
    their_columns: Sequence[str] = ()
    label_columns: Sequence[str] = ()
    response_column: str | None = None
    text_column: str = "text"
    id_column: str = "id"
    language_column: str = "language"
    scores: Path | None = None
    model: str | None = None
    way: str = WAYS[0]
    policy: Path | None = None


def migrate(asked: Migration) -> MoveDocument:
    """Return the document; raises WrongUse, and what reading the sample and the scores raises."""
    if asked.way not in WAYS:
        raise WrongUse("--match is volume, recall or precision")
    edges = _edges(asked.edges, REVIEW) + _edges(asked.block_edges, BLOCK)
    if asked.policy is not None:
        check_policy(asked.policy, edges)
    columns = _columns(asked)
    sample = read_sample(find_inputs(asked.inputs), columns)
    if not sample.theirs:
        raise WrongUse("no row has a score of theirs: name the columns with --their-column or --response-column")
    for name in {*(edge.attribute for edge in edges), *sample.labels} - sample.theirs.keys():
        raise WrongUse(f"no row has a score of {name}")
    ours = _ours(sample, asked)
    for name in [name for name in sample.theirs if not set(ATTRIBUTES[name].heads) <= set(ours.heads)]:
        raise WrongUse(f"{ours.model_version or 'the model'} has no score for {name}: leave its column out")
    return make(sample, ours, _counterparts(), edges, way=asked.way)


def _counterparts() -> dict[str, Counterpart]:
    return {
        name: Counterpart(one.heads, one.head if one.trained else None, one.reason, one.score)
        for name, one in ATTRIBUTES.items()
    }


def _edges(given: Sequence[str], act: str) -> list[Asked]:
    asked = []
    for name, value in _pairs(given, "an edge"):
        try:
            at = float(value)
        except ValueError:
            at = -1.0
        if not 0 <= at <= 1:
            raise WrongUse(f"an edge is a number from 0 to 1, as in {name}=0.8")
        asked.append(Asked(name, at, act))
    return asked


def _pairs(given: Sequence[str], what: str) -> list[tuple[str, str]]:
    found = []
    for pair in given:
        name, _, value = pair.partition("=")
        if name not in ATTRIBUTES:
            raise WrongUse(f"{what} names one of {', '.join(ATTRIBUTES)}, as in TOXICITY=…")
        if not value:
            raise WrongUse(f"{what} says what it is for {name}: {name}=…")
        found.append((name, value))
    return found


def _columns(asked: Migration) -> SampleColumns:
    own = dict(_pairs(asked.their_columns, "--their-column"))
    judged = dict(_pairs(asked.label_columns, "--label-column"))
    answer = asked.response_column
    return SampleColumns(
        theirs={name: own.get(name, name) for name in ATTRIBUTES},
        labels=judged,
        answer=answer,
        text=asked.text_column,
        id=asked.id_column,
        language=asked.language_column,
        named=frozenset({*own.values(), *judged.values(), *([answer] if answer else [])}),
    )


def _ours(sample: Sample, asked: Migration) -> OurScores:
    if asked.scores is not None:
        return read_stored(sample, asked.scores)
    folder = resolve(asked.model)
    with Progress(total=len(sample)) as progress:
        return score_sample(sample, folder, threads=usable_cores(), progress=progress.advance)
