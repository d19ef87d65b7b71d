"""The discovery document: what Google's client library asks a service about itself before it calls it.

`googleapiclient.discovery.build` reads it and makes its methods from it, so the addresses in it are those that the
client reached us by. What the messages hold is said in `comment_messages`.
"""

from __future__ import annotations

from typing import Any

from prefilter.serving.compat.perspective.comment_messages import MESSAGES

NAME, VERSION = "commentanalyzer", "v1alpha1"
ANALYZE, SUGGEST = "/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"


def document(base_url: str) -> dict[str, Any]:
    """Return the discovery document of a service that is reached at `base_url`, which ends in `/`."""
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"{NAME}:{VERSION}",
        "name": NAME,
        "version": VERSION,
        "title": "Comments, scored as Perspective's clients ask for it",
        "description": "Scores comments for harm; the wire format is that of Perspective's Comment Analyzer.",
        "protocol": "rest",
        "rootUrl": base_url,
        "baseUrl": base_url,
        "servicePath": "",
        "basePath": "",
        # Without one, the library would send batches to Google.
        "batchPath": "batch",
        "parameters": {
            "key": {"type": "string", "location": "query", "description": "A key with the role pipeline."},
            "alt": {"type": "string", "location": "query", "enum": ["json"], "default": "json"},
            "prettyPrint": {"type": "boolean", "location": "query", "default": "true"},
        },
        "schemas": MESSAGES,
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method(ANALYZE, "AnalyzeComment", "Score a comment for the requested attributes."),
                    "suggestscore": _method(SUGGEST, "SuggestCommentScore", "Say what a comment should have scored."),
                }
            }
        },
    }


def _method(path: str, messages: str, about: str) -> dict[str, Any]:
    path = path.removeprefix("/")
    return {
        "id": f"{NAME}.comments.{path.rpartition(':')[2]}",
        "path": path,
        "flatPath": path,
        "httpMethod": "POST",
        "description": about,
        "parameters": {},
        "parameterOrder": [],
        "request": {"$ref": f"{messages}Request"},
        "response": {"$ref": f"{messages}Response"},
    }
