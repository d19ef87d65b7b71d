"""Lessons: texts without labels, with the transformer's own scores, in parts that share no text.

From `lesson` the fast stage learns; on `calibration` its certificates are issued; `trial` is left for measuring. A
text's part follows from a hash of it, on the same scale by which recipes split: what is in calibration or trial never
trained the transformer either (except paired texts, which recipes split as one, and which certify nothing), nor did the
test rows of benign sources, which only enter those two parts. Scores are kept in the run's folder, chunk by chunk, so
that a broken run goes on. Knows which sources, not what is learned from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from prefilter.classifier.corpus.examples import text_key, unit_interval
from prefilter.classifier.corpus.sources import SourceError, held_out_texts, is_test_suite, read_catalogue
from prefilter.classifier.fast.distil_recipe import DistilRecipe
from prefilter.classifier.run_folder import say
from prefilter.models.atomic_file import replacing
from prefilter.models.labels import HEADS
from prefilter.models.scorer import Scorer
from prefilter.models.text.normalisation import check_text

PARTS = ("lesson", "calibration", "trial")
CALIBRATION_SHARE, HELD_OUT_SHARE = 0.13, 0.15
"""The lowest shares of the scale: calibration below the first, trial up to the second, which no recipe trains on."""
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Lessons:
    """`texts`, the `source` of each, its `part` (index into PARTS) and the transformer's scores [n, heads].

    A text the model cannot read has NaN for scores.
    """

    texts: list[str]
    source: list[str]
    part: NDArray[np.int8]
    scores: NDArray[np.float32]

    def of(self, part: str) -> Lessons:
        """The readable texts of one part."""
        return self._take((self.part == PARTS.index(part)) & ~np.isnan(self.scores).any(axis=1))

    def of_sources(self, sources: Sequence[str]) -> Lessons:
        """The texts of these sources."""
        return self._take(np.isin(np.array(self.source, dtype=np.str_), list(sources)))

    def _take(self, mask: NDArray[np.bool_]) -> Lessons:
        rows = np.flatnonzero(mask)
        texts, source = [self.texts[i] for i in rows], [self.source[i] for i in rows]
        return Lessons(texts, source, self.part[rows], self.scores[rows])


def gather(recipe: DistilRecipe, data_dir: Path) -> tuple[list[str], list[str], NDArray[np.int8]]:
    """Texts of the recipe's sources, each once, in a fixed random order: texts, their source, their part.

    Lessons are bounded by a source's `rows`; for calibration everything there is is taken, since harm is its currency;
    what is left for trial is not gathered.

    Raises `SourceError` for a source that is missing, a test suite, or under a licence the recipe leaves out.
    """
    catalogue = read_catalogue(data_dir)
    forbidden = {text_key(t) for t in held_out_texts(data_dir, recipe.languages) if check_text(t) is None}
    texts: list[str] = []
    source: list[str] = []
    part: list[int] = []
    seen: set[bytes] = set()
    for name, rule in recipe.sources.items():
        row = catalogue.get(name)
        if row is None or is_test_suite(name) or row["licence"] not in recipe.licences:
            raise SourceError(f"{name}: not in the data, a test suite, or under a licence the recipe leaves out")
        table = pq.read_table(data_dir / row["folder"] / f"{name}.parquet", columns=["text", "split"])
        there, split = table.column("text").to_pylist(), table.column("split").to_pylist()
        for drawn, index in enumerate(np.random.default_rng(recipe.seed).permutation(len(there))):
            text, held_out = there[index], split[index] == "test"
            if check_text(text, max_chars=None) is not None or (held_out and not rule.benign):
                continue
            here, key = part_of(text, held_out=held_out), text_key(text)
            if here == "trial" or key in seen or (key in forbidden and not held_out):
                continue
            if here == "lesson" and drawn >= rule.rows:
                continue
            seen.add(key)
            texts.append(text)
            source.append(name)
            part.append(PARTS.index(here))
    order = np.random.default_rng(recipe.seed).permutation(len(texts))
    return [texts[i] for i in order], [source[i] for i in order], np.array(part, dtype=np.int8)[order]


def teach(recipe: DistilRecipe, run_dir: Path, data_dir: Path, scorer: Scorer) -> Lessons:
    """The lessons, scored by the transformer; what an earlier run has scored is taken from `run_dir`."""
    texts, source, part = gather(recipe, data_dir)
    folder = run_dir / "teacher"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [*_scored(texts, folder, scorer)]
    return Lessons(texts, source, part, np.concatenate(rows) if rows else np.empty((0, len(HEADS)), np.float32))


def part_of(text: str, *, held_out: bool) -> str:
    """The part of PARTS that a text belongs to; `held_out`: a test row of a benign source, which never is a lesson."""
    draw = unit_interval(text_key(text))
    if held_out:
        return "calibration" if draw < 0.5 else "trial"
    return "calibration" if draw < CALIBRATION_SHARE else "trial" if draw < HELD_OUT_SHARE else "lesson"


def _scored(texts: Sequence[str], folder: Path, scorer: Scorer) -> Iterator[NDArray[np.float32]]:
    """Scores [chunk, heads] of chunk after chunk; a chunk's file is named after its texts and the model."""
    for start in range(0, len(texts), CHUNK):
        chunk = texts[start : start + CHUNK]
        digest = hashlib.blake2b(scorer.manifest.scores_digest.encode(), digest_size=12)
        for text in chunk:
            digest.update(text_key(text))
        path = folder / f"{digest.hexdigest()}.npy"
        if not path.is_file():
            say(f"teacher: {start} of {len(texts)} texts")
            found = [[s.scores.get(head, np.nan) for head in HEADS] for s in scorer.score(chunk)]
            with replacing(path) as fresh, fresh.open("wb") as handle:
                np.save(handle, np.array(found, dtype=np.float32))
        yield np.load(path, allow_pickle=False)
