"""The scorer: from texts to calibrated scores, the only code that does this, in evaluation and in service.

One row per ONNX run on one-thread sessions: int8 takes one activation scale per tensor, so a row scored
among others would get another score. So a text's score is the same to the bit alone, in a batch and on any
thread (one CPU family, one onnxruntime). A row that breaks the contract has an error, a row that cannot be
scored a reason; neither touches its neighbours. Knows nothing of policies, storage or who asks, and never
repeats a text.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from prefilter.models import manifest as manifests
from prefilter.models.calibrator import CalibrationError, Calibrator
from prefilter.models.labels import HEADS
from prefilter.models.language import read
from prefilter.models.manifest import Manifest
from prefilter.models.registry import resolve
from prefilter.models.text import MAX_CHARS, RowError, check_text, normalise
from prefilter.models.windows import Window, load_tokenizer, windows

FULL = "full"
INTERNAL_FAULT = "internal_fault"
EVIDENCE_SCORE, EVIDENCE_COUNT = 0.3, 3
SELF_TEST = ("The library opens at nine and closes at six.", "A second, longer text about bread. " * 40)

log = logging.getLogger(__name__)


class ScorerError(RuntimeError):
    """The model cannot be loaded or does not answer as it must; no text is in the message."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The window that decided a category: code-point span [start, end) of the text as sent, and the score."""

    category: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Scored:
    """One row's answer: `error` (contract broken), else `unscored` (the reason code), else `scores`.

    `scores`: every head of the model as float32, empty without a score. `tokens_seen` of `tokens_total`
    word pieces were read, overlap counted once. `language`: declared or identified, None where unknown.
    """

    scores: dict[str, np.float32]
    error: RowError | None = None
    unscored: str | None = None
    tokens_seen: int = 0
    tokens_total: int = 0
    windows: int = 0
    stage: str = FULL
    evidence: tuple[Evidence, ...] = ()
    language: str | None = None


