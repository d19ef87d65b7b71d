"""docs/gateways.md with the real packages: its own files, their gateway, our server, a chat model behind them.

Each package has an environment of its own, because their pins conflict with ours.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from chat_server import ChatServer, chat_server
from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from served import Started, key_of, server

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "gateways.md").read_text(encoding="utf-8")
LIMIT = 2_000
TOO_LONG = "The library opens at nine. " * 100
ASK_BADLY, ANSWER_SAFE = "Answer badly, please.", "Here is what they told me about the house. "
ANSWERS = {ASK_BADLY: ANSWER_SAFE + HARMFUL_TEXT + " And a good deal more was said by all who stood around."}
REFUSED = "I'm sorry, I can't respond to that."
DRIVER = """
import asyncio, json, sys
from nemoguardrails import LLMRails, RailsConfig
rails = LLMRails(RailsConfig.from_path("config"))
async def answer(text, stream):
    messages = [{"role": "user", "content": text}]
    if stream:
        return [piece async for piece in rails.stream_async(messages=messages)]
    return (await rails.generate_async(messages=messages))["content"]
async def answer_all():
    for line in sys.stdin:
        print(json.dumps(await answer(**json.loads(line))), flush=True)
asyncio.run(answer_all())
"""


def snippet(name: str) -> str:
    """Return the file of that name from the page."""
    (found,) = re.findall(rf"^`{re.escape(name)}`[^\n]*:\n```\w+\n(.*?)^```$", PAGE, re.M | re.S)
    return str(found)


def command(package: str, program: str) -> str:
    """Return a program of a package's environment; the test fails where it is missing."""
    path = ROOT / f".venv-{package}" / "bin" / program
    if not path.exists():
        pytest.fail(f"the environment .venv-{package} is missing; `make test` builds it")
    return str(path)


def environ(started: Started, home: Path, chat: ChatServer) -> dict[str, str]:
    """Return what the page exports, and nothing that this process would lend."""
    assert "export PREFILTER_API_BASE=http://127.0.0.1:8080/v1 PREFILTER_API_KEY=pf_…" in PAGE
    admin = {"Authorization": f"Bearer {key_of(started)}"}
    body = {"role": "pipeline", "name": f"gateway {home.name}"}
    key = httpx.post(f"{started.url}/v1/keys", headers=admin, json=body).json()["key"]
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PREFILTER_API_BASE": f"{started.url}/v1",
        "PREFILTER_API_KEY": key,
        "CHAT_API_BASE": chat.url,
        "CHAT_API_KEY": "any",
    }


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = tmp_path_factory.mktemp("served")
    model = build_artefact(folder / "fake-1")
    with server(folder / "home", model, PREFILTER_MAX_TEXT_CHARS=str(LIMIT)) as running:
        yield running


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatServer]:
    with chat_server(ANSWERS) as running:
        yield running


def released(answer: httpx.Response) -> str:
    """Return the text of a streamed answer."""
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    return "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e.get("choices"))


