"""`prefilter bench streamed`: model output through `/v1/stream`, and what each bound lets out.

A real server, asked over WebSockets by streams of tokens at the pace of a chat model, some at once. A chunk's wait
runs from the token that ends it to its coming out: under a small bound it is held until its window is whole, under
the largest nothing is, and what is left is the server and the wait for a word's end. The answers replayed for the
bounds are labelled ones; where the data is not there, that part is left out.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from prefilter.eval.bench.bench_document import say
from prefilter.eval.bench.bench_server import Server, started
from prefilter.eval.bench.mild_texts import text_of
from prefilter.eval.bench.replay import looks_of, refused_meanwhile, replay
from prefilter.eval.suites.suite import load_suite
from prefilter.models.scorer import Scorer
from prefilter.serving.policy.presets import load_preset

TOKEN_CHARS, TOKENS_PER_S = 4, 50
BOUNDS = (0, 100, 200, 400, 800)
ANSWERS = {"benign_model_outputs_refusaldir": 150, "beavertails_30k_test": 250, "gptfuzz_responses": 80}
SHORTEST_CHARS = 150


@dataclass(slots=True)
class Watched:
    """One stream: when each token was sent and each release came, in seconds."""

    sent: list[float] = field(default_factory=list)
    came: list[tuple[float, int]] = field(default_factory=list)

    def first_s(self) -> float:
        """From the first token to the first text out."""
        return self.came[0][0] - self.sent[0]

    def waits_s(self) -> list[float]:
        """Of each release: from its last character's token to its coming."""
        return [at - self.sent[min(end - 1, len(self.sent) * TOKEN_CHARS - 1) // TOKEN_CHARS] for at, end in self.came]


def bench(*, data_dir: Path | None, streams: Sequence[int], answers: int, chars: int) -> dict[str, Any]:
    """Measure so many streams of `answers` answers of `chars` characters, for every bound one stream, and replay
    labelled answers."""
    figures: dict[str, Any] = {
        "tokens_per_s_of_a_stream": TOKENS_PER_S,
        "token_chars": TOKEN_CHARS,
        "answer_chars": chars,
    }
    with started() as server:
        for bound in BOUNDS:
            _policy(server, bound)
        asyncio.run(_watch(server, BOUNDS[-1], streams=1, answers=1, chars=chars))
        figures["bounds"] = {}
        for bound in BOUNDS:
            say(f"streamed: a bound of {bound} characters")
            watched = asyncio.run(_watch(server, bound, streams=1, answers=answers, chars=chars))
            figures["bounds"][str(bound)] = _figures(watched)
        figures["streams"] = {}
        for number in streams:
            say(f"streamed: {number} streams at once")
            watched = asyncio.run(_watch(server, BOUNDS[-1], streams=number, answers=answers, chars=chars))
            figures["streams"][str(number)] = _figures(watched)
    if data_dir is not None:
        figures["replayed"] = _replayed(data_dir)
    return figures


def _policy(server: Server, bound: int) -> None:
    preset = load_preset("model-output").to_body()
    body = {**preset, "streaming": {"max_unsafe_chars": bound}, "reason": "a bound to measure"}
    caller = server.connect()
    version = caller.post(f"/v1/policies/bound-{bound}/versions", body)["version"]
    caller.post(f"/v1/policies/bound-{bound}/versions/{version}/activate", {"reason": "measure"})


async def _watch(server: Server, bound: int, *, streams: int, answers: int, chars: int) -> list[Watched]:
    async def one(number: int) -> list[Watched]:
        await asyncio.sleep(number / streams / TOKENS_PER_S)
        return [await _stream(server, bound, text_of(chars, number * answers + turn)) for turn in range(answers)]

    return [watched for many in await asyncio.gather(*map(one, range(streams))) for watched in many]


async def _stream(server: Server, bound: int, text: str) -> Watched:
    """One answer at the pace of a model; raises RuntimeError where it does not come out whole."""
    watched, out = Watched(), 0
    headers = {"Authorization": f"Bearer {server.key}"}
    async with connect(f"ws://127.0.0.1:{server.port}/v1/stream", additional_headers=headers) as socket:
        await socket.send(json.dumps({"type": "start", "policy": f"bound-{bound}", "language": "en"}))

        async def write() -> None:
            begun = time.perf_counter()
            for place, at in enumerate(range(0, len(text), TOKEN_CHARS)):
                await asyncio.sleep(max(0.0, begun + place / TOKENS_PER_S - time.perf_counter()))
                watched.sent.append(time.perf_counter())
                await socket.send(json.dumps({"type": "text", "text": text[at : at + TOKEN_CHARS]}))
            await socket.send(json.dumps({"type": "end"}))

        writing = asyncio.create_task(write())
        async for message in socket:
            event = json.loads(message)
            if event["type"] == "release":
                out += len(event["text"])
                watched.came.append((time.perf_counter(), out))
        await writing
    if out != len(text):
        raise RuntimeError(f"a mild answer was {event['type']}: {event.get('because') or event.get('error')}")
    return watched


def _figures(watched: Sequence[Watched]) -> dict[str, Any]:
    return {
        "answers": len(watched),
        "first_release_ms": _ms([w.first_s() for w in watched]),
        "chunk_ms": _ms([s for w in watched for s in w.waits_s()]),
    }


def _replayed(data_dir: Path) -> dict[str, Any]:
    scorer, policy = Scorer.load(), load_preset("model-output")
    texts: list[str] = []
    for name, number in ANSWERS.items():
        say(f"streamed: answers of {name}")
        read = load_suite(name, data_dir=data_dir).texts
        long = [text for text in read if isinstance(text, str) and len(text) > SHORTEST_CHARS]
        texts += [long[place] for place in np.random.default_rng(1).permutation(len(long))[:number]]
    looks = [looks_of(text, scorer, policy) for text in texts]
    return {
        "suites": ANSWERS,
        "policy": "model-output",
        **refused_meanwhile(looks),
        "bounds": [replay(texts, looks, bound) for bound in BOUNDS],
    }


def _ms(seconds: Sequence[float]) -> dict[str, float]:
    p50, p99 = np.quantile(seconds, (0.5, 0.99))
    return {"p50": round(float(p50) * 1e3, 1), "p99": round(float(p99) * 1e3, 1)}
