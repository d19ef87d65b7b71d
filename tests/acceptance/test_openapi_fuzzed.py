"""The OpenAPI document, read by schemathesis: what it allows, and much that it forbids, is answered as it says.

Never with a fault; with a status, a content type and a body that the document has for that route. A real server with a
real database; the model is a small one, since what is tried are requests, not scores. Routes that would take the key
away from the test, or end what others try, are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fakes import build_artefact
from openapi_samples import closed
from prefilter.serving.app import create_app
from prefilter.serving.settings import Settings
from served import Started, key_of, server

EXAMPLES = 15
KEPT_APART = r"^/v1/keys/"
"""Revoking and rotating keys: the test needs its own."""
DOCUMENT = create_app(Settings(home=Path(mkdtemp()))).openapi()
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


fuzzed = schemathesis.openapi.from_dict(closed(DOCUMENT)).exclude(path_regex=KEPT_APART)


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, message: Any) -> bytes:
    """A body of two lines: the message that opens a stream, and whatever is tried behind it."""
    return b'{"type": "start"}\n' + json.dumps(message).encode()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    model = build_artefact(tmp_path_factory.mktemp("model") / "fake-1")
    with server(tmp_path_factory.mktemp("home"), model, PREFILTER_STREAM_IDLE_S="1") as running:
        yield running


@fuzzed.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_request_is_answered_as_the_document_says(case: Any, started: Started) -> None:
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {key_of(started)}"}
    answer = case.call(base_url=started.url, timeout=30)
    case.validate_response(answer, checks=CHECKS)


def test_the_document_is_the_one_that_is_served(started: Started) -> None:
    assert httpx.get(f"{started.url}/openapi.json").json() == DOCUMENT


def test_the_server_is_still_well(started: Started) -> None:
    assert started.process.poll() is None
    assert not [line for line in started.printed if "unhandled" in line or "Traceback" in line]
