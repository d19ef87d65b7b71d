"""The OpenAPI document as tests hold answers against it: every described object closed.

The document leaves its answers open to keys that come later; a test wants to know of each that has come.
"""

from __future__ import annotations

import copy
from typing import Any


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with nothing allowed in an object but what is described."""
    made = copy.deepcopy(document)
    for schema in made["components"]["schemas"].values():
        if "properties" in schema and schema["title"] != "TextPart":  # which OpenAI's clients may extend
            schema["additionalProperties"] = False
    return made
