"""The taxonomy: what each category of harm means, where it ends, and which sources label it.

The words are in `data/taxonomy.toml`, the one place; `docs/taxonomy.md` is written from it by
`python -m prefilter.models.taxonomy > docs/taxonomy.md`, and a test keeps the two equal. Words only: nothing here
changes a score.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from prefilter.models.known_error import KnownError
from prefilter.models.labels import CATEGORIES


class TaxonomyError(KnownError, ValueError):
    """`taxonomy.toml` and the list of categories disagree."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One category: its definition, what is just inside and just outside it (described), and who labels it.

    `human_labels` and `weak_labels` name the data sets whose labels a person, or a machine, gave.
    """

    category: str
    definition: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    human_labels: tuple[str, ...]
    weak_labels: tuple[str, ...]


@cache
def taxonomy() -> dict[str, Entry]:
    """Every category's entry, in their order; raises `TaxonomyError` where one is missing or extra."""
    text = resources.files("prefilter.models").joinpath("data/taxonomy.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    if set(raw) != set(CATEGORIES):
        raise TaxonomyError(f"taxonomy.toml and labels.py differ: {sorted(set(raw) ^ set(CATEGORIES))}")
    return {
        name: Entry(
            category=name,
            definition=" ".join(raw[name]["definition"].split()),
            positive=tuple(raw[name]["positive"]),
            negative=tuple(raw[name]["negative"]),
            human_labels=tuple(raw[name]["human_labels"]),
            weak_labels=tuple(raw[name]["weak_labels"]),
        )
        for name in CATEGORIES
    }


def page() -> str:
    """`docs/taxonomy.md`."""
    lines = [
        "# Taxonomy",
        "",
        "Ten categories; a text may belong to several. Examples at the border are described, never quoted.",
        "Written from `models/data/taxonomy.toml` by `python -m prefilter.models.taxonomy`: change it there.",
        "",
        "`any` is not a category. It is the model's one number for harm of any kind, trained as a head of its own.",
    ]
    for entry in taxonomy().values():
        lines += ["", f"## {entry.category}", "", entry.definition, "", "Inside:", ""]
        lines += [f"- {example}" for example in entry.positive]
        lines += ["", "Outside:", ""]
        lines += [f"- {example}" for example in entry.negative]
        for kind, sources in (("people", entry.human_labels), ("machines", entry.weak_labels)):
            if sources:
                lines += ["", f"Labelled by {kind} in: {', '.join(sources)}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
