"""The scorer: from texts to calibrated scores, the only code that does this, in evaluation and in service.

A text is prepared (checked, normalised, its language identified, cut into windows) and then finished (the network runs,
its logits are calibrated); a service does the two on different threads. A text's score is the same to the bit alone, in
a batch and on any thread (see `onnx_network`). A row that breaks the contract has an error, a row that cannot be scored
a reason; neither affects its neighbours. Where the caller names a certificate, the fast stage may clear a text before
it is tokenized. Knows nothing of policies, storage or callers, and never repeats a text.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from prefilter.models.artefact import Artefact, ArtefactError
from prefilter.models.evidence import EVIDENCE_COUNT, deciding_windows, marked_spans
from prefilter.models.known_error import KnownError
from prefilter.models.manifest import Manifest
from prefilter.models.marker import Marker
from prefilter.models.onnx_network import Run
from prefilter.models.scored import Scored
from prefilter.models.text.context import check_context, given_context, unsupported
from prefilter.models.text.language import read
from prefilter.models.text.normalisation import MAX_CHARS, check_text, normalise
from prefilter.models.text.windows import Window

INTERNAL_FAULT = "internal_fault"
SELF_TEST = ("The library opens at nine and closes at six.", "A second, longer text about bread. " * 40)

T = TypeVar("T")

log = logging.getLogger(__name__)


class ScorerError(KnownError, RuntimeError):
    """The model cannot be loaded or does not answer as it must; no text is in the message."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text ready for the network: `windows` to run, and what is already known of the answer."""

    windows: tuple[Window, ...] = field(repr=False)
    text: str = field(repr=False)
    language: str | None
    tokens_total: int
    context_seen: int
    context_total: int
    repeat: bytes | None = field(default=None, repr=False)
    """The key under which its answer is kept, None where it is not."""

    @property
    def tokens(self) -> int:
        """Word pieces the network will read, marks, context and overlap included: what the run costs."""
        return sum(len(window.ids) for window in self.windows)


class RepeatStore(Protocol):
    """What the scorer needs of a store of answers given before; who makes the scorer owns it."""

    def serves(self, manifest: Manifest) -> bool:
        """Whether the answers in it are this model's."""
        ...

    def key(self, normalised: str, text: str, *, language: str | None, context: str | None) -> bytes:
        """The key of a question: `text` as sent and as `normalised`, its declared language, its context."""
        ...

    def get(self, key: bytes) -> Scored | None:
        """The answer kept under a key, None where there is none."""
        ...

    def put(self, key: bytes, scored: Scored) -> None:
        """Keep an answer, where it is one to be kept."""
        ...


