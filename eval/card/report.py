"""The report of an evaluation: the model card as Markdown, its data as JSON, and one HTML page with plots.

The card and the page are made from the data alone, so `render` makes them again after a word was changed, without the
model or a suite.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefilter.eval.card.card_page import markdown, page
from prefilter.eval.card.plots import draw
from prefilter.eval.card.results import sections
from prefilter.eval.card.rival_summary import lines, rounded
from prefilter.models.known_error import KnownError

TITLE = "Model card"
DIGITS = 6
_ENDINGS = (".md", ".json", ".html")


class ReportError(KnownError, ValueError):
    """A file is not the data of a report; the message names it."""


def write_report(target: Path, document: Mapping[str, Any]) -> tuple[Path, ...]:
    """Write TARGET.md, TARGET.json and TARGET.html and return their paths; an ending on `target` is left off.

    Raises OSError where the folder cannot be written.
    """
    stem = target.with_suffix("") if target.suffix in _ENDINGS else target
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = tuple(stem.parent / f"{stem.name}{ending}" for ending in _ENDINGS)
    kept: dict[str, Any] = rounded(document, DIGITS)
    contents = (
        card(kept, plots_in=paths[2].name),
        lines(kept, digits=DIGITS),
        page(_title(kept), sections(kept), draw(kept)),
    )
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


def card(document: Mapping[str, Any], *, plots_in: str) -> str:
    """Return the model card as Markdown; `plots_in` is the page beside it."""
    return markdown(_title(document), sections(document), plots_in=plots_in)


def read_report(path: Path) -> dict[str, Any]:
    """Read the data of a report; raises ReportError."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        if not {"model_version", "model", "suites"} <= document.keys():
            raise ValueError(path)
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, AttributeError):
        raise ReportError(f"{path}: not the data of a report") from None
    return document


def _title(document: Mapping[str, Any]) -> str:
    return f"{TITLE}: {document['model_version']}"
