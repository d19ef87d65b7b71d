"""What a user would otherwise pick, timed beside ours: the same texts, the same core, in turn, in one run.

    .venv/bin/python bench/rivals.py -o docs/performance/rivals.json

Every rival has an environment of its own below `--venvs`, made on the first run. Each scores the next slice of the
texts, then ours scores the same slice: exactly, and with the fast stage where the live model has a certificate. All
run on one core with one thread; infinity-emb and our server are compared over HTTP on all cores (see servers.py).
The texts are the web-like stream, by default; without PREFILTER_DATA_DIR they are made ones of 450 characters, and
the document says so. Progress goes to stderr; the last line of stdout is the document.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import servers
from contestant import Contestant
from environment import python_of

from prefilter.eval.bench import bench_document
from prefilter.eval.bench.mild_texts import text_of
from prefilter.eval.suites.web_stream import web_stream

HERE = Path(__file__).parent
RIVALS = {
    "detoxify": ("Detoxify, BERT-base, PyTorch fp32", "rival_detoxify.py", 24),
    "onnx-bert": ("BERT-base, onnxruntime int8", "rival_onnx_bert.py", 32),
    "profanity": ("alt-profanity-check, linear", "rival_profanity.py", 96),
}
"""By environment: what it is, its script, and how many texts of a slice it scores: few of what is slow."""
INFINITY = "infinity"
WARM = ["The library opens at nine, and closes at six."] * 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Time every rival that was asked for and print the document."""
    asked = _parser().parse_args(arguments)
    venvs = asked.venvs or Path(tempfile.mkdtemp(prefix="rivals-"))
    pythons = {name: python_of(name, venvs.absolute()) for name in asked.only}
    found: dict[str, Any] = {}
    texts, said = _texts(asked.rounds)
    for name in (name for name in RIVALS if name in pythons):
        found |= _beside(name, pythons[name], texts, rounds=asked.rounds)
    if INFINITY in pythons:
        bench_document.say("rivals: infinity-emb and our server, our own graph over HTTP")
        served = servers.measure(pythons[INFINITY], rounds=asked.rounds, seconds=asked.seconds)
        found["infinity-emb, our own graph, batches of 64 over HTTP"] = {"version": _version(venvs), **served}
    made = bench_document.make("rivals", _command(asked), {"texts": said, "rivals": found})
    if asked.output is not None:
        bench_document.keep(made, asked.output)
    sys.stdout.write(json.dumps(made) + "\n")
    return 0


def _beside(name: str, python: Path, texts: Sequence[str], *, rounds: int) -> dict[str, Any]:
    """One rival in each of its ways beside ours, slice by slice."""
    title, script, number = RIVALS[name]
    core = min(os.sched_getaffinity(0))
    with ExitStack() as stack:
        rival = stack.enter_context(Contestant(python, HERE / script, core=core))
        ours = stack.enter_context(Contestant(Path(sys.executable), HERE / "ours.py", core=core))
        asks: dict[tuple[Contestant, str], list[dict[str, Any]]] = {
            (contestant, way): [] for contestant in (rival, ours) for way in contestant.ways
        }
        for contestant, way in asks:
            contestant.ask(way, WARM)
        for turn in range(rounds):
            bench_document.say(f"rivals: {title}, round {turn + 1} of {rounds}")
            part = texts[turn * number : (turn + 1) * number]
            for (contestant, way), taken in asks.items():
                taken.append(contestant.ask(way, part))
    own = {way: asks[(ours, way)] for way in ours.ways}
    return {
        f"{title}, {way}": {
            "version": rival.version,
            "texts": number * rounds,
            **_compared(asks[(rival, way)], own, number * rounds),
        }
        for way in rival.ways
    }


def _compared(rival: list[dict[str, Any]], own: dict[str, list[dict[str, Any]]], texts: int) -> dict[str, Any]:
    """Rates of a rival, and how many times faster ours was on the same texts."""
    seconds = sum(turn["seconds"] for turn in rival)
    pieces = sum(turn["pieces"] for turn in rival)
    figures: dict[str, Any] = {
        "docs_per_s": round(texts / seconds, 3),
        "tokens_per_s": round(pieces / seconds, 1) if pieces else None,
    }
    for way, turns in own.items():
        mine = sum(turn["seconds"] for turn in turns)
        figures[f"docs_per_s_ours_{way}"] = round(texts / mine, 3)
        figures[f"ratio_{way}"] = round(seconds / mine, 4)
        each = [a["seconds"] / b["seconds"] for a, b in zip(rival, turns, strict=True)]
        figures[f"ratio_{way}_of_rounds"] = [round(ratio, 3) for ratio in each]
    read = sum(turn["pieces"] for turn in own["exact"])
    figures["tokens_per_s_ours"] = round(read / sum(turn["seconds"] for turn in own["exact"]), 1)
    if pieces:
        figures["ratio_tokens"] = round(figures["tokens_per_s_ours"] / figures["tokens_per_s"], 3)
        figures["share_of_pieces_read"] = round(pieces / read, 3)
    return figures


def _texts(rounds: int) -> tuple[list[str], str]:
    """As many texts as the hungriest rival takes, and what they are."""
    most = max(number for _, _, number in RIVALS.values()) * rounds
    data = os.environ.get("PREFILTER_DATA_DIR")
    if data:
        return web_stream(Path(data), documents=max(400, most)).texts[:most], "the web-like stream"
    return [text_of(450, number) for number in range(most)], "made texts of 450 characters"


def _version(venvs: Path) -> str:
    found = sorted((venvs / INFINITY / "lib").glob("python*/site-packages/infinity_emb-*.dist-info"))
    return found[-1].name.removesuffix(".dist-info").replace("_emb-", "-emb ") if found else ""


def _command(asked: argparse.Namespace) -> str:
    return f"python bench/rivals.py --rounds {asked.rounds} --seconds {asked.seconds:g} --only {' '.join(asked.only)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench/rivals.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venvs", type=Path, help="the folder of the environments; default: a new temporary one")
    parser.add_argument("--rounds", type=int, default=4, help="how often the turns go round")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn over HTTP")
    parser.add_argument("--only", nargs="+", choices=[*RIVALS, INFINITY], default=[*RIVALS, INFINITY])
    parser.add_argument("-o", "--output", type=Path, help="also write the document there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
