"""The error tree: a status, a code and a message each, and nothing a caller sent."""

from __future__ import annotations

import re

import pytest

from prefilter.serving import errors
from prefilter.serving.admission.refusal import native_body
from prefilter.serving.errors import PrefilterError

TREE = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, PrefilterError)
}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    assert drawn == set(TREE) - {"PrefilterError"}


@pytest.mark.parametrize("name", sorted(TREE))
def test_the_docstring_is_the_message(name: str) -> None:
    error = TREE[name]()
    assert error.message == (TREE[name].__doc__ or "").strip()
    assert 400 <= error.status < 600
    assert re.fullmatch(r"[a-z_]+", error.code)


def test_the_body_names_field_and_row_only_when_known() -> None:
    bare = native_body(errors.NotFound(), "req_1")["error"]
    assert bare == {"code": "not_found", "message": "There is no such thing here.", "request_id": "req_1"}
    full = native_body(errors.BadRequest("no", code="c", field="items", row=0), None)["error"]
    assert full == {"code": "c", "message": "no", "field": "items", "row": 0, "request_id": None}
