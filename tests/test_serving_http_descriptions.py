"""Each answer is what the OpenAPI document says: of every route once, successes and refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from openapi_samples import closed
from serving_client import Service, service

DRAFT = {"categories": {"threat": {"review": 0.25, "block": None}}, "reason": "r"}
CHANGE = {"reason": "r"}
LABELS = {"labels": {"threat": "yes"}, "outcome": "block", "severity": 2}
COMMENT = {"comment": {"text": "threat=0.5"}, "languages": ["en"], "clientToken": "t"}
ASKED = {**COMMENT, "requestedAttributes": {"THREAT": {}}}
SAID = {**COMMENT, "attributeScores": {"THREAT": {"summaryScore": {"value": 0.5}}}}
EVENTS = "text/event-stream"


class Reader:
    """Calls routes and holds each answer against the document."""

    def __init__(self, running: Service) -> None:
        self.running = running
        self.document = closed(running.app.openapi())
        self.seen: set[tuple[str, str, str]] = set()

    def call(self, method: str, path: str, role: str | None = "admin", **sent: Any) -> Any:
        """Send a request, its path as the document writes it; return the answer's body."""
        at = path.format(**sent.pop("at", {}))
        answer = self.running.call(method, at, role, **sent)
        self.seen.add((method, path, str(answer.status_code)))
        described = self.document["paths"][path][method.lower()]["responses"][str(answer.status_code)]
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        assert set(described.get("content", {})) == ({media_type} if answer.content else set()), (path, answer.text)
        if media_type == "application/json":
            self.check(described["content"][media_type]["schema"], answer.json())
            return answer.json()
        return answer.text

    def check(self, schema: dict[str, Any], value: object) -> None:
        """Fail unless the value is as the schema says."""
        whole = {**schema, "components": self.document["components"]}
        jsonschema_rs.Draft202012Validator(whole).validate(value)


@pytest.fixture
def reader(sqlite_url: str, tmp_path: Path) -> Iterator[Reader]:
    with service(sqlite_url, tmp_path) as started:
        yield Reader(started)


def held(reader: Reader) -> dict[str, Any]:
    reader.running.score({"text": "threat=0.5 said", "context": "why"})
    claimed = reader.call("POST", "/v1/queues/{name}/claim", "reviewer", at={"name": "threat"})
    return {"at": {"case_id": claimed["case"]["id"]}, "json": {"lease_token": claimed["lease"]["token"]}}


def screen(reader: Reader) -> None:
    items = [{"text": "threat=0.5"}, {"text": ""}, {"id": "a", "text": "calm", "context": "why"}]
    for explain in (True, False):
        rows = reader.call("POST", "/v1/score", json={"items": items, "explain": explain})["results"]
    reader.call("POST", "/v1/moderations", json={"input": ["threat=0.99", "calm", "foreign words"]})
    reader.call("POST", "/v1alpha1/comments:analyze", json=ASKED)
    reader.call("POST", "/v1alpha1/comments:suggestscore", json=SAID)
    at = {"decision_id": rows[0]["decision_id"]}
    reader.call("GET", "/v1/decisions/{decision_id}", at=at)
    reader.call("POST", "/v1/decisions/{decision_id}/appeal", "admin", at=at, json={"text": "threat=0.5"})
    reader.call("DELETE", "/v1/items/{item_id}", at={"item_id": "a"})


def stream(reader: Reader) -> None:
    lines = [{"type": "start"}, {"type": "text", "text": "calm words"}, {"type": "end"}]
    item = reader.document["paths"]["/v1/stream"]["post"]["responses"]["200"]["content"][EVENTS]["itemSchema"]
    for sent in (lines, lines[1:]):
        said = reader.call("POST", "/v1/stream", content=b"\n".join(json.dumps(line).encode() for line in sent))
        for event in said.strip().split("\n\n"):
            data = event.partition("data: ")[2]
            reader.check(item["properties"]["data"]["contentSchema"], json.loads(data))