class Scorer:
    """A loaded model. Thread-safe; as many rows are scored at once as it has sessions."""

    def __init__(
        self,
        manifest: Manifest,
        tokenizer: Tokenizer,
        calibrator: Calibrator,
        sessions: Sequence[ort.InferenceSession],
        *,
        max_chars: int | None = MAX_CHARS,
    ) -> None:
        self.manifest = manifest
        self.model_version = manifest.version
        self.categories = manifest.categories
        self.uncalibrated = manifest.uncalibrated
        self.threads = len(sessions)
        self.max_chars = max_chars
        self._tokenizer = tokenizer
        self._unknown: int | None = tokenizer.token_to_id("[UNK]")
        self._calibrator = calibrator
        self._wants_mask = any(i.name == "attention_mask" for i in sessions[0].get_inputs())
        self._idle: queue.SimpleQueue[ort.InferenceSession] = queue.SimpleQueue()
        for session in sessions:
            self._idle.put(session)

    @classmethod
    def load(
        cls, model: str | Path | None = None, *, threads: int = 1, max_chars: int | None = MAX_CHARS
    ) -> Scorer:
        """The model by name, by folder, or the default one, with `threads` one-thread sessions.

        Every file's sha256 is checked first. Raises `RegistryError` (no such model), `ManifestError` (a file
        differs) or `ScorerError` (the files do not make a model).
        """
        if threads < 1:
            raise ValueError("threads must be at least 1")
        folder = resolve(model)
        manifest = manifests.verify(folder)
        try:
            tokenizer = load_tokenizer(manifest.read(folder, manifests.TOKENIZER))
            calibrator = Calibrator.from_json(manifest.read(folder, manifests.CALIBRATION))
            network = manifest.read(folder, manifests.MODEL)
            sessions = [_session(network) for _ in range(threads)]
        except manifests.ManifestError:
            raise
        except CalibrationError as error:
            raise ScorerError(f"model {manifest.name}: {error}") from error
        except Exception as error:
            raise ScorerError(f"model {manifest.name} cannot be loaded: {type(error).__name__}") from error
        if calibrator.heads != manifest.heads or set(manifest.heads) - set(HEADS):
            raise ScorerError(f"model {manifest.name}: manifest and calibration name different heads")
        return cls(manifest, tokenizer, calibrator, sessions, max_chars=max_chars)

    def score(
        self, texts: Sequence[object], *, languages: Sequence[str | None] | None = None
    ) -> list[Scored]:
        """One answer per text, in order.

        Raises TypeError for one bare text, whose characters would pass for texts, ValueError for a `languages`
        of another length, and never for a row.
        """
        if isinstance(texts, str | bytes | bytearray):
            raise TypeError("score takes a list of texts; for one text there is score_one")
        declared = [None] * len(texts) if languages is None else list(languages)
        if len(declared) != len(texts):
            raise ValueError(f"{len(declared)} languages for {len(texts)} texts")
        if self.threads == 1 or len(texts) < 2:
            return [self.score_one(t, language=tongue) for t, tongue in zip(texts, declared, strict=True)]
        with ThreadPoolExecutor(self.threads, thread_name_prefix="score") as pool:
            return list(pool.map(lambda t, tongue: self.score_one(t, language=tongue), texts, declared))

    def score_one(self, text: object, *, language: str | None = None) -> Scored:
        """The answer for one text; never raises for what is in it."""
        error = check_text(text, max_chars=self.max_chars)
        if error is not None:
            return Scored({}, error=error)
        assert isinstance(text, str)
        try:
            return self._score(text, language)
        except Exception as fault:
            log.error("a row could not be scored: %s", type(fault).__name__)
            return Scored({}, unscored=INTERNAL_FAULT)

    def self_test(self) -> None:
        """Score two known texts twice; raises `ScorerError` unless both answers are whole and equal."""
        for text in SELF_TEST:
            first, second = self._score(text, "en"), self._score(text, "en")
            if first != second or set(first.scores) != set(self.manifest.heads):
                raise ScorerError("the self-test did not give one whole answer")

    def _score(self, text: str, declared: str | None) -> Scored:
        normalised = normalise(text)
        length, overlap = self.manifest.window["length"], self.manifest.window["overlap"]
        cut, total = windows(normalised, self._tokenizer, length=length, overlap=overlap)
        reading = read(normalised.text, declared=declared, unknown_share=self._unknown_share(cut))
        if reading.reason is not None:
            return Scored({}, unscored=reading.reason, tokens_total=total, language=reading.language)
        probabilities, deciding = self._calibrator.apply(self._logits(cut))
        scores = dict(zip(self.manifest.heads, probabilities, strict=True))
        return Scored(
            scores,
            tokens_seen=total,
            tokens_total=total,
            windows=len(cut),
            evidence=_evidence(text, cut, scores, deciding),
            language=reading.language,
        )

    def _unknown_share(self, cut: list[Window]) -> float:
        """Unknown word pieces among all; a text without any piece is unknown altogether."""
        pieces = sum(len(w.ids) - 2 for w in cut)
        unknown = sum(int((w.ids == self._unknown).sum()) for w in cut)
        return unknown / pieces if pieces else 1.0

    def _logits(self, cut: list[Window]) -> NDArray[np.float32]:
        """float32 [windows, heads]; raises `ScorerError` for anything that is not finite."""
        with self._session() as session:
            rows = [session.run(["logits"], self._feed(window.ids))[0] for window in cut]
        logits = np.concatenate(rows).astype(np.float32, copy=False)
        if logits.shape != (len(cut), len(self.manifest.heads)) or not np.isfinite(logits).all():
            raise ScorerError("the network's answer is not whole")
        return logits

    def _feed(self, ids: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        feed = {"input_ids": ids[None, :]}
        if self._wants_mask:
            feed["attention_mask"] = np.ones_like(feed["input_ids"])
        return feed

    @contextmanager
    def _session(self) -> Iterator[Any]:
        session = self._idle.get()
        try:
            yield session
        finally:
            self._idle.put(session)


def _session(network: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def _evidence(
    text: str, cut: list[Window], scores: dict[str, np.float32], deciding: NDArray[np.int64]
) -> tuple[Evidence, ...]:
    """The deciding windows of the highest head and of all that count, three at most, highest first."""
    ranked = sorted(enumerate(scores.items()), key=lambda item: -item[1][1])
    found = []
    for rank, (head, (name, score)) in enumerate(ranked[:EVIDENCE_COUNT]):
        if rank and score < EVIDENCE_SCORE:
            break
        window = cut[int(deciding[head])]
        part = text[window.start : window.end]
        start = window.start + len(part) - len(part.lstrip())
        end = window.end - (len(part) - len(part.rstrip()))
        found.append(Evidence(name, start, max(end, start), float(score)))
    return tuple(found)
