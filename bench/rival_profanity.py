"""alt-profanity-check, a public linear model on words, as a contestant."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from contestant import compete
from profanity_check import predict_prob


def main() -> None:
    """Compete with the package's own `predict_prob` on the whole list."""

    def score(texts: Sequence[str]) -> object:
        return predict_prob(list(texts))

    score(["The library opens at nine."])
    compete(f"alt-profanity-check {version('alt-profanity-check')}", {"all at once": score})


if __name__ == "__main__":
    main()