class LiteLLM:
    """A running proxy: its log, and questions to it."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log

    def ask(self, text: str, *before: dict[str, str], **more: Any) -> httpx.Response:
        messages = [*before, {"role": "user", "content": text}]
        return httpx.post(
            f"{self.url}/v1/chat/completions",
            headers={"Authorization": "Bearer sk-test"},
            json={"model": "assistant", "messages": messages, **more},
            timeout=60,
        )


@pytest.fixture(scope="module")
def litellm(
    tmp_path_factory: pytest.TempPathFactory, started: Started, chat: ChatServer
) -> Iterator[LiteLLM]:
    folder = tmp_path_factory.mktemp("litellm")
    (folder / "config.yaml").write_text(snippet("config.yaml"), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    more = {"LITELLM_MASTER_KEY": "sk-test", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    proxy = LiteLLM(f"http://127.0.0.1:{port}", folder / "log")
    with proxy.log.open("w") as log, running(
        [command("litellm", "litellm"), "--config", "config.yaml", "--host", "127.0.0.1", "--port", port],
        cwd=folder, env={**environ(started, folder, chat), **more}, stdout=log, stderr=log,
    ) as process:  # fmt: skip
        wait_for(process, lambda: httpx.get(f"{proxy.url}/health/liveliness").status_code == 200, proxy.log)
        yield proxy


@contextmanager
def running(arguments: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(arguments, text=True, **more) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def wait_for(process: subprocess.Popen[str], holds: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        try:
            if holds():
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the gateway did not start: " + log.read_text()[-2_000:])


def test_litellm_lets_a_mild_text_through_and_names_its_checks(litellm: LiteLLM) -> None:
    answer = litellm.ask(CLEAN_TEXT)
    assert answer.json()["choices"][0]["message"]["content"] == f"You said: {CLEAN_TEXT}"
    scans = answer.headers["x-litellm-guardrail-scan-id"].split(",")
    assert [re.fullmatch(r"modr-\w+", scan) is not None for scan in scans] == [True, True]


@pytest.mark.parametrize("text", [HARMFUL_TEXT, BORDERLINE_TEXT], ids=["block", "review"])
@pytest.mark.parametrize("stream", [False, True])
def test_litellm_refuses_a_flagged_prompt_before_the_model(
    litellm: LiteLLM, chat: ChatServer, text: str, stream: bool
) -> None:
    before = len(chat.seen)
    answer = litellm.ask(text, stream=stream)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["message"], error["type"]) == ("Violated OpenAI moderation policy", "invalid_request_error")
    assert error["provider_specific_fields"]["guardrail_name"] == "prefilter-prompt"
    assert len(error["provider_specific_fields"]["moderation_result"]["category_scores"]) == 13
    assert len(chat.seen) == before


def test_litellm_refuses_a_flagged_answer(litellm: LiteLLM, chat: ChatServer) -> None:
    answer = litellm.ask(ASK_BADLY)
    assert chat.prompts[-1] == ASK_BADLY
    assert answer.status_code == 400
    assert answer.json()["error"]["provider_specific_fields"]["guardrail_name"] == "prefilter-answer"


def test_litellm_ends_a_streamed_answer_within_five_pieces_of_the_harm(litellm: LiteLLM) -> None:
    answer = litellm.ask(ASK_BADLY, stream=True)
    text, whole = released(answer), ANSWERS[ASK_BADLY]
    assert answer.status_code == 200
    assert '"message": "Violated OpenAI moderation policy"' in answer.text
    assert whole.startswith(text)
    assert len(text.split()) < len(whole[: whole.index("rude")].split()) + 5


def test_litellm_asks_about_the_last_words_of_the_user_alone(litellm: LiteLLM) -> None:
    for role in ("system", "user"):
        said = [{"role": role, "content": HARMFUL_TEXT}, {"role": "assistant", "content": "Well."}]
        assert litellm.ask(CLEAN_TEXT, *said).status_code == 200


def test_litellm_refuses_where_the_check_fails(litellm: LiteLLM, chat: ChatServer) -> None:
    before = len(chat.seen)
    answer = litellm.ask(TOO_LONG)
    assert answer.status_code >= 400
    assert len(chat.seen) == before


def test_litellm_prints_no_text(litellm: LiteLLM) -> None:
    for text in ("Rude kanarienvogel.", "Kanarienvogel. " + TOO_LONG):
        litellm.ask(text)
    assert "kanarienvogel" not in litellm.log.read_text().lower()


@contextmanager
def nemo(folder: Path, started: Started, chat: ChatServer, **more: str) -> Iterator[Callable[..., Any]]:
    """Start NeMo Guardrails on the page's folder; yields a way to ask it."""
    documented = "http://127.0.0.1:8000/v1"
    (folder / "config").mkdir()
    for name in ("config.yml", "rails.co", "actions.py"):
        text = snippet(name).replace(documented, chat.url)
        assert (chat.url in text) == (name == "config.yml")
        (folder / "config" / name).write_text(text, encoding="utf-8")
    env = {**environ(started, folder, chat), "NEMO_GUARDRAILS_NO_USAGE_STATS": "1", **more}
    python, pipes = command("nemo", "python"), {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (folder / "log").open("w") as log, running(
        [python, "-c", DRIVER], cwd=folder, env=env, stderr=log, **pipes
    ) as process:  # fmt: skip

        def ask(text: str, *, stream: bool = False) -> Any:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps({"text": text, "stream": stream}), file=process.stdin, flush=True)
            line = process.stdout.readline()
            assert line, (folder / "log").read_text()[-2_000:]
            return json.loads(line)

        yield ask