class Scorer:
    """A loaded model. Thread-safe; `threads` windows are run at once."""

    def __init__(
        self, artefact: Artefact, *, max_chars: int | None = MAX_CHARS, repeats: RepeatStore | None = None
    ) -> None:
        """`repeats`: see `load`. Raises `ScorerError` where they are another model's."""
        manifest = artefact.manifest
        if repeats is not None and not repeats.serves(manifest):
            raise ScorerError(f"the repeats are not those of model {manifest.name}")
        self.manifest = manifest
        self.model_version = manifest.version
        self.categories = manifest.categories
        self.uncalibrated = manifest.uncalibrated
        self.clearance = artefact.clearance
        self.threads = artefact.network.threads
        self.max_chars = max_chars
        self._cutter = artefact.cutter
        self._unknown: int | None = artefact.tokenizer.token_to_id("[UNK]")
        self._calibrator = artefact.calibrator
        self._network = artefact.network
        self._repeats = repeats

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        threads: int = 1,
        max_chars: int | None = MAX_CHARS,
        repeats: RepeatStore | None = None,
    ) -> Scorer:
        """The model by name, by folder, or the default one, which runs `threads` windows at once.

        `repeats`: where this model's answers are kept and looked up, so that no text is run twice. Every
        file's sha256 is checked first. Raises `RegistryError` (no such model), `ManifestError` (a file
        differs) or `ScorerError` (the files do not make a model, or the repeats are another's).
        """
        if threads < 1:
            raise ValueError("threads must be at least 1")
        try:
            artefact = Artefact.open(model, threads=threads)
        except ArtefactError as error:
            raise ScorerError(str(error)) from error
        return cls(artefact, max_chars=max_chars, repeats=repeats)

    @property
    def reads_context(self) -> bool:
        """Whether a text is scored beside its context."""
        return bool(self.manifest.context)

    def certificate_for(self, edges: Mapping[str, float]) -> str | None:
        """The name of the certificate under which the fast stage may clear for a policy with these edges.

        `edges` maps each category to the score from which it is not allowed. A certificate holds for exactly
        the edges it was issued for; None where there is none, and then nothing is cleared.
        """
        return None if self.clearance is None else self.clearance.certificate_for(edges)

    def score(
        self,
        texts: Sequence[object],
        *,
        languages: Sequence[str | None] | None = None,
        contexts: Sequence[object] | None = None,
        certificates: Sequence[str | None] | None = None,
    ) -> list[Scored]:
        """One answer per text, in order.

        Raises TypeError for one bare text, whose characters would pass for texts, ValueError for
        `languages`, `contexts` or `certificates` of another length, and never for a row.
        """
        if isinstance(texts, str | bytes | bytearray):
            raise TypeError("score takes a list of texts; for one text there is score_one")
        declared = _beside(texts, languages, "languages")
        given = _beside(texts, contexts, "contexts")
        allowed = _beside(texts, certificates, "certificates")

        def one(text: object, language: str | None, context: object, certificate: str | None) -> Scored:
            return self.score_one(text, language=language, context=context, certificate=certificate)

        if self.threads == 1 or len(texts) < 2:
            return list(map(one, texts, declared, given, allowed))
        with ThreadPoolExecutor(self.threads, thread_name_prefix="score") as pool:
            return list(pool.map(one, texts, declared, given, allowed))

    def score_one(
        self,
        text: object,
        *,
        language: str | None = None,
        context: object = None,
        certificate: str | None = None,
    ) -> Scored:
        """The answer for one text; never raises for what is in it or in its context.

        `certificate`: one that `certificate_for` named, under which the fast stage may clear the text; None
        for the transformer's scores.
        """
        found = self.prepare(text, language=language, context=context, certificate=certificate)
        return found if isinstance(found, Scored) else self.finish(found)

    def prepare(
        self,
        text: object,
        *,
        language: str | None = None,
        context: object = None,
        certificate: str | None = None,
        keep: bool = True,
    ) -> Prepared | Scored:
        """Everything but the network: a text ready for `finish`, or its answer where no network is needed.

        `keep`: whether its answer may be kept among the repeats, and be one of them.
        """
        error = check_text(text, max_chars=self.max_chars) or check_context(context, max_chars=self.max_chars)
        before = given_context(context)
        if error is None and before is not None and not self.manifest.context:
            error = unsupported()
        if error is not None:
            return Scored({}, error=error)
        assert isinstance(text, str)
        try:
            return self._prepare(text, language, before, certificate, self._repeats if keep else None)
        except Exception as fault:
            return _faulted(fault)

    def run(self, window: Window) -> Run:
        """The network's output for one window of a prepared text; raises `NetworkError` where it is not complete."""
        return self._network.run(window)

    def finish(self, prepared: Prepared) -> Scored:
        """The answer for a prepared text: every window is run, and the logits are calibrated."""
        try:
            return self.conclude(prepared, [self.run(window) for window in prepared.windows])
        except Exception as fault:
            return _faulted(fault)

    def conclude(self, prepared: Prepared, runs: Sequence[Run]) -> Scored:
        """The answer for a prepared text from the runs of all its windows, in order."""
        try:
            found = self._conclude(prepared, runs)
            if prepared.repeat is not None and self._repeats is not None:
                self._repeats.put(prepared.repeat, found)
            return found
        except Exception as fault:
            return _faulted(fault)

    def self_test(self) -> None:
        """Score two known texts twice, beside a context too where one is read.

        Raises `ScorerError` unless all answers are complete and equal.
        """
        for text in SELF_TEST:
            for context in (None, SELF_TEST[0]) if self.manifest.context else (None,):
                first, second = (self._whole(text, "en", context) for _ in range(2))
                if first != second or set(first.scores) != set(self.manifest.heads):
                    raise ScorerError("the self-test did not give one whole answer")

    def _whole(self, text: str, language: str, context: str | None) -> Scored:
        prepared = self._prepare(text, language, context, None, None)
        if isinstance(prepared, Scored):
            return prepared
        return self._conclude(prepared, [self.run(window) for window in prepared.windows])

    def _prepare(
        self,
        text: str,
        declared: str | None,
        context: str | None,
        certificate: str | None,
        repeats: RepeatStore | None,
    ) -> Prepared | Scored:
        normalised = normalise(text)
        # Before the repeats: clearing costs less than a look-up, and no answer depends on what was kept before.
        if certificate is not None and context is None and self.clearance is not None:
            cleared = self.clearance.answer(normalised.text, declared, certificate)
            if cleared is not None:
                return cleared
        repeat = None
        if repeats is not None:
            repeat = repeats.key(normalised.text, text, language=declared, context=context)
            if (known := repeats.get(repeat)) is not None:
                return known
        cut = self._cutter.cut(normalised, context)
        reading = read(normalised.text, declared=declared, unknown_share=self._unknown_share(cut.windows))
        if reading.reason is not None:
            unread = Scored(
                {},
                unscored=reading.reason,
                tokens_total=cut.tokens,
                context_total=cut.context_total,
                language=reading.language,
            )
            if repeats is not None and repeat is not None:
                repeats.put(repeat, unread)
            return unread
        return Prepared(
            tuple(cut.windows), text, reading.language, cut.tokens, cut.context_seen, cut.context_total, repeat
        )

    def _conclude(self, prepared: Prepared, runs: Sequence[Run]) -> Scored:
        text, cut = prepared.text, prepared.windows
        marks = [run.marks for run in runs if run.marks is not None]
        probabilities, deciding = self._calibrator.apply(np.stack([run.logits for run in runs]))
        scores = dict(zip(self.manifest.heads, probabilities, strict=True))
        ranked = deciding_windows(text, cut, scores, deciding)
        spans = tuple(ranked)
        if marks:
            heads, edges = self.manifest.heads, self.manifest.spans
            spans = marked_spans(Marker(text, cut, marks), ranked, deciding, heads=heads, edges=edges)
        return Scored(
            scores,
            tokens_seen=prepared.tokens_total,
            tokens_total=prepared.tokens_total,
            windows=len(cut),
            evidence=tuple(ranked[:EVIDENCE_COUNT]),
            language=prepared.language,
            spans=spans,
            context_seen=prepared.context_seen,
            context_total=prepared.context_total,
        )

    def _unknown_share(self, cut: list[Window]) -> float:
        """The share of unknown word pieces in a text; 1 for a text without any piece."""
        pieces = sum(len(w.pieces) for w in cut)
        unknown = sum(int((w.ids[1 : 1 + len(w.pieces)] == self._unknown).sum()) for w in cut)
        return unknown / pieces if pieces else 1.0


def _faulted(fault: Exception) -> Scored:
    log.error("a row could not be scored: %s", type(fault).__name__)
    return Scored({}, unscored=INTERNAL_FAULT)


def _beside(texts: Sequence[object], given: Sequence[T] | None, name: str) -> list[T | None]:
    """One value per text; raises ValueError for another number of them."""
    found: list[T | None] = [None] * len(texts) if given is None else list(given)
    if len(found) != len(texts):
        raise ValueError(f"{len(found)} {name} for {len(texts)} texts")
    return found
