"""Ours, as a contestant: every text by the transformer, or the fast stage first where it is certified.

And the fast stage alone, which only says which texts are clear: what a linear model is to be compared with.
"""

from __future__ import annotations

from collections.abc import Sequence

from contestant import compete

from prefilter.models.scorer import Scorer
from prefilter.models.text.normalisation import normalise
from prefilter.serving.policy.presets import load_preset

POLICY = "pretraining-corpus"


def main() -> None:
    """Load the live model and compete; pieces are those of the whole texts, overlap once."""
    scorer = Scorer.load(threads=1, max_chars=None)
    certificate = scorer.certificate_for(load_preset(POLICY).edges_for(None))

    def exact(texts: Sequence[str]) -> object:
        return scorer.score(texts)

    def fast(texts: Sequence[str]) -> object:
        return scorer.score(texts, certificates=[certificate] * len(texts))

    def stage(texts: Sequence[str]) -> object:
        assert scorer.clearance is not None
        assert certificate is not None
        leave = scorer.clearance.certificates[certificate]
        return [scorer.clearance.stage.clear(normalise(text).text, leave) for text in texts]

    def pieces(texts: Sequence[str]) -> int:
        return sum(found.tokens_total for found in map(scorer.prepare, texts))

    exact(["The library opens at nine."] * 3)
    ways = {"exact": exact} | ({"fast": fast, "stage": stage} if certificate is not None else {})
    compete(scorer.model_version, ways, pieces=pieces)


if __name__ == "__main__":
    main()
