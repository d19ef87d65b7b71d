"""The model card, as Markdown and as one HTML file that needs no network, no script and no other file."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

from prefilter.eval.card.plots import Plot
from prefilter.eval.card.table import Section, Table

_STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --line: #d5dae0; --soft: #f5f7f9; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff; max-width: 72rem;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }
td { white-space: nowrap; vertical-align: top; } td.words { white-space: normal; min-width: 16rem; }
.number { text-align: right; } thead th { background: var(--soft); }
figure { margin: 1.5rem 0; } figure svg { max-width: 100%; height: auto; } figcaption { font-size: 13px; }
code { background: var(--soft); padding: 0 .2rem; } nav li { display: inline; margin-right: 1rem; }
"""


_LONG = 60  # characters that no table keeps on one line


def markdown(title: str, sections: Sequence[Section], *, plots_in: str | None = None) -> str:
    """Return the page as Markdown; `plots_in` is the file beside it that has the plots."""
    lines = [f"# {title}", ""]
    if plots_in is not None:
        lines += [f"Plots: [{plots_in}]({plots_in}).", ""]
    for section in sections:
        lines += [f"## {section.title}", "", section.text, ""]
        lines += [*(f"- {point}" for point in section.points), ""] if section.points else []
        for table in filter(None, section.tables):
            lines += [*_markdown_table(table), ""]
    return "\n".join(lines).rstrip() + "\n"


def page(title: str, sections: Sequence[Section], plots: Mapping[str, Plot]) -> str:
    """Return the page as one HTML document with its plots inside."""
    links = "".join(f'<li><a href="#{_anchor(s.title)}">{html.escape(s.title)}</a></li>' for s in sections)
    body = "".join(_html_section(section, plots) for section in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n<nav><ul>{links}</ul></nav>\n{body}</body>\n</html>\n"
    )


def _html_section(section: Section, plots: Mapping[str, Plot]) -> str:
    parts = [f'<section id="{_anchor(section.title)}"><h2>{html.escape(section.title)}</h2>']
    parts.append(f"<p>{_inline(section.text)}</p>")
    if section.points:
        parts.append("<ul>" + "".join(f"<li>{_inline(point)}</li>" for point in section.points) + "</ul>")
    for name in section.figures:
        if name in plots:
            plot = plots[name]
            caption = html.escape(plot.caption)
            parts.append(f'<figure role="img" aria-label="{caption}">{plot.svg}')
            parts.append(f"<figcaption>{caption}</figcaption></figure>")
    parts += [_html_table(table) for table in filter(None, section.tables)]
    return "\n".join([*parts, "</section>\n"])


def _html_table(table: Table) -> str:
    marks = [_mark(table, column) for column in range(len(table.header))]

    def line(tag: str, cells: Sequence[str]) -> str:
        return "".join(f"<{tag}{mark}>{_inline(c)}</{tag.split()[0]}>" for c, mark in zip(cells, marks, strict=True))

    head = line('th scope="col"', table.header)
    rows = "".join(f"<tr>{line('td', row)}</tr>\n" for row in table.rows)
    heading = f"<thead><tr>{head}</tr></thead>" if any(table.header) else ""
    return f'<div class="scroll" tabindex="0"><table>{heading}<tbody>\n{rows}</tbody></table></div>'


def _mark(table: Table, column: int) -> str:
    """The class of a column's cells: numbers stand right, whole sentences may break."""
    if table.is_numeric(column):
        return ' class="number"'
    return ' class="words"' if any(len(row[column]) > _LONG for row in table.rows) else ""


def _markdown_table(table: Table) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "|" + "|".join("---:" if table.is_numeric(column) else "---" for column in range(len(table.header))) + "|"
    return [line(table.header), rule, *(line(row) for row in table.rows)]


def _inline(text: str) -> str:
    """Escape, then the marks that texts use: `code`, *emphasis*, and links, of which only the words stay."""
    safe = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", html.escape(text))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return re.sub(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])", r"<em>\1</em>", safe)


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
