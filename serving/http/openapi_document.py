"""The OpenAPI document: the framework's, with our schemas in place of what it would answer by itself."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from prefilter.serving.http.descriptions import schemas

_FRAMEWORKS_OWN = {"$ref": "#/components/schemas/HTTPValidationError"}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the document of an application, made when it is first asked for."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for operations in made["paths"].values():
            for operation in operations.values():
                _drop_422(operation["responses"])
        made["components"]["schemas"] = schemas()
        app.openapi_schema = made
    return app.openapi_schema


def _drop_422(responses: dict[str, Any]) -> None:
    """Take out what the framework adds to each route with a parameter: its own validation error, never answered."""
    content = responses.get("422", {}).get("content", {})
    if content.get("application/json", {}).get("schema") == _FRAMEWORKS_OWN:
        del responses["422"]
