"""The real `openai` SDK and LangChain against `/v1/moderations`: only the base URL and the key are changed.

A real server over loopback with the shipped model. The rude text is a playground's.
"""

from __future__ import annotations

import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from langchain.agents import create_agent
from langchain_classic.chains import OpenAIModerationChain
from langchain_openai import ChatOpenAI
from langchain_openai.middleware import OpenAIModerationMiddleware
from openai import AsyncOpenAI, OpenAI

from chat_server import chat_server
from fakes import CLEAN_TEXT, build_artefact
from prefilter.models.manifest import Manifest
from prefilter.models.registry import resolve
from served import Started, key_of, server
from serving_samples import OPENAI_NAMES

RUDE_TEXT = "Shut up, you silly clown."


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    home = tmp_path_factory.mktemp("served") / "home"
    with server(home, resolve(), PREFILTER_MAX_BODY_BYTES="100000") as running:
        yield running


def made_key(started: Started, role: str) -> str:
    """Return a new key of a role."""
    admin = {"Authorization": f"Bearer {key_of(started)}"}
    body = {"role": role, "name": f"{role} {time.monotonic_ns()}"}
    return str(httpx.post(f"{started.url}/v1/keys", headers=admin, json=body).json()["key"])


@pytest.fixture(scope="module")
def key(started: Started) -> str:
    return made_key(started, "pipeline")


