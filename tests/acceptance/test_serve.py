"""The server as a new user starts it: a process, a port, an admin key printed once, HTTP over loopback."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import threading
from pathlib import Path

import httpx
import pytest

from fakes import BORDERLINE_TEXT, CLEAN_TEXT, HARMFUL_TEXT, build_artefact
from served import key_of, score, server

CANARY = "kanarienvogel"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_artefact(tmp_path_factory.mktemp("model") / "fake-1")


def test_a_stranger_starts_it_scores_and_starts_it_again(tmp_path: Path, model: Path) -> None:
    texts = [CLEAN_TEXT, BORDERLINE_TEXT, HARMFUL_TEXT]
    items = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    with server(tmp_path / "home", model) as first:
        key = key_of(first)
        assert httpx.get(f"{first.url}/readyz").status_code == 200
        before = score(first, key, items=items).json()
    with server(tmp_path / "home", model) as second:
        assert not [line for line in second.printed if "pf_" in line]
        after = score(second, key, items=items).json()
    assert [row["outcome"] for row in before["results"]] == ["allow", "review", "block"]
    assert [row["scores"] for row in before["results"]] == [row["scores"] for row in after["results"]]
    assert before["results"][1]["case_id"] == after["results"][1]["case_id"]
    for run in (first, second):
        assert len([line for line in run.printed if line.startswith("ready http://127.0.0.1:")]) == 1


def test_the_printed_curl_line_works(tmp_path: Path, model: Path) -> None:
    with server(tmp_path / "home", model) as started:
        (line,) = [line for line in started.printed if line.startswith("curl ")]
        answer = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
    assert '"outcome":"allow"' in answer


def test_the_database_and_its_folder_are_private(tmp_path: Path, model: Path) -> None:
    with server(tmp_path / "home", model):
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "home").iterdir()}
    assert modes["prefilter.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_bad_requests_over_real_http_get_a_native_error_and_leave_no_text_in_the_log(
    tmp_path: Path, model: Path
) -> None:
    with server(tmp_path / "home", model, PREFILTER_MAX_BODY_BYTES="200000") as started:
        key = key_of(started)
        url, headers = f"{started.url}/v1/score", {"Authorization": f"Bearer {key}"}
        big = [CANARY.encode() * 1_000] * 100
        seen = [
            httpx.post(url, headers=headers, content=content, params={"key": CANARY}).json()["error"]["code"]
            for content in (b"\xff" + CANARY.encode(), CANARY, b"".join(big), iter(big))
        ]
        assert score(started, key, items=[{"text": f"{CANARY} {BORDERLINE_TEXT}"}]).status_code == 200
        assert httpx.get(f"{started.url}/{CANARY}", params={"key": CANARY}).status_code == 404
    assert seen == ["invalid_utf8", "not_json", "body_too_large", "body_too_large"]
    assert CANARY not in "\n".join(started.printed)
    assert [line for line in started.printed if "POST /v1/score 413" in line]


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PREFILTER_MAX_ITEMS", "many"), ("PREFILTER_DATABASE_URL", "mysql://x"), ("PREFILTER_MODEL", "none")],
)
def test_a_setting_that_cannot_work_stops_the_start_in_one_line(
    tmp_path: Path, model: Path, variable: str, value: str
) -> None:
    with (
        pytest.raises(AssertionError, match=rf"prefilter: .*({variable}|{value})") as ended,
        server(tmp_path / "home", model, **{variable: value}),
    ):
        pass
    assert "Traceback" not in str(ended.value)


def test_a_damaged_model_stops_the_start_and_the_file_is_named(tmp_path: Path) -> None:
    damaged = build_artefact(tmp_path / "model")
    with (damaged / "model.onnx").open("ab") as file:
        file.write(b"x")
    with (
        pytest.raises(AssertionError, match=r"prefilter: .*model\.onnx") as ended,
        server(tmp_path / "home", damaged),
    ):
        pass
    assert "Traceback" not in str(ended.value)


def test_before_readiness_it_is_alive_and_every_scoring_request_answers_503(tmp_path: Path, model: Path) -> None:
    with server(tmp_path / "home", model) as first:
        key = key_of(first)
    address = f"http://127.0.0.1:{free_port()}"
    seen: list[int] = []

    def knock(blocker: sqlite3.Connection) -> None:
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
            headers = {"Authorization": f"Bearer {key}"}
            asked = client.post(f"{address}/v1/score", headers=headers, json={"items": [{"text": CLEAN_TEXT}]})
            seen.extend([asked.status_code, int(asked.headers["Retry-After"])])
            seen.extend(client.get(f"{address}/{path}").status_code for path in ("healthz", "readyz"))
        blocker.rollback()

    blocker = sqlite3.connect(tmp_path / "home" / "prefilter.db", check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")  # the start waits for the database
    knocking = threading.Thread(target=knock, args=[blocker])
    knocking.start()
    with server(tmp_path / "home", model, PREFILTER_PORT=address.rpartition(":")[2]) as started:
        knocking.join(30)
        assert score(started, key, items=[{"text": CLEAN_TEXT}]).status_code == 200
    blocker.close()
    assert seen == [503, 1, 200, 503]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_stop_is_orderly(tmp_path: Path, model: Path) -> None:
    with server(tmp_path / "home", model) as started:
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(30) == 0
