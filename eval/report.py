"""The report of an evaluation: one JSON document, one Markdown page, one HTML page with plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefilter.eval.assessment import Assessment
from prefilter.eval.page import markdown, page
from prefilter.eval.plots import draw
from prefilter.eval.results import sections

TITLE = "Results"
_ENDINGS = (".md", ".json", ".html")


def write_report(
    target: Path, document: Mapping[str, Any], assessments: Sequence[Assessment]
) -> tuple[Path, ...]:
    """Write TARGET.md, TARGET.json and TARGET.html and return their paths; an ending on `target` is left off.

    Raises OSError where the folder cannot be written.
    """
    stem = target.with_suffix("") if target.suffix in _ENDINGS else target
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = tuple(stem.parent / f"{stem.name}{ending}" for ending in _ENDINGS)
    parts = sections(document)
    title = f"{TITLE}: {document['model_version']}"
    contents = (
        markdown(title, parts, plots_in=paths[2].name),
        json.dumps(document, allow_nan=False, ensure_ascii=False, indent=1) + "\n",
        page(title, parts, draw(assessments, document)),
    )
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return paths
