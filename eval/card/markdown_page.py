"""Sections as a Markdown page, for the card and for the pages of tables behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prefilter.eval.card.table import Section, Table

_LINK = re.compile(r"\]\(([^():]+\.(?:md|html|json))\)")


def markdown(title: str, sections: Sequence[Section], *, before: Sequence[str] = (), root: str = "") -> str:
    """Return the page; `before` are paragraphs between its title and its first section.

    `root` is the way from the page's folder to that which the links in the texts start from.
    """
    lines = [f"# {title}", ""]
    for paragraph in before:
        lines += [_LINK.sub(rf"]({root}\1)", paragraph), ""]
    for section in sections:
        lines += [f"## {section.title}", "", _LINK.sub(rf"]({root}\1)", section.text), ""]
        lines += [*(f"- {point}" for point in section.points), ""] if section.points else []
        for table in filter(None, section.tables):
            lines += [*_table(table), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Table) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "|" + "|".join("---:" if table.is_numeric(column) else "---" for column in range(len(table.header))) + "|"
    return [line(table.header), rule, *(line(row) for row in table.rows)]
