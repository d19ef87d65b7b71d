"""The policy that a move ends in: a TOML file with our matched edges in the place of theirs.

It holds what was acted on there and nothing else. An edge of theirs that has none of ours is said in a comment, never
guessed. Knows the document of a move, not how it was made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prefilter.eval.matching.move_document import BLOCK, REVIEW, Asked
from prefilter.eval.matching.move_measures import AttributeMove, MoveDocument
from prefilter.models.known_error import WrongUse


def check_policy(path: Path, asked: Sequence[Asked]) -> None:
    """Raise WrongUse, before anything is scored, for what could not become a policy file."""
    if path.suffix.lower() != ".toml":
        raise WrongUse(f"{path}: a policy file ends in .toml")
    if not asked:
        raise WrongUse("--policy-out needs an --edge or a --block-edge")
    edges: dict[tuple[str, str], float] = {}
    for one in asked:
        if edges.setdefault((one.attribute, one.act), one.edge) != one.edge:
            raise WrongUse(f"a policy has one {one.act} edge for {one.attribute}: give one")
    for (name, act), at in edges.items():
        if act == REVIEW and at > edges.get((name, BLOCK), 1.0):
            raise WrongUse(f"{name}: the edge for people must not lie above the one that refuses")


def policy_text(document: MoveDocument, name: str, *, way: str, enforced: bool) -> str:
    """Return the file; raises WrongUse where no edge of theirs has one of ours."""
    comments = [
        f"# Edges moved over from Perspective, matched by {way} on {document.rows} rows "
        f"with {document.model_version}.",
        "# It holds what was acted on there and nothing else: take violence, self-harm and the rest from a preset.",
    ]
    tables: list[str] = []
    for attribute, body in document.attributes.items():
        lacking, table = _category(attribute, body, way)
        comments += lacking
        tables += table
    if not tables:
        raise WrongUse("no edge of theirs has one of ours: there is no policy to write")
    why = f"Moved over from Perspective on {document.date}, matched by {way}."
    head = [
        f"name = {_string(name)}",
        "version = 1",
        'unreadable = "review"',
        f"enforced = {'true' if enforced else 'false'}",
        f"reason = {_string(why)}",
    ]
    return "\n".join([*comments, *head, *tables]) + "\n"


def _category(attribute: str, move: AttributeMove, way: str) -> tuple[list[str], list[str]]:
    """What lacks an edge of ours, as comments, and the table of the attribute's category; both may be empty."""
    lacking: list[str] = []
    words: list[str] = []
    bands: dict[str | None, float] = {}
    for line in move.edges:
        theirs = line.theirs
        matched = None if move.derived else line.matched[way]
        if matched is None:
            why = "its score is derived, not a head's" if move.derived else f"nothing matches by {way}"
            lacking.append(f"# No band for {attribute} from {theirs.edge:g}: {why}.")
            continue
        bands[line.act] = matched.edge
        hits = f"theirs flag {theirs.volume.hits}, ours {matched.volume.hits}"
        words.append(f"{attribute} from {theirs.edge:g}: of {move.n} rows {hits}")
    if not bands:
        return lacking, []
    edges = [f"{act} = {_edge(bands[act])}" for act in (REVIEW, BLOCK) if act in bands]
    return lacking, ["", f"[categories.{move.ours}]", *edges, f"reason = {_string('; '.join(words))}"]


def _edge(edge: float) -> str:
    """The shortest decimal that is this float32, in which policies compare."""
    return str(np.float32(edge))


def _string(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
