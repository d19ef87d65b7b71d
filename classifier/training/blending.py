"""Blending: the wide part is fitted and joined with the deep one, and all heads are blended into the verdict.

The two parts are standardised on the development split, which neither was fitted to: a head's wide logits are scaled to
`wide_share` of the spread of its deep ones. The verdict `any` is its own head plus `verdict_share` times the mean of
all heads, each scaled to the verdict's spread: a mean of many heads is a steadier verdict on unseen sources than one
head or the highest. Both shares were chosen on sources left out of training (`prefilter leave-out`).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from prefilter.classifier.corpus.examples import Examples
from prefilter.classifier.corpus.tokenised import Tokenised
from prefilter.classifier.recipe import Recipe
from prefilter.classifier.training.harm_network import HarmNetwork
from prefilter.classifier.training.wide_part import fit_wide, piece_counts
from prefilter.models.labels import ANY, HEADS

Floats = NDArray[np.float32]
Tables = tuple[Floats, Floats, Floats]


def blend_parts(
    network: HarmNetwork,
    recipe: Recipe,
    training: tuple[Tokenised, Examples],
    development: Tokenised,
    deep: Floats,
    *,
    head_is_trained: NDArray[np.bool_],
) -> None:
    """Fit the wide part on `training` and put it and the blend into `network`.

    `deep` [windows, heads]: the deep part's logits of the development windows; `head_is_trained` [heads].
    """
    joined = deep
    if recipe.wide_share > 0:
        tokenised, examples = training
        vocabulary = network.wide.pieces.shape[0]
        weights = examples.weights * examples.share[:, None]
        counts = _counts(tokenised, tokenised.text, len(examples), network.marks, vocabulary)
        table, bias = fit_wide(counts, examples.labels, weights, strength=recipe.wide_strength)
        windows = np.arange(len(development.text))
        wide = _counts(development, windows, len(windows), network.marks, vocabulary) @ table + bias
        factor = recipe.wide_share * spread(deep) / spread(wide)
        _set_wide(network, (table[:vocabulary] * factor, table[vocabulary:] * factor, bias * factor))
        joined = deep + wide * factor
    _set_blend(network, spread(joined), recipe.verdict_share, head_is_trained)


def spread(logits: Floats) -> Floats:
    """Standard deviation of each head's logits [windows, heads]; 1 for a head that never moves."""
    deviation = logits.std(axis=0)
    return np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)


def _counts(
    tokenised: Tokenised, row: NDArray[np.int64], rows: int, marks: tuple[int, int], vocabulary: int
) -> sparse.csr_matrix:
    """The counts of the texts' own pieces; `row` [windows] is the row each window's pieces count for."""
    text = tokenised.types == 0
    owner = np.repeat(row, tokenised.lengths)
    return piece_counts(tokenised.ids[text], owner[text], marks, rows, vocabulary=vocabulary)


@torch.no_grad()
def _set_wide(network: HarmNetwork, tables: Tables) -> None:
    """Put the tables into the network, rounded to float16 as they will ship."""
    pieces, pairs, bias = tables
    for parameter, values in ((network.wide.pieces, pieces), (network.wide.pairs, pairs)):
        parameter.copy_(torch.from_numpy(values.astype(np.float16).astype(np.float32)))
    network.wide.bias.copy_(torch.from_numpy(bias.astype(np.float32)))


@torch.no_grad()
def _set_blend(
    network: HarmNetwork, deviation: Floats, share: float, head_is_trained: NDArray[np.bool_]
) -> None:
    """Blend the trained heads into the verdict; `deviation` [heads] is the spread of each."""
    verdict = HEADS.index(ANY)
    others = [h for h in range(len(HEADS)) if h != verdict and head_is_trained[h]]
    blend = torch.eye(len(HEADS))
    for head in others:
        blend[head, verdict] = float(share / len(others) * deviation[verdict] / deviation[head])
    network.blend.copy_(blend)
