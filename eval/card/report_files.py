"""The report of an evaluation as files: the model card and the tables behind it, its data, and one page with plots.

The pages are made from the data alone, so `render` makes them again after a word was changed, without the model or a
suite.
"""

from __future__ import annotations

from pathlib import Path

from prefilter.eval.card.card_contents import TABLES_PAGES, sections
from prefilter.eval.card.front_page import front_sections
from prefilter.eval.card.html_page import page
from prefilter.eval.card.markdown_page import markdown
from prefilter.eval.card.plots import draw
from prefilter.eval.document import PartError, ResultsDocument, cut, lines, read_file
from prefilter.models.known_error import KnownError

TITLE = "Model card"
DIGITS = 6
_ENDINGS = (".md", ".json", ".html")


class ReportError(KnownError, ValueError):
    """A file is not the data of a report; the message names it."""


def write_report(target: Path, document: ResultsDocument) -> tuple[Path, ...]:
    """Write TARGET.md, TARGET.json, TARGET.html and the pages TARGET/*.md; returns their paths, in that order.

    An ending on `target` is left off. Raises OSError where a folder cannot be written.
    """
    stem = target.with_suffix("") if target.suffix in _ENDINGS else target
    kept = cut(document, DIGITS)
    pages = card(kept, name=stem.name)
    html = page(_title(kept), sections(kept), draw(kept))
    front = f"{stem.name}.md"
    contents = {front: pages.pop(front), f"{stem.name}.json": lines(kept), f"{stem.name}.html": html, **pages}
    paths = []
    for name, content in contents.items():
        path = stem.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        paths.append(path)
    return tuple(paths)


def card(document: ResultsDocument, *, name: str) -> dict[str, str]:
    """Return the model card and the pages of tables behind it as Markdown, by file: NAME.md, NAME/…md."""
    tables = {own: found for own in TABLES_PAGES if (found := own.sections(document))}
    behind = [(f"[{own.title}]({name}/{own.name}.md)", own.about) for own in tables]
    behind += [(f"[{name}.html]({name}.html)", "all of it with plots"), (f"[{name}.json]({name}.json)", "the data")]
    pages = {f"{name}.md": markdown(_title(document), front_sections(document, behind))}
    for own, found in tables.items():
        before = [f"Behind the [model card]({name}.md) of {document.model_version}. Plots: [{name}.html]({name}.html)."]
        pages[f"{name}/{own.name}.md"] = markdown(own.title, found, before=before, root="../")
    return pages


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
