"""`prefilter migrate`: thresholds moved over from Perspective, on a sample of one's own with its stored scores."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prefilter.cli.complaints import refuse
from prefilter.cli.plain_table import show_table

if TYPE_CHECKING:
    from prefilter.eval.matching.move_document import Asked, Counterpart
    from prefilter.eval.matching.our_scores import OurScores
    from prefilter.eval.matching.their_sample import Sample, SampleColumns

WAYS = ("volume", "recall", "precision")
Pairs = list[str] | None


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(migrate)


def migrate(
    inputs: Annotated[
        list[str], typer.Argument(metavar="SAMPLE...", help="Texts with their scores: JSONL, CSV or Parquet files.")
    ],
    edge: Annotated[
        Pairs, typer.Option("--edge", metavar="ATTRIBUTE=EDGE", help="From here you sent to people; repeatable.")
    ] = None,
    block_edge: Annotated[
        Pairs, typer.Option("--block-edge", metavar="ATTRIBUTE=EDGE", help="From here you refused; repeatable.")
    ] = None,
    their_column: Annotated[
        Pairs,
        typer.Option("--their-column", metavar="ATTRIBUTE=COLUMN", help="Where their scores stand; default: its name."),
    ] = None,
    response_column: Annotated[
        str | None, typer.Option(help="The column of their stored answers; default: attributeScores, if there is one.")
    ] = None,
    label_column: Annotated[
        Pairs, typer.Option("--label-column", metavar="ATTRIBUTE=COLUMN", help="Where people's labels stand.")
    ] = None,
    text_column: Annotated[str, typer.Option(help="The column that holds the text.")] = "text",
    id_column: Annotated[str, typer.Option(help="The column that holds the id, where there is one.")] = "id",
    language_column: Annotated[
        str, typer.Option(help="The column that declares the language, where there is one.")
    ] = "language",
    scores: Annotated[
        Path | None, typer.Option(help="Our scores of the same rows, by `prefilter score --exact`; else they are made.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model's name or folder; default: the live one.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Also write the document there, as JSON.")
    ] = None,
    policy_out: Annotated[
        Path | None, typer.Option(help="Write a policy (TOML) with our edges in the place of theirs.")
    ] = None,
    match: Annotated[str, typer.Option(help="The policy's edges match by volume, recall or precision.")] = "volume",
    enforce: Annotated[
        bool, typer.Option("--enforce", help="The policy acts at once; without, it only watches.")
    ] = False,
    json_only: Annotated[bool, typer.Option("--json", help="Print nothing but the document.")] = False,
) -> None:
    """Say how our scores relate to Perspective's on your own texts, and which edges of ours do what yours did."""
    if match not in WAYS:
        raise refuse("--match is volume, recall or precision")
    from prefilter.eval.document import plain
    from prefilter.eval.matching.move_document import make
    from prefilter.eval.matching.move_report import sections
    from prefilter.eval.matching.their_sample import read_sample
    from prefilter.serving.bulk.read.input_files import find_inputs

    counterparts = _counterparts()
    asked = _asked(edge, counterparts, "review") + _asked(block_edge, counterparts, "block")
    if policy_out is not None:
        _check_policy(policy_out, asked)
    columns = _columns(
        counterparts, their_column, label_column, response_column, text_column, id_column, language_column
    )
    sample = read_sample(find_inputs(inputs), columns)
    if not sample.theirs:
        raise refuse("no row has a score of theirs: name the columns with --their-column or --response-column")
    for name in {*(one.attribute for one in asked), *sample.labels} - sample.theirs.keys():
        raise refuse(f"no row has a score of {name}")
    ours = _ours(sample, scores, model)
    for name in [name for name in sample.theirs if not set(counterparts[name].heads) <= set(ours.heads)]:
        raise refuse(f"{ours.model_version or 'the model'} has no score for {name}: leave its column out")
    found = make(sample, ours, counterparts, asked, way=match)
    document = plain(found)
    if output is not None:
        output.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if json_only:
        print(json.dumps(document, allow_nan=False))
    else:
        for section in sections(found):
            print(f"{section.title}{': ' if section.text else ''}{section.text}")
            for table in section.tables:
                show_table(table.header, table.rows)
            for point in section.points:
                print(f"- {point}")
            print()
    if policy_out is not None:
        policy_out.write_text(policy_text(document, policy_out.stem, way=match, enforced=enforce), encoding="utf-8")
        print(f"policy → {policy_out}", file=sys.stderr)


