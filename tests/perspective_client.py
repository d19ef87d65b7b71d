"""Calls of the Perspective API as its clients make them, and what came of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text as sql

from prefilter.serving.store.tables import metadata
from serving_client import Service

ANALYZE, SUGGEST = "/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"
CANARY = "kanarienvogel im bergwerk"


def analyze(running: Service, text: object, *names: str, role: str = "pipeline", **more: Any) -> Any:
    """Ask for attributes (TOXICITY unless named) as Perspective's clients do, the key in the query."""
    asked = {"requestedAttributes": {name: {} for name in names or ("TOXICITY",)}, "comment": {"text": text}}
    return running.client.post(ANALYZE, params={"key": running.keys[role]}, json={**asked, **more})


def suggest(running: Service, text: str, value: float = 1.0, **more: Any) -> Any:
    said = {"comment": {"text": text}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": value}}}}
    return running.client.post(SUGGEST, params={"key": running.keys["pipeline"]}, json={**said, **more})


def spans(response: Any, name: str = "TOXICITY") -> list[tuple[int, int, float]]:
    found = response.json()["attributeScores"][name]["spanScores"]
    return [(span["begin"], span["end"], round(span["score"]["value"], 3)) for span in found]


def failure(response: Any) -> tuple[int, str, str]:
    """Return the status, Google's word for it and the message; the shape is checked."""
    body = response.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"code", "message", "status", "details"}
    assert error["code"] == response.status_code
    assert all(detail["@type"].startswith("type.googleapis.com/google.") for detail in error["details"])
    assert error["details"][-1]["requestId"] == response.headers["x-request-id"]
    return response.status_code, error["status"], error["message"]


def error_type(response: Any) -> str:
    word: str = response.json()["error"]["details"][0]["errorType"]
    return word


def recorded(running: Service) -> list[tuple[str, str | None]]:
    with running.app.state.parts.store.read() as conn:
        rows = conn.execute(sql("SELECT outcome, unscored FROM decisions ORDER BY created_at"))
        return [(row[0], row[1]) for row in rows]


def kept(running: Service) -> str:
    """Return every row of every table as one string, bytes decoded."""
    with running.app.state.parts.store.read() as conn:
        rows = [tuple(row) for table in metadata.sorted_tables for row in conn.execute(sql(f"SELECT * FROM {table}"))]
    return " ".join(
        bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)
        for row in rows
        for value in row
    )