@pytest.fixture
def client(started: Started, key: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{started.url}/v1", api_key=key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def exported(started: Started, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user of OpenAI exports, with our address."""
    monkeypatch.setattr(openai, "api_key", None)  # LangChain sets it
    monkeypatch.setenv("OPENAI_BASE_URL", f"{started.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", key)


def test_one_text_comes_back_as_the_sdks_own_model_with_all_13_categories(client: OpenAI) -> None:
    answer = client.moderations.create(model="omni-moderation-latest", input=RUDE_TEXT)
    assert re.fullmatch(r"modr-\w+", answer.id)
    assert answer.model == Manifest.load(resolve()).version
    (result,) = answer.results
    assert result.flagged is True
    assert result.categories.harassment is True
    assert result.categories.self_harm_instructions is False
    assert result.category_scores.harassment > 0.5 > result.category_scores.sexual_minors
    for part, kind in (
        (result.categories, bool), (result.category_scores, float), (result.category_applied_input_types, list)
    ):  # fmt: skip
        fields = part.model_dump(by_alias=True)
        assert set(fields) == OPENAI_NAMES
        assert {type(value) for value in fields.values()} == {kind}
    assert result.category_applied_input_types.violence_graphic == ["text"]


def test_a_list_has_a_result_per_text_and_parts_are_one_text(client: OpenAI) -> None:
    listed = client.moderations.create(input=[CLEAN_TEXT, RUDE_TEXT, CLEAN_TEXT])
    assert [result.flagged for result in listed.results] == [False, True, False]
    parts: Any = [{"type": "text", "text": CLEAN_TEXT}, {"type": "text", "text": RUDE_TEXT}]
    (whole,) = client.moderations.create(input=parts).results
    assert whole.flagged
    (joined,) = client.moderations.create(input=f"{CLEAN_TEXT}\n{RUDE_TEXT}").results
    assert whole.category_scores == joined.category_scores


def test_what_openai_has_no_word_for_is_an_extra_of_each_result(client: OpenAI) -> None:
    clean, rude = client.moderations.create(input=[CLEAN_TEXT, RUDE_TEXT]).results
    assert (clean.x_prefilter["outcome"], rude.x_prefilter["outcome"]) == ("allow", "block")
    assert rude.x_prefilter["because"][0]["category"]
    assert rude.x_prefilter["policy"] == {"name": "model-output", "version": 1}
    assert all(0 <= span["start"] < span["end"] <= len(RUDE_TEXT) for span in rude.x_prefilter["spans"])
    assert rude.x_prefilter["tokens"]["seen"] == rude.x_prefilter["tokens"]["total"] > 0


@pytest.mark.anyio
async def test_the_async_client_gets_the_same(started: Started, key: str, client: OpenAI) -> None:
    async with AsyncOpenAI(base_url=f"{started.url}/v1", api_key=key) as other:
        answer = await other.moderations.create(input=[CLEAN_TEXT, RUDE_TEXT])
        with pytest.raises(openai.BadRequestError):
            await other.moderations.create(input=[])
        async with other.moderations.with_streaming_response.create(input=RUDE_TEXT) as streamed:
            assert (await streamed.parse()).results[0].flagged
    same = client.moderations.create(input=[CLEAN_TEXT, RUDE_TEXT])
    assert [r.category_scores for r in answer.results] == [r.category_scores for r in same.results]


def test_raw_and_streamed_answers_have_the_headers_that_clients_read(client: OpenAI) -> None:
    raw = client.moderations.with_raw_response.create(input=CLEAN_TEXT, extra_headers={"X-Request-ID": "mine-1"})
    assert (raw.request_id, raw.retries_taken, raw.parse()._request_id) == ("mine-1", 0, "mine-1")
    limits = {name: raw.headers[f"x-ratelimit-{name}"] for name in ("limit-requests", "remaining-requests")}
    assert 0 < int(limits["remaining-requests"]) <= int(limits["limit-requests"])
    assert int(raw.headers["x-ratelimit-remaining-tokens"]) <= int(raw.headers["x-ratelimit-limit-tokens"])
    assert re.fullmatch(r"\d+m?s", raw.headers["x-ratelimit-reset-requests"])
    assert int(raw.headers["openai-processing-ms"]) >= 0
    with client.moderations.with_streaming_response.create(input=CLEAN_TEXT) as streamed:
        assert b"".join(streamed.iter_bytes()).startswith(b'{"id":"modr-')
        assert streamed.headers["x-request-id"]


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ([], "wrong_type", "input"),
        ("", "empty_text", "input"),
        ([CLEAN_TEXT, " "], "empty_text", "input[1]"),
        ([{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}], "unsupported_input", "input[0]"),
        (7, "wrong_type", "input"),
    ],
)
def test_a_bad_request_says_which_input_is_wrong(client: OpenAI, asked: Any, code: str, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.moderations.create(input=asked)
    assert (raised.value.code, raised.value.param, raised.value.type) == (code, param, "invalid_request_error")
    assert raised.value.request_id


def test_each_refusal_is_the_sdks_own_class(started: Started, client: OpenAI) -> None:
    strange, reviewer = client.copy(api_key="pf_nobody"), client.copy(api_key=made_key(started, "reviewer"))
    with pytest.raises(openai.AuthenticationError) as unknown:
        strange.moderations.create(input=CLEAN_TEXT)
    assert unknown.value.code == "invalid_api_key"
    with pytest.raises(openai.PermissionDeniedError):
        reviewer.moderations.create(input=CLEAN_TEXT)
    with pytest.raises(openai.NotFoundError) as lost:
        client.post("/moderations/nothing", body={}, cast_to=object)
    with pytest.raises(openai.BadRequestError) as policy:
        client.moderations.create(input=CLEAN_TEXT, extra_body={"x_prefilter": {"policy": "nobody's"}})
    with pytest.raises(openai.APIStatusError) as large:
        client.moderations.create(input="a " * 100_000)
    assert large.value.status_code == 413
    for raised in (unknown, lost, policy, large):
        assert set(raised.value.body) == {"message", "type", "param", "code"}


@contextmanager
def held(started: Started, key: str) -> Iterator[None]:
    """Take the one permit of a server: a request whose body does not come."""
    host, port = started.url.removeprefix("http://").split(":")
    head = f"POST /v1/moderations HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Length: 99\r\n\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + b"{")
        time.sleep(0.3)
        yield


def test_a_full_server_says_when_to_come_again_and_the_sdk_does(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = build_artefact(tmp_path / "fake-1")
    with (
        server(tmp_path / "home", model, PREFILTER_MAX_WAITING="1") as full,
        OpenAI(base_url=f"{full.url}/v1", api_key=key_of(full), max_retries=0) as client,
    ):
        with held(full, key_of(full)), pytest.raises(openai.RateLimitError) as raised:
            client.moderations.create(input=CLEAN_TEXT)
        assert (raised.value.code, raised.value.type) == ("rate_limit_exceeded", "rate_limit_exceeded")
        wait_s = int(raised.value.response.headers["Retry-After"])
        release = threading.Event()

        def hold() -> None:
            with held(full, key_of(full)):
                release.set()
                time.sleep(0.5)

        holding = threading.Thread(target=hold)
        holding.start()
        release.wait(10)
        began = time.monotonic()
        answer = client.with_options(max_retries=2).moderations.with_raw_response.create(input=CLEAN_TEXT)
        holding.join()
        assert answer.retries_taken == 1
        assert time.monotonic() - began >= wait_s


def test_before_readiness_it_is_a_503_that_the_sdk_waits_out(tmp_path: Path) -> None:
    model = build_artefact(tmp_path / "fake-1")
    with server(tmp_path / "home", model) as first:
        key = key_of(first)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    blocker = sqlite3.connect(tmp_path / "home" / "prefilter.db", check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")  # the start waits for the database
    seen: list[Any] = []

    def knock() -> None:
        with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=20) as client:
            while not seen:
                try:
                    client.with_options(max_retries=0).moderations.create(input=CLEAN_TEXT)
                except openai.APIConnectionError:
                    time.sleep(0.1)
                except openai.InternalServerError as error:
                    seen.append((error.status_code, error.type))
            threading.Timer(0.3, blocker.rollback).start()
            seen.append(client.moderations.create(input=CLEAN_TEXT).results[0].flagged)

    knocking = threading.Thread(target=knock)
    knocking.start()
    with server(tmp_path / "home", model, PREFILTER_PORT=port):
        knocking.join(60)
    blocker.close()
    assert seen == [(503, "server_error"), False]


@contextmanager
def chain(**options: Any) -> Iterator[OpenAIModerationChain]:
    """Make LangChain's chain, and close the clients that it leaves open."""
    made = OpenAIModerationChain(**options)
    with made.client:
        yield made


def test_langchains_moderation_chain_needs_a_base_url_alone(exported: None) -> None:
    with chain() as moderation:
        assert moderation.invoke(CLEAN_TEXT)["output"] == CLEAN_TEXT
        assert moderation.invoke(RUDE_TEXT)["output"] == "Text was found that violates OpenAI's content policy."
    with chain(error=True) as strict, pytest.raises(ValueError, match="violates"):
        strict.invoke(RUDE_TEXT)


@pytest.mark.anyio
async def test_langchains_moderation_chain_is_asynchronous_too(exported: None) -> None:
    with chain() as moderation:
        async with moderation.async_client:
            answer = await moderation.ainvoke(RUDE_TEXT)
    assert answer["output"] == "Text was found that violates OpenAI's content policy."


def test_langchains_middleware_stops_an_agent_before_its_model(exported: None) -> None:
    with chat_server({"Answer badly, please.": RUDE_TEXT}) as chat, OpenAI() as client:
        model = ChatOpenAI(model="echo-1", base_url=chat.url, api_key="any")
        agent: Any = create_agent(model, middleware=[OpenAIModerationMiddleware(client=client)])

        def ask(text: str) -> str:
            return str(agent.invoke({"messages": [{"role": "user", "content": text}]})["messages"][-1].content)

        assert ask(CLEAN_TEXT) == f"You said: {CLEAN_TEXT}"
        assert "flagged for harassment" in ask(RUDE_TEXT)
        assert "flagged for harassment" in ask("Answer badly, please.")
        assert chat.prompts == [CLEAN_TEXT, "Answer badly, please."]
