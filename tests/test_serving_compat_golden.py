"""Golden pairs of the OpenAI contract and of the native batch: `golden/*/NAME.json` holds a request and its answer.

The scores are written in the texts (`serving_fakes.SpokenScorer`). Numbers are compared with a tolerance, ids by their
pattern. Of the measured quality of a category only its presence is compared, because it changes with the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving_client import Service, service
from serving_samples import OPENAI_NAMES

GOLDEN = sorted((Path(__file__).parent / "golden" / "openai").glob("*.json"))
NATIVE = sorted((Path(__file__).parent / "golden" / "native").glob("*.json"))
ID = re.compile(r"(modr-|dec_|cas_|itm_)[A-Za-z0-9]+")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("golden")
    with service(f"sqlite:///{folder / 'prefilter.db'}", folder, max_body_bytes=5_000, max_items=4) as started:
        yield started


def asked(running: Service, request: dict[str, Any]) -> dict[str, Any]:
    """Send the request of a pair; returns its answer as a pair holds it."""
    headers = {"X-Request-ID": "golden", "Content-Type": "application/json", **request.get("headers", {})}
    content = request.get("raw", json.dumps(request.get("body")))
    answer = running.call(request["method"], request["path"], request["role"], headers=headers, content=content)
    names = ("content-type", "x-request-id", "www-authenticate", "retry-after")
    kept = {name: answer.headers[name] for name in names if name in answer.headers}
    return {"status": answer.status_code, "headers": kept, "body": answer.json()}


def differences(wanted: Any, found: Any, at: str = "") -> Iterator[str]:
    """Name every place where the two are not alike."""
    if at.endswith("/quality"):
        wanted, found = wanted is None, found is None
    if isinstance(wanted, dict) and isinstance(found, dict):
        yield from (f"{at}/{name}" for name in wanted.keys() ^ found.keys())
        for name in wanted.keys() & found.keys():
            yield from differences(wanted[name], found[name], f"{at}/{name}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{at}/{number}")
    elif isinstance(wanted, float) and isinstance(found, float):
        if found != pytest.approx(wanted, abs=1e-6):
            yield at
    elif isinstance(wanted, str) and isinstance(found, str) and (id_ := ID.fullmatch(wanted)):
        if not found.startswith(id_[1]) or len(found) != len(wanted) or not ID.fullmatch(found):
            yield at
    elif type(wanted) is not type(found) or wanted != found:
        yield at


@pytest.mark.parametrize("path", [*GOLDEN, *NATIVE], ids=lambda path: path.stem)
def test_a_golden_request_gets_its_golden_answer(running: Service, path: Path) -> None:
    pair = json.loads(path.read_text(encoding="utf-8"))
    assert list(differences(pair["response"], asked(running, pair["request"]))) == []


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_answer_is_what_the_contract_promises(path: Path) -> None:
    response = json.loads(path.read_text(encoding="utf-8"))["response"]
    if response["status"] != 200:
        assert set(response["body"]) == {"error"}
        assert set(response["body"]["error"]) == {"message", "type", "param", "code"}
        return
    for result in response["body"]["results"]:
        for name in ("categories", "category_scores", "category_applied_input_types"):
            assert set(result[name]) == OPENAI_NAMES
        assert result["flagged"] or not any(result["categories"].values())


def test_the_pairs_cover_every_status_of_the_contract() -> None:
    statuses = {json.loads(path.read_text(encoding="utf-8"))["response"]["status"] for path in GOLDEN}
    assert statuses == {200, 400, 401, 403, 404, 405, 413}


def test_a_native_row_has_a_decision_or_an_error_and_the_callers_id() -> None:
    for path in NATIVE:
        pair = json.loads(path.read_text(encoding="utf-8"))
        rows = pair["response"]["body"].get("results", [])
        for item, row in zip(pair["request"]["body"]["items"], rows, strict=bool(rows)):
            assert ("outcome" in row) != ("error" in row)
            assert row["id"] in (None, item["id"] if isinstance(item, dict) and "id" in item else row["id"])
