"""The scorer: from texts to calibrated scores, the only code that does this, in evaluation and in service.

One row per ONNX run on one-thread sessions: int8 takes one activation scale per tensor, so a row scored
among others would get another score. So a text's score is the same to the bit alone, in a batch and on any
thread (one CPU family, one onnxruntime). A row that breaks the contract has an error, a row that cannot be
scored a reason; neither touches its neighbours. A text is scored beside its context, what it answers, where
the model reads one; language and tokens are the text's. Knows nothing of policies, storage or who asks, and
never repeats a text.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from prefilter.models import manifest as manifests
from prefilter.models.calibrator import CalibrationError, Calibrator
from prefilter.models.context import check_context, given_context, unsupported
from prefilter.models.labels import HEADS
from prefilter.models.language import read
from prefilter.models.manifest import Manifest
from prefilter.models.registry import resolve
from prefilter.models.spans import Marker
from prefilter.models.text import MAX_CHARS, RowError, check_text, normalise
from prefilter.models.windows import MIN_ROOM, Window, context_pieces, load_tokenizer, windows

FULL = "full"
INTERNAL_FAULT = "internal_fault"
EVIDENCE_SCORE, EVIDENCE_COUNT = 0.3, 3
SELF_TEST = ("The library opens at nine and closes at six.", "A second, longer text about bread. " * 40)

T = TypeVar("T")

log = logging.getLogger(__name__)


class ScorerError(RuntimeError):
    """The model cannot be loaded or does not answer as it must; no text is in the message."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Code points [start, end) of the text as sent that speak for a category.

    As a deciding window, `score` is the category's; as a span, the sigmoid of its highest log-odds: how
    strong the evidence is, not a calibrated probability.
    """

    category: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Scored:
    """One row's answer: `error` (contract broken), else `unscored` (the reason code), else `scores`.

    `scores`: every head of the model as float32, empty without a score. `tokens_seen` of `tokens_total`
    word pieces of the text were read, overlap counted once; `context_seen` of `context_total` of its context.
    `evidence`: the deciding windows. `spans`: for every head that counts, what in the text speaks for it, in
    order and apart from each other; the deciding windows where the model gives no spans. `language`: declared
    or identified, None where unknown.
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
    spans: tuple[Evidence, ...] = ()
    context_seen: int = 0
    context_total: int = 0


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
        inputs, outputs = _names(sessions[0])
        self._wants_mask = "attention_mask" in inputs
        self._wants_types = "token_type_ids" in inputs
        self._outputs = ["logits", "evidence"] if manifest.spans else ["logits"]
        if manifest.context and not self._wants_types:
            raise ScorerError(f"model {manifest.name} cannot tell a context from a text")
        if manifest.window["length"] - 3 - manifest.context < MIN_ROOM:
            raise ScorerError(f"model {manifest.name} leaves no room beside a context")
        if set(self._outputs) - outputs:
            raise ScorerError(f"model {manifest.name} promises spans and gives no evidence")
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
        self,
        texts: Sequence[object],
        *,
        languages: Sequence[str | None] | None = None,
        contexts: Sequence[object] | None = None,
    ) -> list[Scored]:
        """One answer per text, in order.

        Raises TypeError for one bare text, whose characters would pass for texts, ValueError for `languages`
        or `contexts` of another length, and never for a row.
        """
        if isinstance(texts, str | bytes | bytearray):
            raise TypeError("score takes a list of texts; for one text there is score_one")
        declared = _beside(texts, languages, "languages")
        answered = _beside(texts, contexts, "contexts")

        def one(text: object, language: str | None, context: object) -> Scored:
            return self.score_one(text, language=language, context=context)

        if self.threads == 1 or len(texts) < 2:
            return list(map(one, texts, declared, answered))
        with ThreadPoolExecutor(self.threads, thread_name_prefix="score") as pool:
            return list(pool.map(one, texts, declared, answered))

    def score_one(self, text: object, *, language: str | None = None, context: object = None) -> Scored:
        """The answer for one text; never raises for what is in it or in its context."""
        error = check_text(text, max_chars=self.max_chars) or check_context(context, max_chars=self.max_chars)
        answered = given_context(context)
        if error is None and answered is not None and not self.manifest.context:
            error = unsupported()
        if error is not None:
            return Scored({}, error=error)
        assert isinstance(text, str)
        try:
            return self._score(text, language, answered)
        except Exception as fault:
            log.error("a row could not be scored: %s", type(fault).__name__)
            return Scored({}, unscored=INTERNAL_FAULT)

    def self_test(self) -> None:
        """Score two known texts twice, beside a context too where one is read.

        Raises `ScorerError` unless all answers are whole and equal.
        """
        for text in SELF_TEST:
            for context in (None, SELF_TEST[0]) if self.manifest.context else (None,):
                first, second = self._score(text, "en", context), self._score(text, "en", context)
                if first != second or set(first.scores) != set(self.manifest.heads):
                    raise ScorerError("the self-test did not give one whole answer")

    def _score(self, text: str, declared: str | None, context: str | None) -> Scored:
        normalised = normalise(text)
        length, overlap = self.manifest.window["length"], self.manifest.window["overlap"]
        behind, context_total = context_pieces(context or "", self._tokenizer, limit=self.manifest.context)
        cut, total = windows(normalised, self._tokenizer, length=length, overlap=overlap, context=behind)
        reading = read(normalised.text, declared=declared, unknown_share=self._unknown_share(cut))
        if reading.reason is not None:
            return Scored(
                {},
                unscored=reading.reason,
                tokens_total=total,
                context_total=context_total,
                language=reading.language,
            )
        logits, marks = self._run(cut)
        probabilities, deciding = self._calibrator.apply(logits)
        scores = dict(zip(self.manifest.heads, probabilities, strict=True))
        ranked = _ranked(text, cut, scores, deciding)
        return Scored(
            scores,
            tokens_seen=total,
            tokens_total=total,
            windows=len(cut),
            evidence=tuple(ranked[:EVIDENCE_COUNT]),
            language=reading.language,
            spans=self._spans(Marker(text, cut, marks), ranked, deciding) if marks else tuple(ranked),
            context_seen=len(behind),
            context_total=context_total,
        )

    def _unknown_share(self, cut: list[Window]) -> float:
        """Unknown word pieces among all of the text; a text without any piece is unknown altogether."""
        pieces = sum(len(w.pieces) for w in cut)
        unknown = sum(int((w.ids[1 : 1 + len(w.pieces)] == self._unknown).sum()) for w in cut)
        return unknown / pieces if pieces else 1.0

    def _run(self, cut: list[Window]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Logits [windows, heads] and, where the model gives spans, each window's evidence [pieces, heads].

        Raises `ScorerError` for anything that is not finite or of another shape.
        """
        with self._session() as session:
            rows = [session.run(self._outputs, self._feed(window)) for window in cut]
        logits = np.concatenate([row[0] for row in rows]).astype(np.float32, copy=False)
        heads = len(self.manifest.heads)
        marks = [
            row[1][0, 1 : 1 + len(window.pieces)] for window, row in zip(cut, rows, strict=True) if row[1:]
        ]
        whole = logits.shape == (len(cut), heads) and bool(np.isfinite(logits).all())
        for window, mark in zip(cut, marks, strict=False):
            whole = whole and mark.shape == (len(window.pieces), heads) and bool(np.isfinite(mark).all())
        if not whole:
            raise ScorerError("the network's answer is not whole")
        return logits, marks

    def _feed(self, window: Window) -> dict[str, NDArray[np.int64]]:
        feed = {"input_ids": window.ids[None, :]}
        if self._wants_types:
            feed["token_type_ids"] = window.types[None, :]
        if self._wants_mask:
            feed["attention_mask"] = np.ones_like(feed["input_ids"])
        return feed

    def _spans(
        self, marker: Marker, ranked: list[Evidence], deciding: NDArray[np.int64]
    ) -> tuple[Evidence, ...]:
        """The spans of the heads that count; a head that gives none has its deciding window."""
        found: list[Evidence] = []
        for window in ranked:
            head, edge = self.manifest.heads.index(window.category), self.manifest.spans.get(window.category)
            spans = [] if edge is None else marker.spans(head, edge=edge, deciding=int(deciding[head]))
            found += [Evidence(window.category, s.start, s.end, s.strength) for s in spans] or [window]
        return tuple(found)

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


def _names(session: ort.InferenceSession) -> tuple[set[str], set[str]]:
    """The names of the network's inputs and of its outputs."""
    return {i.name for i in session.get_inputs()}, {o.name for o in session.get_outputs()}


def _beside(texts: Sequence[object], given: Sequence[T] | None, name: str) -> list[T | None]:
    """What stands beside each text; raises ValueError for another number of them."""
    found: list[T | None] = [None] * len(texts) if given is None else list(given)
    if len(found) != len(texts):
        raise ValueError(f"{len(found)} {name} for {len(texts)} texts")
    return found


def _ranked(
    text: str, cut: list[Window], scores: dict[str, np.float32], deciding: NDArray[np.int64]
) -> list[Evidence]:
    """The deciding windows of the highest head and of all others that count, highest first."""
    ranked = sorted(enumerate(scores.items()), key=lambda item: -item[1][1])
    found = []
    for rank, (head, (name, score)) in enumerate(ranked):
        if rank and score < EVIDENCE_SCORE:
            break
        window = cut[int(deciding[head])]
        part = text[window.start : window.end]
        start = window.start + len(part) - len(part.lstrip())
        end = window.end - (len(part) - len(part.rstrip()))
        found.append(Evidence(name, start, max(end, start), float(score)))
    return found
