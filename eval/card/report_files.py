"""The report of an evaluation as files: the model card and the tables behind it, its data, and one page with plots.

The pages are made from the data alone, so `render` makes them again after a word was changed, without the model or a
suite.
"""

from __future__ import annotations

from pathlib import Path

from prefilter.eval.card.card_contents import sections
from prefilter.eval.card.html_page import page
from prefilter.eval.card.markdown_page import markdown
from prefilter.eval.card.plots import draw
from prefilter.eval.document.document_file import cut, lines, read_file
from prefilter.eval.document.json_parts import PartError
from prefilter.eval.document.results_document import ResultsDocument

TITLE = "Model card"
DIGITS = 6
_ENDINGS = (".md", ".json", ".html")


class ReportError(ValueError):
    """A file is not the data of a report; the message names it."""


def write_report(target: Path, document: ResultsDocument) -> tuple[Path, ...]:
    """Write TARGET.md, TARGET.json and TARGET.html and return their paths; an ending on `target` is left off.

    Raises OSError where the folder cannot be written.
    """
    stem = target.with_suffix("") if target.suffix in _ENDINGS else target
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = tuple(stem.parent / f"{stem.name}{ending}" for ending in _ENDINGS)
    kept = cut(document, DIGITS)
    contents = (
        card(kept, plots_in=paths[2].name),
        lines(kept),
        page(_title(kept), sections(kept), draw(kept)),
    )
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


def card(document: ResultsDocument, *, plots_in: str) -> str:
    """Return the model card as Markdown; `plots_in` is the page beside it."""
    return markdown(_title(document), sections(document), before=[f"Plots: [{plots_in}]({plots_in})."])


def read_report(path: Path) -> ResultsDocument:
    """Read the data of a report; raises ReportError."""
    try:
        return read_file(ResultsDocument, path)
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except PartError as error:
        raise ReportError(f"{path}: not the data of a report ({error})") from None


def _title(document: ResultsDocument) -> str:
    return f"{TITLE}: {document.model_version}"
