"""The card as one HTML file with its plots inside: it needs no network, no script and no other file."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from jinja2 import Environment, PackageLoader, Template

from prefilter.eval.card.plots import Plot
from prefilter.eval.card.table import Section, Table

_LONG = 60  # characters that no table keeps on one line


def page(title: str, sections: Sequence[Section], plots: Mapping[str, Plot]) -> str:
    """Return the page as one HTML document with its plots inside."""
    return _template().render(title=title, sections=sections, plots=plots)


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("prefilter.eval.card"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"anchor": anchor, "inline": inline, "column_class": column_class}
    return environment.get_template("card_page.html")


def column_class(table: Table, column: int) -> str:
    """The class of a column's cells: numbers are aligned to the right, whole sentences may break."""
    if table.is_numeric(column):
        return "number"
    return "words" if any(len(row[column]) > _LONG for row in table.rows) else ""


def inline(text: str) -> str:
    """Return safe HTML: escaped, with the marks that texts use: `code`, *emphasis*, the words of links."""
    safe = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", html.escape(text))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])", r"<em>\1</em>", safe)


def anchor(title: str) -> str:
    """Return the place of a section in the page."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
