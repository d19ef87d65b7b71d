"""Streams over a real server: a text comes out unchanged or is cut, and no more goes out than the bound allows."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from served import Started, key_of, score, server

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
LONG = f"{CLEAN_TEXT} " * 20
BOUND = 40
Event = dict[str, Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Started]:
    model = build_artefact(tmp_path_factory.mktemp("model") / "fake-1")
    with server(home, model, PREFILTER_MAX_STREAMS="2", PREFILTER_STREAM_IDLE_S="2") as running:
        key = key_of(running)
        bounded = {"categories": {"toxicity": {"review": 0.3, "block": 0.9}}, "reason": "a bound to test"}
        for name, more in {
            "strict": {},
            "by_source": {"sources": {"forum": {"toxicity": {"review": None, "block": None}}}},
            "bounded": {"streaming": {"max_unsafe_chars": BOUND}},
            "watching": {"enforced": False},
        }.items():
            draft = post(running, key, f"/v1/policies/{name}/versions", {**bounded, **more})
            assert draft.status_code == 201, draft.text
            version = draft.json()["version"]
            post(running, key, f"/v1/policies/{name}/versions/{version}/activate", {"reason": "test"})
        yield running


def post(started: Started, key: str, path: str, body: object) -> httpx.Response:
    return httpx.post(f"{started.url}{path}", headers={"Authorization": f"Bearer {key}"}, json=body, timeout=30)


@contextmanager
def opened(started: Started, **start: Any) -> Iterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {key_of(started)}"}
    with connect(f"{started.url.replace('http', 'ws')}/v1/stream", additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "start", **start}))
        yield socket


def exchange(started: Started, parts: Sequence[str], **start: Any) -> list[Event]:
    """Send a text in parts, as a model writes it, and read everything."""
    with opened(started, **start) as socket:
        with suppress(ConnectionClosed):  # a stream that is cut is over
            for part in parts:
                socket.send(json.dumps({"type": "text", "text": part}))
                time.sleep(0.002)
            socket.send(json.dumps({"type": "end"}))
        return [json.loads(message) for message in socket]


def said(events: Sequence[Event]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "release")


def cut_up(text: str, size: int = 5) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def test_a_harmless_text_comes_out_as_it_went_in(started: Started) -> None:
    text = f"{LONG}{FAMILY} &amp; caf\u00e9\n"
    events = exchange(started, cut_up(text), policy="bounded", id="answer-1")
    assert (events[0]["type"], events[0]["max_unsafe_chars"]) == ("started", BOUND)
    assert said(events) == text
    assert (events[-1]["type"], events[-1]["outcome"]) == ("done", "allow")
    assert (events[-1]["released_chars"], events[-1]["total_chars"]) == (len(text), len(text))
    assert len(events) > 4  # it came in pieces, not at the end


def test_its_scores_are_those_of_the_whole_text(started: Started) -> None:
    events = exchange(started, cut_up(LONG, 3))
    whole = score(started, key_of(started), items=[{"text": LONG}], exact=True).json()["results"][0]
    assert events[-1]["scores"] == whole["scores"]


def test_a_cut_character_is_whole_again(started: Started) -> None:
    events = exchange(started, [LONG, " \ud83d", "\ude00", " e", "\u0301"])
    assert said(events) == f"{LONG} \U0001f600 e\u0301"


@pytest.mark.parametrize("policy", ["strict", "bounded"])
def test_a_refused_passage_never_goes_out_beyond_the_bound(started: Started, policy: str) -> None:
    text = f"{LONG}{HARMFUL_TEXT} {LONG}"
    events = exchange(started, cut_up(text), policy=policy)
    out, end = said(events), events[-1]
    assert (end["type"], end["outcome"]) == ("cut", "block")
    assert end["unsafe_chars"] <= events[0]["max_unsafe_chars"]
    assert text.startswith(out)
    assert out
    assert len(out) == end["released_chars"] <= len(LONG) + BOUND
    assert HARMFUL_TEXT not in out


def test_what_a_person_should_see_first_is_cut_and_becomes_a_case(started: Started) -> None:
    events = exchange(started, cut_up(BORDERLINE_TEXT), policy="strict", id="doubtful")
    assert (events[-1]["type"], events[-1]["outcome"], said(events)) == ("cut", "review", "")
    assert events[-1]["case_id"].startswith("cas_")
    again = exchange(started, [BORDERLINE_TEXT], policy="strict", id="doubtful")
    assert again[-1]["case_id"] == events[-1]["case_id"]


def test_source_context_and_language_are_an_items_own(started: Started) -> None:
    assert exchange(started, [HARMFUL_TEXT], policy="by_source")[-1]["type"] == "cut"
    assert exchange(started, [HARMFUL_TEXT], policy="by_source", source="forum")[-1]["type"] == "done"
    alone = exchange(started, [CLEAN_TEXT], policy="strict")[-1]
    answering = exchange(started, [CLEAN_TEXT], policy="strict", context=HARMFUL_TEXT)[-1]
    assert (alone["outcome"], answering["outcome"]) == ("allow", "review")
    foreign = exchange(started, [CLEAN_TEXT], language="xx")[-1]
    assert foreign["because"] == [{"reason": "unreadable_language"}]


def test_what_was_read_is_counted_as_other_items_are(started: Started) -> None:
    names = ('prefilter_items_total{outcome="block"}', "prefilter_tokens_total", 'prefilter_streams_total{end="cut"}')
    before = [metric(started, name) for name in names]
    exchange(started, [HARMFUL_TEXT], policy="strict")
    after = [metric(started, name) for name in names]
    assert [late - early for early, late in zip(before, after, strict=True)][::2] == [1, 1]
    assert after[1] > before[1]


def test_a_policy_that_only_watches_lets_everything_out(started: Started) -> None:
    events = exchange(started, cut_up(HARMFUL_TEXT), policy="watching")
    assert said(events) == HARMFUL_TEXT
    assert (events[-1]["type"], events[-1]["outcome"], events[-1]["enforced"]) == ("done", "block", False)


def test_what_cannot_be_read_is_held_back_and_cut(started: Started) -> None:
    text = "Guten Morgen, wie geht es Ihnen heute, und was macht die Arbeit? " * 20
    events = exchange(started, cut_up(text, 40))
    assert (events[-1]["type"], events[-1]["outcome"], said(events)) == ("cut", "review", "")
    assert events[-1]["because"] == [{"reason": "unreadable_language"}]
    assert events[-1]["total_chars"] < len(text) or events[-1]["released_chars"] == 0


def test_an_empty_answer_is_no_error(started: Started) -> None:
    events = exchange(started, ["\n"])
    assert (events[-1]["type"], events[-1]["decision_id"], said(events)) == ("done", None, "\n")


def test_a_stream_is_one_decision(started: Started) -> None:
    events = exchange(started, cut_up(LONG), id="one")
    found = httpx.get(
        f"{started.url}/v1/decisions/{events[-1]['decision_id']}",
        headers={"Authorization": f"Bearer {key_of(started)}"},
    ).json()
    assert (found["id"], found["outcome"]) == ("one", "allow")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not json", "not_json"),
        ('{"type": "start"}', "wrong_message"),
        ('{"type": "text"}', "missing_field"),
        ('{"type": "text", "text": 1}', "wrong_type"),
        ('{"type": "text", "text": "x", "more": 1}', "unknown_field"),
        ('{"type": "text", "text": "\\ud800x"}', "lone_surrogate"),
    ],
)
def test_a_wrong_message_ends_the_stream_and_says_why(started: Started, message: str, code: str) -> None:
    with opened(started) as socket:
        socket.send(message)
        events = [json.loads(event) for event in socket]
    assert events[-1]["type"] == "error"
    assert events[-1]["error"]["code"] == code


def test_an_unknown_policy_is_an_error(started: Started) -> None:
    assert exchange(started, [], policy="nobody-knows")[-1]["error"]["code"] == "unknown_policy"


def test_a_silent_client_is_sent_away(started: Started) -> None:
    with opened(started) as socket:
        events = [json.loads(event) for event in socket]
    assert events[-1]["error"]["code"] == "idle"


def test_places_are_bounded_and_a_client_that_goes_away_frees_its_own(started: Started) -> None:
    with opened(started) as first, opened(started):
        first.recv()
        with pytest.raises(InvalidStatus) as refused, opened(started):
            pass
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["retry-after"]
        assert json.loads(refused.value.response.body)["error"]["code"] == "overloaded"
    deadline = time.monotonic() + 10
    while True:
        try:
            assert said(exchange(started, [CLEAN_TEXT])) == CLEAN_TEXT
            return
        except InvalidStatus:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_client_that_goes_away_leaves_the_decision_of_what_it_was_shown(started: Started, home: Path) -> None:
    with opened(started, policy="bounded", id="left") as socket:
        socket.send(json.dumps({"type": "text", "text": LONG}))
        while json.loads(socket.recv())["type"] != "release":
            pass
    deadline = time.monotonic() + 10
    with closing(sqlite3.connect(home / "prefilter.db")) as database:
        while not (found := database.execute("SELECT outcome FROM decisions WHERE item_id = 'left'").fetchall()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert found == [("allow",)]
    assert metric(started, 'prefilter_streams_total{end="gone"}') >= 1


def test_a_doubt_that_a_client_did_not_wait_for_is_nobodys_to_see(started: Started, home: Path) -> None:
    before = metric(started, 'prefilter_streams_total{end="gone"}')
    with opened(started, policy="strict", id="impatient") as socket:
        socket.send(json.dumps({"type": "text", "text": f"{BORDERLINE_TEXT} And so on and on"}))
        time.sleep(0.3)
    deadline = time.monotonic() + 10
    while metric(started, 'prefilter_streams_total{end="gone"}') == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with closing(sqlite3.connect(home / "prefilter.db")) as database:
        assert database.execute("SELECT outcome FROM decisions WHERE item_id = 'impatient'").fetchall() == []


def metric(started: Started, name: str) -> float:
    lines = httpx.get(f"{started.url}/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[-1])


@pytest.mark.parametrize("key", ["", "pf_00000000_" + "x" * 43])
def test_a_stranger_is_refused_before_the_stream_is_accepted(started: Started, key: str) -> None:
    address = f"{started.url.replace('http', 'ws')}/v1/stream?key=canary"
    with pytest.raises(InvalidStatus) as refused:
        connect(address, additional_headers={"Authorization": f"Bearer {key}"})
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["x-request-id"]
    assert json.loads(refused.value.response.body)["error"]["code"] == "unauthorised"
    assert not [line for line in started.printed if "canary" in line]


def test_a_reviewers_key_opens_no_stream(started: Started) -> None:
    made = post(started, key_of(started), "/v1/keys", {"role": "reviewer", "name": "a reviewer"}).json()["key"]
    address, headers = f"{started.url.replace('http', 'ws')}/v1/stream", {"Authorization": f"Bearer {made}"}
    with pytest.raises(InvalidStatus) as refused:
        connect(address, additional_headers=headers)
    assert refused.value.response.status_code == 403


def test_a_line_without_end_is_refused(started: Started) -> None:
    headers = {"Authorization": f"Bearer {key_of(started)}"}
    body = lines({"type": "start"}) + b'{"type": "text", "text": "' + b"x" * 2_000_000
    events = read_events(httpx.post(f"{started.url}/v1/stream", content=body, headers=headers, timeout=30).text)
    assert events[-1]["error"]["code"] == "message_too_long"


@pytest.mark.parametrize("body", [b"", b"\n\n"])
def test_an_empty_body_is_told_what_is_missing(started: Started, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {key_of(started)}"}
    events = read_events(httpx.post(f"{started.url}/v1/stream", content=body, headers=headers).text)
    assert events[-1]["error"]["code"] == "wrong_message"


def lines(*messages: Event) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def read_events(answer: str) -> list[Event]:
    return [json.loads(line.removeprefix("data: ")) for line in answer.splitlines() if line.startswith("data: ")]


def test_lines_are_answered_by_server_sent_events(started: Started) -> None:
    body = lines({"type": "start"}, *({"type": "text", "text": part} for part in cut_up(LONG)), {"type": "end"})
    answer = httpx.post(
        f"{started.url}/v1/stream", content=body, headers={"Authorization": f"Bearer {key_of(started)}"}
    )
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = read_events(answer.text)
    assert said(events) == LONG
    assert events[-1]["type"] == "done"


def test_events_come_while_the_body_is_still_being_written(started: Started) -> None:
    host, port = started.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        head = (
            f"POST /v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key_of(started)}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n"
        )
        raw.sendall(head.encode())
        body = lines({"type": "start", "policy": "bounded"}, {"type": "text", "text": LONG})
        raw.sendall(f"{len(body):x}\r\n".encode() + body + b"\r\n")
        received = b""
        while b"event: release" not in received:
            received += raw.recv(65_536)
        rest = lines({"type": "end"})
        raw.sendall(f"{len(rest):x}\r\n".encode() + rest + b"\r\n0\r\n\r\n")
        while b"event: done" not in received:
            received += raw.recv(65_536)
    assert said(read_events(received.decode())) == LONG


def test_a_refused_post_has_the_native_error(started: Started) -> None:
    answer = httpx.post(f"{started.url}/v1/stream", content=lines({"type": "start"}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorised")


def test_a_context_that_the_model_does_not_read_is_an_error_not_an_outcome(tmp_path: Path) -> None:
    model = build_artefact(tmp_path / "fake-1", context=0)
    with server(tmp_path / "home", model) as running:
        events = exchange(running, [CLEAN_TEXT], context="what was asked")
        key = {"Authorization": f"Bearer {key_of(running)}"}
        body = {"input": CLEAN_TEXT, "x_prefilter": {"context": "what was asked"}}
        refused = httpx.post(f"{running.url}/v1/moderations", json=body, headers=key)
    assert events[-1]["error"]["code"] == "context_unsupported"
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "x_prefilter.context")


def test_no_text_of_a_stream_is_printed(started: Started) -> None:
    exchange(started, ["kanarienvogel sings in the morning"])
    assert not [line for line in started.printed if "kanarienvogel" in line]
