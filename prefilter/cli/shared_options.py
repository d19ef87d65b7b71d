"""Shared options: what several commands take, written once, so that it is called and explained the same in each.

A command names its own parameter and its default; an option that only one command has stands with that command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[str | None, typer.Option("--model", help="A model's name or folder; default: the live one.")]
Store = Annotated[Path | None, typer.Option("--store", help="The folder of models; default: the one installed.")]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="The labelled data; default: PREFILTER_DATA_DIR.")
]
Threads = Annotated[
    int | None, typer.Option("--workers", min=1, help="Scoring threads; default: one per core.")
]
OnlyJson = Annotated[bool, typer.Option("--json", help="Print nothing but the document.")]
PolicySource = Annotated[str, typer.Option("--policy", help="A preset, a TOML file or an exported NAME@VERSION.")]
TextColumn = Annotated[str, typer.Option("--text-column", help="The column that holds the text.")]
LanguageColumn = Annotated[
    str, typer.Option("--language-column", help="The column that declares the language, where there is one.")
]
