"""The application as a whole: when it is ready, what every answer carries, how it fails."""

from __future__ import annotations

import asyncio
import functools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from prefilter.serving.app import create_app
from prefilter.serving.engine.row import Row
from prefilter.serving.settings import Settings
from prefilter.serving.store import decision_rows
from serving_client import Service, service
from serving_fakes import SpokenScorer

ITEMS = {"items": [{"id": "a", "text": "threat=0.5"}]}


@pytest.fixture
def running(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with service(sqlite_url, tmp_path) as started:
        yield started


def test_before_readiness_scoring_is_503_and_the_process_is_alive(sqlite_url: str, tmp_path: Path) -> None:
    client = TestClient(another(sqlite_url, tmp_path))
    key = {"Authorization": "Bearer pf_00000000_" + "A" * 43}
    assert client.get("/healthz").status_code == 200
    for answer in (client.get("/readyz"), client.post("/v1/score", headers=key, json=ITEMS)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")


def test_ready_means_model_and_database_answer(running: Service) -> None:
    answer = running.client.get("/readyz")
    assert (answer.status_code, answer.json()["model_version"]) == (200, "spoken-1")
    running.client.portal.call(running.app.state.running.engine.stop)  # type: ignore[union-attr]
    assert running.client.get("/readyz").json()["error"]["code"] == "model_not_ready"


def test_every_answer_has_a_request_id_and_the_headers_that_protect(running: Service) -> None:
    for path in ("/healthz", "/nowhere", "/v1/keys", "/openapi.json", "/metrics"):
        headers = running.client.get(path).headers
        assert re.fullmatch(r"req_[0-9a-f]{24}", headers["x-request-id"])
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_a_callers_request_id_is_kept_only_when_it_is_plain(running: Service) -> None:
    for sent, kept in (("abc-1", True), ("no spaces", False), ("x" * 65, False)):
        got = running.client.get("/healthz", headers={"x-request-id": sent}).headers["x-request-id"]
        assert (got == sent) is kept


def test_unknown_paths_and_methods_answer_in_the_native_shape(running: Service) -> None:
    missing, wrong = running.client.get("/v1/nowhere"), running.client.get("/v1/score")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


def test_the_schema_loads_nothing_from_elsewhere_and_hides_the_frameworks_422(running: Service) -> None:
    schema = running.client.get("/openapi.json")
    assert "/v1/score" in schema.json()["paths"]
    assert "ValidationError" not in schema.text
    assert "422" not in schema.json()["paths"]["/v1/decisions/{decision_id}"]["get"]["responses"]
    assert [running.client.get(page).status_code for page in ("/docs", "/redoc")] == [404, 404]


def test_the_schema_names_the_version_of_the_distribution(running: Service) -> None:
    assert running.client.get("/openapi.json").json()["info"]["version"] == version("harm-prefilter")


def test_metrics_have_bounded_labels_and_names_of_ours(running: Service) -> None:
    running.score({"text": "threat=0.5"}, {"text": ""})
    for path in ("/v1/decisions/dec_canary", "/canary", "/v1/policies/canary"):
        running.call("GET", path, "pipeline")
    running.client.request("CANARY", "/healthz")
    text = running.client.get("/metrics").text
    assert 'prefilter_items_total{outcome="review"} 1.0' in text
    assert 'prefilter_items_total{outcome="error"} 1.0' in text
    assert 'route="/v1/decisions/{decision_id}"' in text
    assert "canary" not in text.lower()
    assert all(name.startswith("prefilter_") for name in re.findall(r"^# TYPE (\S+)", text, re.M))


def test_a_database_that_fails_after_scoring_is_503_and_leaves_nothing_half_written(
    running: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    triage = running.app.state.parts.triage
    with monkeypatch.context() as broken:
        broken.setattr(triage.intake, "open_cases", lambda conn, new: 1 / 0)
        answer = running.call("POST", "/v1/score", "pipeline", json=ITEMS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_recorded")
    assert int(answer.headers["retry-after"]) >= 1
    with running.app.state.parts.store.read() as conn:
        assert len(decision_rows.recent_columns(conn, "model-output", limit=1)) == 0
    assert running.score(*ITEMS["items"]).status_code == 200


def test_an_overloaded_service_says_429_before_it_accepts(sqlite_url: str, tmp_path: Path) -> None:
    with service(sqlite_url, tmp_path, max_queued_tokens=1, deadline_ms=500) as running:
        assert running.client.portal is not None
        engine = running.app.state.running.engine
        stuck = functools.partial(engine.score, [Row("stuck")], deadline_ms=500)
        blocker = running.client.portal.start_task_soon(stuck)
        assert running.scorer.entered.wait(5)
        answer = running.call("POST", "/v1/score", "pipeline", json=ITEMS)
        blocker.result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_deadline_is_a_review_with_a_reason(sqlite_url: str, tmp_path: Path) -> None:
    with service(sqlite_url, tmp_path, deadline_ms=100) as running:
        rows = running.score({"text": "stuck"}, {"text": "calm"}).json()["results"]
    assert rows[0]["because"] == [{"reason": "deadline"}]
    assert [row["outcome"] for row in rows] == ["review", "allow"]


def test_a_caller_who_hangs_up_stops_the_scoring_of_his_rows(running: Service) -> None:
    async def hang_up() -> None:
        messages = iter([{"type": "http.request", "body": b'{"items": [' + items + b"]}"}])

        async def receive() -> dict[str, Any]:
            for message in messages:
                return message
            await asyncio.to_thread(running.scorer.entered.wait)
            return {"type": "http.disconnect"}

        async def send(_message: Any) -> None:
            return None

        key = f"Bearer {running.keys['pipeline']}".encode()
        scope = post_scope("/v1/score", key)
        await running.app(scope, receive, send)

    items = b",".join([b'{"text": "stuck"}'] * 50)
    assert running.client.portal is not None
    running.client.portal.call(hang_up)
    assert len(running.scorer.seen) <= 2
    assert 'status="499"' in running.client.get("/metrics").text


def post_scope(path: str, key: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", key)],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


def another(database_url: str, tmp_path: Path) -> Any:
    """A second worker on the same database."""
    settings = Settings(database_url=database_url, home=tmp_path)
    return create_app(settings, scorer=SpokenScorer())  # type: ignore[arg-type]


def test_the_first_start_makes_one_admin_key_and_the_second_none(sqlite_url: str, tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        app = another(sqlite_url, tmp_path)
        with TestClient(app):
            made.append(app.state.admin_key)
    assert made[0].startswith("pf_")
    assert made[1] is None


def test_every_worker_follows_a_policy_change_within_seconds(database_url: str, tmp_path: Path) -> None:
    with (
        service(database_url, tmp_path) as one,
        TestClient(another(database_url, tmp_path)) as two,
    ):
        key = {"Authorization": f"Bearer {one.keys['pipeline']}"}
        draft = {"categories": {"threat": {"review": 0.1}}, "reason": "r"}
        one.call("POST", "/v1/policies/model-output/versions", json=draft)
        assert two.post("/v1/score", headers=key, json=ITEMS).json()["policy"]["version"] == 1
        one.call("POST", "/v1/policies/model-output/versions/2/activate", json={"reason": "r"})
        time.sleep(2)
        assert two.post("/v1/score", headers=key, json=ITEMS).json()["policy"]["version"] == 2


def test_the_server_imports_no_training_library_and_no_arrow() -> None:
    code = (
        "import sys, prefilter.serving.app; "
        "print([m for m in ('sklearn', 'pyarrow', 'torch', 'transformers', 'pandas', 'matplotlib', 'scipy') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_route_is_in_the_documentation(running: Service) -> None:
    page = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    schema = running.client.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in page