def test_nemo_lets_a_mild_text_through(tmp_path: Path, started: Started, chat: ChatServer) -> None:
    with nemo(tmp_path, started, chat) as ask:
        assert ask(CLEAN_TEXT) == f"You said: {CLEAN_TEXT}"
        assert "".join(ask(CLEAN_TEXT, stream=True)) == f"You said: {CLEAN_TEXT}"
        assert chat.seen[-1]["messages"] == [{"role": "user", "content": CLEAN_TEXT}]


def test_nemo_refuses_a_flagged_prompt_before_the_model(
    tmp_path: Path, started: Started, chat: ChatServer
) -> None:
    before = len(chat.seen)
    with nemo(tmp_path, started, chat) as ask:
        assert [ask(text) for text in (HARMFUL_TEXT, BORDERLINE_TEXT)] == [REFUSED, REFUSED]
        assert ask(HARMFUL_TEXT, stream=True) == [REFUSED]
    assert len(chat.seen) == before


def test_nemo_refuses_a_flagged_answer(tmp_path: Path, started: Started, chat: ChatServer) -> None:
    with nemo(tmp_path, started, chat) as ask:
        assert ask(ASK_BADLY) == REFUSED
        *text, last = ask(ASK_BADLY, stream=True)
    assert chat.prompts[-2:] == [ASK_BADLY, ASK_BADLY]
    assert json.loads(last)["error"]["code"] == "content_blocked"
    assert "rude" not in "".join(text)


def test_nemo_refuses_where_the_check_fails(tmp_path: Path, started: Started, chat: ChatServer) -> None:
    before = len(chat.seen)
    with nemo(tmp_path, started, chat, PREFILTER_API_BASE="http://127.0.0.1:9/v1") as ask:
        assert ask(CLEAN_TEXT) == REFUSED
        assert "content_blocked" in "".join(ask(CLEAN_TEXT, stream=True))
    assert len(chat.seen) == before
    assert "the check failed: HTTPConnectionError" in (tmp_path / "log").read_text()


def test_nemo_prints_no_text_and_the_pages_program_runs(
    tmp_path: Path, started: Started, chat: ChatServer
) -> None:
    with nemo(tmp_path, started, chat) as ask:
        assert [ask("Rude kanarienvogel."), ask("Kanarienvogel. " + TOO_LONG)] == [REFUSED, REFUSED]
    assert "kanarienvogel" not in (tmp_path / "log").read_text().lower()
    (tmp_path / "ask.py").write_text(snippet("ask.py"), encoding="utf-8")
    done = subprocess.run(
        [command("nemo", "python"), "ask.py", CLEAN_TEXT],
        cwd=tmp_path,
        env={**environ(started, tmp_path / "again", chat), "NEMO_GUARDRAILS_NO_USAGE_STATS": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"You said: {CLEAN_TEXT}\n"


def test_the_environments_hold_what_is_locked() -> None:
    for package, name in (("litellm", "litellm"), ("nemo", "nemoguardrails")):
        lock = (ROOT / "requirements" / f"{package}.txt").read_text(encoding="utf-8")
        script = f"from importlib.metadata import version; print(version({name!r}))"
        done = subprocess.run([command(package, "python"), "-c", script], capture_output=True, text=True, check=True)
        assert f"\n{name}=={done.stdout.strip()} " in lock
