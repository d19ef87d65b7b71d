"""More requests than can be served: some are answered in full, others refused with a time to retry, none is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from fakes import CLEAN_TEXT, build_artefact
from prefilter.serving.store import Store, decision_rows
from served import key_of, server

SENT, ROWS = 120, 8


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_is_accepted_is_answered_and_stored_and_the_rest_is_told_when_to_return(
    tmp_path: Path, workers: str
) -> None:
    model = build_artefact(tmp_path / "fake-1")
    more = {"PREFILTER_WORKERS": workers, "PREFILTER_MAX_WAITING": "4", "PREFILTER_REPEATS_MB": "0"}
    with server(tmp_path / "home", model, **more) as started:
        headers = {"Authorization": f"Bearer {key_of(started)}"}
        with httpx.Client(headers=headers, timeout=60, limits=httpx.Limits(max_connections=40)) as client:

            def send(number: int) -> httpx.Response:
                items = [{"id": f"{number}-{row}", "text": f"{CLEAN_TEXT} {number}" * 20} for row in range(ROWS)]
                return client.post(f"{started.url}/v1/score", json={"items": items})

            with ThreadPoolExecutor(40) as crowd:
                answers = list(crowd.map(send, range(SENT)))
    accepted = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(accepted) + len(refused) == SENT
    assert len(accepted) >= 4
    assert refused
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert all(len(answer.json()["results"]) == ROWS for answer in accepted)
    store = Store.open(f"sqlite:///{tmp_path / 'home' / 'prefilter.db'}")
    with store.read() as conn:
        assert sum(1 for _ in decision_rows.stream(conn)) == ROWS * len(accepted)
    store.dispose()
