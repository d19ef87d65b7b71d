"""Clearance: the fast stage of an artefact with its certificates, and the only place where it answers a text.

It answers a text that a certificate clears and that is certainly in a language the model reads, and no other; all
others go on to the transformer. Without a certificate for exactly the caller's edges nothing is cleared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer

from prefilter.models.fast.fast_stage import Certificate, FastStage, FastStageError
from prefilter.models.scored import FAST, Scored
from prefilter.models.text.language import read
from prefilter.models.text.windows import spellable


class Clearance:
    """A fast stage and the certificates under which it may clear."""

    def __init__(self, stage: FastStage, certificates: Mapping[str, Certificate], tokenizer: Tokenizer) -> None:
        """Raises `FastStageError` for a certificate whose verdict the stage does not give."""
        for certificate in certificates.values():
            if certificate.verdict not in stage.outputs:
                raise FastStageError(f"certificate {certificate.name} names an unknown verdict")
        self.stage = stage
        self.certificates = dict(certificates)
        self._unspellable = spellable(tokenizer)

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        *,
        outputs: Sequence[str],
        certificates: Sequence[Mapping[str, object]],
        tokenizer: Tokenizer,
    ) -> Clearance:
        """The fast stage in an npz file under the certificates issued for it; raises `FastStageError`."""
        stage = FastStage.from_bytes(data, outputs=outputs)
        issued = [Certificate.from_json(body) for body in certificates]
        return cls(stage, {certificate.name: certificate for certificate in issued}, tokenizer)

    def certificate_for(self, edges: Mapping[str, float]) -> str | None:
        """The name of the strictest certificate issued for exactly these edges, None where there is none."""
        fitting = [c for c in self.certificates.values() if c.covers(edges)]
        return min(fitting, key=lambda c: c.cut).name if fitting else None

    def answer(self, text: str, declared: str | None, certificate: str) -> Scored | None:
        """The answer for a normalised text that is cleared, None for one that the transformer must score.

        Raises KeyError for a certificate that was not issued.
        """
        issued = self.certificates[certificate]
        if not text.isascii() and self._unspellable.search(text) is not None:
            return None
        scores = self.stage.clear(text, issued)
        if scores is None:
            return None
        reading = read(text, declared=declared, unknown_share=0.0)
        if reading.reason is not None:
            return None
        return Scored(scores, stage=FAST, language=reading.language)
