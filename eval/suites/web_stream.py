"""The web-like stream: documents as a crawl brings them, nearly all of them benign, from texts that taught nobody.

Drawn by fixed shares and a seed from the labelled data's sources, only texts of the part `trial` (see
`classifier.lessons`): no model was trained on them, no certificate issued. Benign by origin are crawl text,
encyclopaedia, community answers, medical and counselling text and model answers; forum posts are whatever people
wrote; harmful are texts that people labelled so. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from prefilter.classifier.corpus.sources import SourceError, read_catalogue
from prefilter.classifier.fast.lessons import part_of
from prefilter.models.labels import CATEGORIES
from prefilter.models.text.normalisation import check_text

BENIGN = {
    "webtext_unlabelled_mix": 0.500,
    "benign_wikitext103_valtest": 0.140,
    "benign_l2r_human_21domains": 0.120,
    "benign_medquad": 0.085,
    "benign_counsel_chat": 0.050,
    "benign_model_outputs_refusaldir": 0.020,
}
FORUM = {"reddit_top2013_subset": 0.050}
HARMFUL_SHARE = 0.035
HARMFUL = (
    "jigsaw_partial",
    "toxic_spans_types_civil",
    "edos_sexism",
    "davidson2017",
    "hatexplain",
    "stormfront",
    "gptfuzz_responses",
    "aart_prompts",
    "sbic_dev",
    "kaggle_insults_impermium",
)
"""Equal parts of each; a text is taken where a person said that some category is there."""
DOCUMENTS = 2_000


@dataclass(frozen=True, slots=True)
class Stream:
    """`texts` in random order, and the `source` of each."""

    texts: list[str]
    source: list[str]


def web_stream(data_dir: Path, *, documents: int = DOCUMENTS, seed: int = 17) -> Stream:
    """The stream of so many documents; the same for the same seed and data.

    Raises `SourceError` where a source is missing or has too few texts of the part `trial` left.
    """
    catalogue = read_catalogue(data_dir)
    shares = {**BENIGN, **FORUM, **dict.fromkeys(HARMFUL, HARMFUL_SHARE / len(HARMFUL))}
    texts: list[str] = []
    source: list[str] = []
    seen: set[str] = set()
    for name, share in shares.items():
        if name not in catalogue:
            raise SourceError(f"{name}: not in the data")
        wanted = round(share * documents)
        for text in _trial(data_dir / catalogue[name]["folder"] / f"{name}.parquet", seed, harmful=name in HARMFUL):
            if wanted == 0:
                break
            if text not in seen:
                seen.add(text)
                texts.append(text)
                source.append(name)
                wanted -= 1
        if wanted:
            raise SourceError(f"{name}: {wanted} texts too few for a stream of {documents}")
    order = np.random.default_rng(seed).permutation(len(texts))
    return Stream([texts[i] for i in order], [source[i] for i in order])


def _trial(path: Path, seed: int, *, harmful: bool) -> Iterator[str]:
    """The texts of a source that may be measured on, in random order."""
    table = pq.read_table(path)
    texts, split = table.column("text").to_pylist(), table.column("split").to_pylist()
    labels = [table.column(name).to_pylist() for name in (*CATEGORIES, "unsafe") if name in table.column_names]
    for row in np.random.default_rng(seed).permutation(len(texts)):
        held_out = split[row] == "test"
        if check_text(texts[row], max_chars=None) is not None or (harmful and held_out):
            continue
        if harmful and not any(column[row] is not None and column[row] >= 0.5 for column in labels):
            continue
        if part_of(texts[row], held_out=held_out) == "trial":
            yield texts[row]
