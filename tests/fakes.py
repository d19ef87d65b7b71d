"""A real artefact that is small: a real ONNX graph, tokenizer, calibration and manifest, made in a moment.

Its network knows a dozen mild words: each gives its categories a score near .95, `dubious` gives all near
.5, any other text stays below .05 everywhere. A word in the context counts for less (near .75), and the words
are the evidence. So a test can choose what a text scores, beside what, and where it is marked, without any
trained model.
"""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from prefilter.models.calibrator import Calibrator, Curve
from prefilter.models.labels import ANY, CATEGORIES, HEADS
from prefilter.models.manifest import Manifest

HARMFUL_WORDS = {
    "rude": ("toxicity", "insult"),
    "curse": ("toxicity", "profanity"),
    "bully": ("toxicity", "harassment"),
    "scorn": ("toxicity", "hate"),
    "menace": ("toxicity", "threat"),
    "brawl": ("violence",),
    "lewd": ("sexual",),
    "despair": ("self_harm",),
    "smuggle": ("illicit",),
}
DUBIOUS = "dubious"
CLEAN_TEXT = "The library opens at nine."
HARMFUL_TEXT = "That was a rude thing to say."
BORDERLINE_TEXT = "That was a dubious thing to say."
CONTEXT_PIECES = 24


def build_artefact(
    path: Path,
    *,
    name: str = "fake-1",
    uncalibrated: tuple[str, ...] = ("illicit",),
    context: int = CONTEXT_PIECES,
    spans: bool = True,
) -> Path:
    """Write an artefact that `Scorer.load(path)` takes; returns the folder.

    `context=0, spans=False` makes what the first release was: a model of texts alone, without evidence.
    """
    path.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(path / "tokenizer.json"))
    onnx.save(_network(tokenizer, context=context > 0, spans=spans), str(path / "model.onnx"))
    calibrator = Calibrator(HEADS, tuple(Curve(1.0, 0.0, -0.1) for _ in HEADS))
    (path / "calibration.json").write_text(calibrator.to_json(), encoding="utf-8")
    (path / "README.md").write_text("# A model for tests\n", encoding="utf-8")
    Manifest(
        name=name,
        version=name,
        created_at="2026-01-01T00:00:00+00:00",
        categories=CATEGORIES,
        heads=HEADS,
        uncalibrated=uncalibrated,
        encoder="none",
        languages=("en",),
        window={"length": 128, "overlap": 32, **({"context": context} if context else {})},
        training_sources=({"name": "none", "licence": "open", "rows": 0},),
        calibration_mix=dict.fromkeys(HEADS, 0.1),
        spans=dict.fromkeys(HEADS, 0.0) if spans else {},
    ).write(path)
    return path


def _tokenizer() -> Tokenizer:
    characters = sorted(set(string.ascii_lowercase + string.digits + string.punctuation))
    words = [*HARMFUL_WORDS, DUBIOUS]
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*marks, *characters, *(f"##{c}" for c in characters), *words]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(marks)
    return tokenizer


def _network(tokenizer: Tokenizer, *, context: bool, spans: bool) -> onnx.ModelProto:
    """logits = what the loudest piece says, and a little of the mean, so that every text differs."""
    random = np.random.default_rng(7)
    table = np.full((tokenizer.get_vocab_size(), len(HEADS)), -4.0, dtype=np.float32)
    noise = random.normal(0, 0.3, table.shape).astype(np.float32)
    table[tokenizer.token_to_id(DUBIOUS)] = 0.0
    for word, categories in HARMFUL_WORDS.items():
        for head in (*categories, ANY):
            table[tokenizer.token_to_id(word), HEADS.index(head)] = 3.0
    # A piece of the context (type 1) says 2 less than one of the text.
    softer = [
        helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["types", "two"], ["less"]),
        helper.make_node("Unsqueeze", ["less", "last"], ["less_each"]),
        helper.make_node("Sub", ["said", "less_each"], ["heard"]),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["said"]),
        helper.make_node("Gather", ["noise", "input_ids"], ["murmured"]),
        *(softer if context else [helper.make_node("Identity", ["said"], ["heard"])]),
        helper.make_node("ReduceMax", ["heard", "pieces"], ["highest"], keepdims=0),
        helper.make_node("ReduceMean", ["murmured", "pieces"], ["mean"], keepdims=0),
        helper.make_node("Add", ["highest", "mean"], ["logits"]),
        *([helper.make_node("Identity", ["said"], ["evidence"])] if spans else []),
    ]
    ids = ["input_ids", "token_type_ids"] if context else ["input_ids"]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(HEADS)])]
    if spans:
        shape = ["batch", "pieces", len(HEADS)]
        outputs.append(helper.make_tensor_value_info("evidence", TensorProto.FLOAT, shape))
    graph = helper.make_graph(
        nodes,
        "fake",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "pieces"]) for name in ids],
        outputs,
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(noise, "noise"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "pieces"),
            numpy_helper.from_array(np.array([-1], dtype=np.int64), "last"),
            numpy_helper.from_array(np.array(2.0, dtype=np.float32), "two"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
