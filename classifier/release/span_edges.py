"""Span edges fitted: from which evidence on a word is marked, head by head, on texts that people marked.

On the calibration split, by the int8 graph that ships. Where enough texts are marked, the edge is the one with the best
mean character F1 (SemEval-2021 task 5, Pavlopoulos et al. 2021) of what reaches it, a source counting by its
`span_weight`. A head without marked texts takes the edge at which it marks as large a share of its harmful texts'
pieces as `toxicity` does of its own: a convention, not a measurement, and the model card says which heads have which.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.corpus.tokenised import cutter_of
from prefilter.classifier.graph.graph_session import open_session
from prefilter.classifier.recipe import Recipe, SourceRule
from prefilter.models.labels import HEADS
from prefilter.models.marker import Marker
from prefilter.models.text.normalisation import normalise
from prefilter.models.text.windows import Window

GRID = np.arange(-4.0, 4.01, 0.25)
ENOUGH_MARKED = 100
MOST_TEXTS = 1500
SHOWN = HEADS.index("toxicity")


@dataclass(frozen=True, slots=True)
class Read:
    """One text with its windows and the evidence [text pieces, heads] of each."""

    text: str
    cut: list[Window]
    evidence: list[NDArray[np.float32]]

    def reached(self, head: int, edge: float) -> set[int]:
        """The characters that reach the edge."""
        spans = Marker(self.text, self.cut, self.evidence).spans(head, edge=edge, deciding=0)
        return {i for s in spans if s.log_odds >= edge for i in range(s.start, s.end)}


def read_texts(examples: Examples, tokenizer: Tokenizer, recipe: Recipe, graph: Path) -> Iterable[Read]:
    """Every example with the evidence that the graph gives."""
    session, cutter = open_session(graph), cutter_of(recipe, tokenizer)
    for text, context in zip(examples.texts, examples.contexts, strict=True):
        cut = cutter.cut(normalise(text), context).windows
        evidence = []
        for window in cut:
            feed = {"input_ids": window.ids[None], "token_type_ids": window.types[None]}
            evidence.append(session.run(["evidence"], feed)[0][0, 1 : 1 + len(window.pieces)])
        yield Read(text, cut, evidence)


def fit_edges(
    examples: Examples, tokenizer: Tokenizer, recipe: Recipe, graph: Path, *, trained: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Edges of the `trained` heads, and the F1 of those fitted on marked texts; {} where there are no marked texts."""
    rng = np.random.default_rng(recipe.seed)
    marked = np.array([s is not None for s in examples.spans], dtype=bool)
    rules = [recipe.sources.get(name, SourceRule()) for name in examples.source_names]
    weight = np.array([rule.span_weight for rule in rules])[examples.source]
    edges: dict[str, float] = {}
    quality: dict[str, float] = {}
    pools: dict[str, list[Read]] = {}
    for head in trained:
        column = HEADS.index(head)
        harmful = examples.human[:, column] & (examples.labels[:, column] >= 0.5)
        rows = _some(np.flatnonzero(harmful & marked & (weight > 0)), rng)
        if len(rows) >= ENOUGH_MARKED:
            texts = list(read_texts(examples.take(rows), tokenizer, recipe, graph))
            pairs = list(zip(texts, (examples.spans[r] or () for r in rows), strict=True))
            found = [
                float(np.average([_f1(t, g, column, edge) for t, g in pairs], weights=weight[rows]))
                for edge in GRID
            ]
            edges[head], quality[head] = float(GRID[int(np.argmax(found))]), max(found)
            pools[head] = texts
        else:
            known = examples.known[:, column] & (examples.labels[:, column] >= 0.5)
            some = _some(np.flatnonzero(known), rng)[:300]
            pools[head] = list(read_texts(examples.take(some), tokenizer, recipe, graph))
    shown = HEADS[SHOWN]
    if shown not in edges:
        return {}, {}
    share = float((_pieces(pools[shown], SHOWN) >= edges[shown]).mean())
    for head in trained:
        if head not in edges and pools[head]:
            edges[head] = round(float(np.quantile(_pieces(pools[head], HEADS.index(head)), 1 - share)), 3)
    return {head: edges[head] for head in HEADS if head in edges}, quality


def _some(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.permutation(rows)[:MOST_TEXTS]


def _pieces(texts: Sequence[Read], head: int) -> NDArray[np.float32]:
    """The evidence of all pieces of all texts for one head."""
    return np.concatenate([window[:, head] for text in texts for window in text.evidence])


def _f1(text: Read, gold: Sequence[tuple[int, int]], head: int, edge: float) -> float:
    true = {i for start, end in gold for i in range(start, end)}
    found = text.reached(head, edge)
    if not true or not found:
        return float(not true and not found)
    return 2 * len(true & found) / (len(true) + len(found))
