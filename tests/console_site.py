"""The console as a test sees it: the whole application, people logged in, and cases made to order."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from prefilter.models.labels import HEADS
from prefilter.serving.app import create_app
from prefilter.serving.settings import Settings
from prefilter.serving.store import decision_rows
from prefilter.serving.store.case_rows import Span
from serving_fakes import SpokenScorer
from serving_samples import a_decision

ROLES = ("pipeline", "reviewer", "lead", "safety", "admin")
HIDDEN = "the words that decided"
TEXT = f"Before it stands a calm sentence. Here are {HIDDEN}. After it stands another calm sentence."


class Site:
    """A started application with a key per role; `log_in` gives a browser-like client."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.keys = {role: app.state.parts.auth.create_key(role, f"{role} one") for role in ROLES}

    def log_in(self, role: str, **headers: str) -> TestClient:
        """Return a client that holds the session of the role's key."""
        client = TestClient(self.app, raise_server_exceptions=False, headers=headers)
        answer = client.post("/console/login", data={"key": self.keys[role]}, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        return client

    def add_case(
        self, text: str = TEXT, hidden: str = HIDDEN, category: str = "threat", context: str | None = None
    ) -> str:
        """Store a decision and its case, every `hidden` a span of it; return the case's id."""
        because = [{"category": category, "score": 0.5, "band": [0.3, 0.7]}]
        row = a_decision(because=because, scores={category: 0.5}, created_at=datetime.now(UTC), language="en")
        found = re.finditer(re.escape(hidden), text) if hidden else []
        spans = [Span(match.start(), match.end(), category) for match in found]
        with self.app.state.parts.store.begin() as conn:
            decision_rows.insert_many(conn, [row])
            case_id: str = self.app.state.parts.triage.intake.open_case(
                conn, decision=row, text=text, spans=spans, context=context
            )
        return case_id

    def add_scores(self, *threats: float) -> None:
        """Store one decision of `model-output` per threat score, every other category near zero."""
        quiet = dict.fromkeys(HEADS, 0.01)
        with self.app.state.parts.store.begin() as conn:
            decision_rows.insert_many(conn, [a_decision(scores=quiet | {"threat": score}) for score in threats])

    def actions(self) -> list[str]:
        """Return the actions of the audit trail, oldest first."""
        from prefilter.serving.audit.chain import page

        return [entry.action for entry in reversed(page(self.app.state.parts.store, limit=500))]


@contextmanager
def site(database_url: str, tmp_path: Path, **settings: Any) -> Iterator[Site]:
    """Start the application without a network."""
    app = _app(database_url, tmp_path, settings)
    with TestClient(app):
        yield Site(app)


@pytest.fixture
def house(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """A site over an empty SQLite database."""
    with site(sqlite_url, tmp_path) as made:
        yield made


@contextmanager
def served_site(database_url: str, tmp_path: Path, **settings: Any) -> Iterator[tuple[Site, str]]:
    """Start the application behind a real server; yields it and the console's address."""
    app = _app(database_url, tmp_path, settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Site(app), f"http://127.0.0.1:{port}/console"
    finally:
        server.should_exit = True
        thread.join(30)


def _app(database_url: str, tmp_path: Path, settings: dict[str, Any]) -> Any:
    made = Settings(database_url=database_url, home=tmp_path, engine_threads=1, **settings)
    return create_app(made, scorer=SpokenScorer())  # type: ignore[arg-type]


def page_value(page: str, name: str) -> str:
    """Return the value of one `data-…` attribute of a case page."""
    return page.split(f'data-{name}="', 1)[1].split('"', 1)[0]