def policy_text(document: Mapping[str, Any], name: str, *, way: str, enforced: bool) -> str:
    """Return a policy file with our matched edges; what has no edge of ours is said in a comment."""
    head = [
        f"# Edges moved over from Perspective, matched by {way} on {document['rows']} rows "
        f"with {document['model_version']}.",
        "# It holds what was acted on there and nothing else: take violence, self-harm and the rest from a preset.",
    ]
    lines: list[str] = []
    for attribute, body in document["attributes"].items():
        if not body["edges"]:
            continue
        bands, words = {}, []
        for line in body["edges"]:
            matched = None if body["derived"] else line["matched"][way]
            if matched is None:
                lacking = "its score is derived, not a head's" if body["derived"] else f"nothing matches by {way}"
                head.append(f"# No band for {attribute} from {line['theirs']['edge']:g}: {lacking}.")
                continue
            bands[line["act"]] = matched["edge"]
            theirs, ours = line["theirs"]["volume"]["hits"], matched["volume"]["hits"]
            words.append(
                f"{attribute} from {line['theirs']['edge']:g}: of {body['n']} rows theirs flag {theirs}, ours {ours}"
            )
        if bands:
            edges = [f"{act} = {_toml_edge(bands[act])}" for act in ("review", "block") if act in bands]
            lines += ["", f"[categories.{body['ours']}]", *edges, f"reason = {_toml_string('; '.join(words))}"]
    if not lines:
        raise refuse("no edge of theirs has one of ours: there is no policy to write")
    why = f"Moved over from Perspective on {document['date']}, matched by {way}."
    top = [
        f"name = {_toml_string(name)}",
        "version = 1",
        'unreadable = "review"',
        f"enforced = {'true' if enforced else 'false'}",
        f"reason = {_toml_string(why)}",
    ]
    return "\n".join([*head, *top, *lines]) + "\n"


def _counterparts() -> dict[str, Counterpart]:
    from prefilter.eval.matching.move_document import Counterpart
    from prefilter.serving.compat.perspective.attributes import ATTRIBUTES

    return {
        name: Counterpart(one.heads, one.head if one.trained else None, one.reason, one.score)
        for name, one in ATTRIBUTES.items()
    }


def _asked(given: Pairs, known: Mapping[str, Any], act: str) -> list[Asked]:
    from prefilter.eval.matching.move_document import Asked

    asked = []
    for name, value in _pairs(given, known, "an edge"):
        try:
            at = float(value)
        except ValueError:
            at = -1.0
        if not 0 <= at <= 1:
            raise refuse(f"an edge is a number from 0 to 1, as in {name}=0.8")
        asked.append(Asked(name, at, act))
    return asked


def _pairs(given: Pairs, known: Mapping[str, Any], what: str) -> list[tuple[str, str]]:
    found = []
    for pair in given or []:
        name, _, value = pair.partition("=")
        if name not in known:
            raise refuse(f"{what} names one of {', '.join(known)}, as in TOXICITY=…")
        if not value:
            raise refuse(f"{what} says what it is for {name}: {name}=…")
        found.append((name, value))
    return found


def _columns(
    known: Mapping[str, Any],
    theirs: Pairs,
    labels: Pairs,
    answer: str | None,
    text: str,
    identity: str,
    language: str,
) -> SampleColumns:
    from prefilter.eval.matching.their_sample import SampleColumns

    own, judged = dict(_pairs(theirs, known, "--their-column")), dict(_pairs(labels, known, "--label-column"))
    named = {*own.values(), *judged.values()} | ({answer} if answer else set())
    return SampleColumns(
        theirs={name: own.get(name, name) for name in known},
        labels=judged,
        answer=answer,
        text=text,
        id=identity,
        language=language,
        named=frozenset(named),
    )


def _check_policy(path: Path, asked: Sequence[Asked]) -> None:
    """Refuse before anything is scored what could not become a policy."""
    if path.suffix.lower() != ".toml":
        raise refuse(f"{path}: a policy file ends in .toml")
    if not asked:
        raise refuse("--policy-out needs an --edge or a --block-edge")
    edges: dict[tuple[str, str], float] = {}
    for one in asked:
        if edges.setdefault((one.attribute, one.act), one.edge) != one.edge:
            raise refuse(f"a policy has one {one.act} edge for {one.attribute}: give one")
    for (name, act), at in edges.items():
        if act == "review" and at > edges.get((name, "block"), 1.0):
            raise refuse(f"{name}: the edge for people must not lie above the one that refuses")


def _ours(sample: Sample, scores: Path | None, model: str | None) -> OurScores:
    from prefilter.eval.matching.our_scores import read_stored, score_sample
    from prefilter.models.registry import resolve
    from prefilter.serving.bulk.run.progress import Progress

    if scores is not None:
        return read_stored(sample, scores)
    folder = resolve(model)
    with Progress(total=len(sample)) as progress:
        return score_sample(sample, folder, threads=len(os.sched_getaffinity(0)), progress=progress.advance)


def _toml_edge(edge: float) -> str:
    """The shortest decimal that is this float32, in which policies compare."""
    import numpy as np

    return str(np.float32(edge))


def _toml_string(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
