"""A small fast stage that knows the fake model's words: it clears a text of sixteen words that holds none of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fakes import DUBIOUS, HARMFUL_WORDS
from prefilter.models import manifest as manifests
from prefilter.models.fast.ngrams import ngrams
from prefilter.models.labels import HEADS
from prefilter.models.manifest import Manifest

VERDICT = "verdict:fake"
OUTPUTS = [*HEADS, VERDICT]
PLAIN_TEXT = "The library opens at nine in the morning and closes at six, and its readers may bring bread and tea."
PLAIN_BUT_HARMFUL = PLAIN_TEXT + " That was a rude thing to say."
UNSEEN_BY_IT = "smuggle"
"""A harmful word that the stage was not taught: what it misses."""


def fast_arrays() -> dict[str, NDArray[Any]]:
    """Width 1: a harmful word's vector is 127, any other's 0; one hidden unit passes the narrow window on."""
    words = [word for word in (*HARMFUL_WORDS, DUBIOUS) if word != UNSEEN_BY_IT]
    rows = np.sort(np.concatenate([found.words for word in words if (found := ngrams(word)) is not None]))
    return {
        "word_rows": rows.astype(np.uint32),
        "words": np.full((len(rows), 1), 127, dtype=np.int8),
        "pair_rows": np.empty(0, dtype=np.uint32),
        "pairs": np.empty((0, 1), dtype=np.int8),
        "unseen": np.zeros((2, 1), dtype=np.int8),
        "scale": np.array([1 / 127], dtype=np.float32),
        "w1": np.array([[0], [0], [1], [0], [0]], dtype=np.float32),
        "b1": np.zeros(1, dtype=np.float32),
        "w2": np.full((1, len(OUTPUTS)), 40, dtype=np.float32),
        "b2": np.full(len(OUTPUTS), -5, dtype=np.float32),
    }


def certificate(edges: Mapping[str, float], *, name: str = "fake", cut: float = 0.0) -> dict[str, Any]:
    """Leave to clear under these edges."""
    return {
        "name": name,
        "edges": dict(edges),
        "verdict": VERDICT,
        "cut": cut,
        "bound": 0.005,
        "confidence": 0.95,
    }


def add_fast_stage(folder: Path, *edges: Mapping[str, float]) -> Path:
    """Put a fast stage beside an artefact, with a certificate for each of `edges`; returns the folder."""
    np.savez(folder / manifests.FAST, **fast_arrays())
    issued = [certificate(own, name=f"fake-{number}") for number, own in enumerate(edges)]
    manifest = dataclasses.replace(Manifest.load(folder), fast={"outputs": OUTPUTS, "certificates": issued})
    manifest.write(folder)
    return folder
