"""`prefilter migrate`: thresholds moved over from Perspective, on a sample of one's own with its stored scores."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prefilter.cli.plain_table import show_table
from prefilter.cli.shared_options import LanguageColumn, Model, OnlyJson, TextColumn

if TYPE_CHECKING:
    from prefilter.eval.card.table import Section

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
    text_column: TextColumn = "text",
    id_column: Annotated[str, typer.Option(help="The column that holds the id, where there is one.")] = "id",
    language_column: LanguageColumn = "language",
    scores: Annotated[
        Path | None, typer.Option(help="Our scores of the same rows, by `prefilter score --exact`; else they are made.")
    ] = None,
    model: Model = None,
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
    json_only: OnlyJson = False,
) -> None:
    """Say how our scores relate to Perspective's on your own texts, and which edges of ours do what yours did."""
    from prefilter.eval.document import plain
    from prefilter.eval.matching.migration import Migration
    from prefilter.eval.matching.migration import migrate as move
    from prefilter.eval.matching.move_report import sections
    from prefilter.eval.matching.moved_policy import policy_text

    asked = Migration(
        inputs=inputs,
        edges=edge or [],
        block_edges=block_edge or [],
        their_columns=their_column or [],
        label_columns=label_column or [],
        response_column=response_column,
        text_column=text_column,
        id_column=id_column,
        language_column=language_column,
        scores=scores,
        model=model,
        way=match,
        policy=policy_out,
    )
    found = move(asked)
    document = plain(found)
    if output is not None:
        output.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if json_only:
        print(json.dumps(document, allow_nan=False))
    else:
        for section in sections(found):
            _show(section)
    if policy_out is not None:
        policy_out.write_text(policy_text(found, policy_out.stem, way=match, enforced=enforce), encoding="utf-8")
        print(f"policy → {policy_out}", file=sys.stderr)


def _show(section: Section) -> None:
    print(f"{section.title}{': ' if section.text else ''}{section.text}")
    for table in section.tables:
        show_table(table.header, table.rows)
    for point in section.points:
        print(f"- {point}")
    print()
