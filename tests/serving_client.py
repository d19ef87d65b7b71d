"""The application as a test sees it: started on a database of its own, with a key per role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from prefilter.serving.app import create_app
from prefilter.serving.settings import Settings
from serving_fakes import SpokenScorer

ROLES = ("pipeline", "reviewer", "lead", "safety", "admin")


class Service:
    """A started application, its scorer, and calls in the name of a role."""

    def __init__(self, client: TestClient, scorer: SpokenScorer) -> None:
        self.client = client
        self.scorer = scorer
        self.app: Any = client.app
        self.keys = {role: self.app.state.parts.auth.create_key(role, f"{role} one") for role in ROLES}

    def call(self, method: str, path: str, role: str | None = "admin", **kwargs: Any) -> Any:
        """Send one request with the role's key."""
        headers = {**kwargs.pop("headers", {})}
        if role is not None:
            headers["Authorization"] = f"Bearer {self.keys[role]}"
        return self.client.request(method, path, headers=headers, **kwargs)

    def score(self, *items: Any, role: str = "pipeline", **more: Any) -> Any:
        """Screen items and return the whole answer."""
        return self.call("POST", "/v1/score", role, json={"items": list(items), **more})


@contextmanager
def service(database_url: str, tmp_path: Path, **settings: Any) -> Iterator[Service]:
    """Start the application on `database_url`."""
    scorer = SpokenScorer()
    made = Settings(database_url=database_url, home=tmp_path, engine_threads=2, **settings)
    app = create_app(made, scorer=scorer)  # type: ignore[arg-type]
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Service(client, scorer)
        scorer.release.set()