def review(reader: Reader) -> None:
    reader.call("GET", "/v1/queues")
    for step in ("renew", "reveal", "release"):
        reader.call("POST", f"/v1/cases/{{case_id}}/{step}", "reviewer", **held(reader))
    case = held(reader)
    path = "/v1/cases/{case_id}/reviews"
    for key in ("k", "k", "l"):
        judged = {"at": case["at"], "json": {**case["json"], **LABELS}, "headers": {"Idempotency-Key": key}}
        reader.call("POST", path, "reviewer", **judged)
    reader.call("POST", path, "reviewer", **case)
    for step in ("skip", "escalate"):
        reader.running.score({"id": step, "text": f"threat=0.5 {step}"})
        reader.call("POST", f"/v1/cases/{{case_id}}/{step}", "reviewer", **held(reader))
    for _ in range(3):
        reader.call("POST", "/v1/queues/{name}/claim", "reviewer", at={"name": "threat"})
    reader.call("POST", "/v1/queues/{name}/claim", "lead", at={"name": "hate"})


def decide(reader: Reader) -> None:
    at = {"name": "one"}
    path = "/v1/policies/{name}"
    for _ in range(2):
        version = reader.call("POST", f"{path}/versions", at=at, json=DRAFT)["version"]
        step = {"at": {**at, "version": version}, "json": CHANGE}
        reader.call("POST", f"{path}/versions/{{version}}/activate", **step)
    reader.call("POST", f"{path}/rollback", at=at, json=CHANGE)
    for name in ("one", "model-output"):
        reader.call("POST", f"{path}/what-if", at={"name": name}, json=DRAFT)
    reader.call("GET", path, at=at)
    reader.call("GET", "/v1/policies")


def keep(reader: Reader) -> None:
    made = reader.call("POST", "/v1/keys", json={"role": "lead", "name": "n"})
    for step in ("rotate", "revoke"):
        reader.call("POST", f"/v1/keys/{{key_id}}/{step}", at={"key_id": made["id"]})
    reader.call("POST", "/v1/keys", json={"role": "lead", "name": "n"})
    for path in ("/v1/keys", "/v1/models", "/v1/audit", "/v1/audit/verify", "/healthz", "/readyz", "/metrics"):
        reader.call("GET", path)


def test_every_route_answers_as_it_is_described(reader: Reader) -> None:
    for story in (screen, stream, review, decide, keep):
        story(reader)
    successes = {
        (method.upper(), path, status)
        for path, operations in reader.document["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
        if status < "300"
    }
    assert successes <= reader.seen


def test_every_route_refuses_a_stranger_and_a_wrong_body_as_it_is_described(reader: Reader) -> None:
    at = {"name": "n", "case_id": "c", "decision_id": "d", "key_id": "k", "version": "1", "item_id": "i"}
    for path, operations in reader.document["paths"].items():
        for method, operation in operations.items():
            if "401" in operation["responses"]:
                reader.call(method.upper(), path, None, at=at)
            if "requestBody" in operation and path != "/v1/stream":
                for body in (b"", b"[]", b'{"unheard": 1}'):
                    reader.call(method.upper(), path, at=at, content=body)
    assert {status for _, _, status in reader.seen} >= {"400", "401", "404"}


def test_an_answer_that_is_not_described_is_found(reader: Reader) -> None:
    schema = {"$ref": "#/components/schemas/NativeError"}
    reader.check(schema, {"error": {"code": "c", "message": "m", "request_id": None}})
    with pytest.raises(jsonschema_rs.ValidationError):
        reader.check(schema, {"error": {"code": "c", "message": "m", "request_id": None, "more": 1}})


@pytest.mark.parametrize(
    ("method", "path", "names"),
    [
        ("post", "/v1/cases/{case_id}/reviews", {"case_id", "Idempotency-Key"}),
        ("get", "/v1/audit", {"before", "action", "limit"}),
    ],
)
def test_what_a_route_reads_beside_its_body_is_in_the_document(
    reader: Reader, method: str, path: str, names: set[str]
) -> None:
    assert {parameter["name"] for parameter in reader.document["paths"][path][method]["parameters"]} == names
