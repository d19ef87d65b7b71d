"""The modules of the console's pages: each import is served, none leads back, and a page names all that it loads."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter

from prefilter.serving.console.console_routes import STATIC
from prefilter.serving.console.rendering import STATIC_DIR, TEMPLATES_DIR


def imports() -> dict[str, set[str]]:
    """Return for every module the names of those it imports."""
    found = re.compile(r'^import .* from "\./([\w.]+)";$', re.MULTILINE)
    return {path.name: set(found.findall(path.read_text("utf-8"))) for path in STATIC_DIR.glob("*.js")}


def test_every_module_that_is_imported_is_served_and_none_leads_back_to_itself() -> None:
    graph = imports()
    assert set().union(*graph.values()) <= set(STATIC)
    assert set(TopologicalSorter(graph).static_order()) == set(graph)


def test_every_module_is_used_by_a_page_or_by_another_module() -> None:
    pages = " ".join(path.read_text("utf-8") for path in TEMPLATES_DIR.glob("*.html"))
    begun = {f"{name}.js" for name in re.findall(r"/static/(\w+)\.js", pages)}
    assert set(imports()) == begun | set().union(*imports().values())


def test_the_case_page_names_every_module_it_will_need() -> None:
    graph, needed, seen = imports(), {"case.js"}, set()
    while needed - seen:
        seen |= (now := needed - seen)
        needed |= set().union(*(graph[name] for name in now))
    block = (TEMPLATES_DIR / "case.html").read_text("utf-8").split("block modules")[1].split("endblock")[0]
    assert {f"{name}.js" for name in re.findall(r"'(\w+)'", block)} == needed - {"case.js"}
