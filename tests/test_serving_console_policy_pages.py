"""The safety pages over HTTP: edges edited as a draft, previewed, activated, rolled back; audit; keys."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from console_site import Site, house
from prefilter.models.labels import HEADS
from prefilter.serving.auth import SYSTEM
from prefilter.serving.console.policy_form import body_of, rows
from prefilter.serving.errors import BadRequest
from prefilter.serving.policy.policy import Bands
from prefilter.serving.policy.presets import load_preset
from prefilter.serving.store import decision_rows
from serving_samples import a_decision

__all__ = ["house"]
PAGE = "/console/policies/model-output"


@pytest.fixture
def safety(house: Site) -> TestClient:
    return house.log_in("safety")


def typed(**changes: str) -> dict[str, str]:
    """Return the form of `model-output` as a browser would send it, with changes."""
    fields = {"base_version": "1", "unreadable": "review", "enforced": "yes", "reason": "fewer cases"}
    for name, bands in load_preset("model-output").categories.items():
        fields[f"review-{name}"] = "" if bands.review is None else str(bands.review)
        fields[f"block-{name}"] = "" if bands.block is None else str(bands.block)
    return {**fields, **{name.replace("__", "-"): value for name, value in changes.items()}}


def test_the_form_keeps_what_it_does_not_show() -> None:
    base = load_preset("model-output")
    body = body_of(typed(review__threat="0.5"), base)
    assert body["categories"]["threat"] == {"review": 0.5, "block": 0.9}
    assert body["categories"]["insult"]["reason"] == base.categories["insult"].reason
    assert body["reason"] == "fewer cases"


def test_the_bound_of_a_stream_is_edited_kept_and_shown_where_it_differs(house: Site, safety: TestClient) -> None:
    base = load_preset("model-output")
    assert body_of(typed(), base)["streaming"] == {"max_unsafe_chars": base.max_unsafe_chars}
    safety.post(f"{PAGE}/drafts", data=typed(max_unsafe_chars="50"))
    assert "50 characters" in safety.get(f"{PAGE}/versions/2").text
    for raw in ("-1", "10001", "many", ""):
        with pytest.raises(BadRequest) as caught:
            body_of(typed(max_unsafe_chars=raw), base)
        assert caught.value.field == "streaming.max_unsafe_chars"


@pytest.mark.parametrize("raw", ["1.1", "-0.1", "nan", "inf", "half", "1e999"])
def test_an_edge_that_is_no_share_names_its_category(raw: str) -> None:
    with pytest.raises(BadRequest) as caught:
        body_of(typed(review__threat=raw), load_preset("model-output"))
    assert caught.value.field == "categories.threat"


def test_a_comma_is_read_as_a_decimal_point_and_nothing_as_no_band() -> None:
    body = body_of(
        typed(review__threat="0,5", block__threat="", review__insult="", block__insult=""), _preset()
    )
    assert body["categories"]["threat"] == {"review": 0.5, "block": None}
    assert "insult" not in body["categories"]


def _preset() -> Any:
    return load_preset("model-output")


def test_the_widths_of_the_bands_add_up_to_one() -> None:
    for row in rows(_preset(), _preset()):
        assert sum(row.widths) == pytest.approx(1.0)
        assert not row.changed
        assert row.edited is None or isinstance(row.edited, Bands)


def test_a_preview_counts_shares_and_flips_without_saving(house: Site, safety: TestClient) -> None:
    house.add_scores(0.4, 0.45, 0.6, 0.95, 0.1)
    form, headers = typed(review__threat="0.5"), {"X-Fragment": "1"}
    answer = safety.post(f"{PAGE}/preview", data=form, headers=headers)
    assert answer.context["effect"]["before"] == {"allow": 1, "review": 3, "block": 1}
    assert answer.context["effect"]["after"] == {"allow": 3, "review": 1, "block": 1}
    assert 'data-flip="review&gt;allow"' in answer.text
    assert "<html" not in answer.text
    assert house.app.state.parts.policy_book.list()[0].newest.version == 1


def test_an_uncalibrated_category_never_blocks_alone_in_a_preview_either(
    house: Site, safety: TestClient
) -> None:
    with house.app.state.parts.store.begin() as conn:
        scores = dict.fromkeys(HEADS, 0.01) | {"illicit": float(np.float32(0.99))}
        decision_rows.insert_many(conn, [a_decision(scores=scores)])
    answer = safety.post(f"{PAGE}/preview", data=typed())
    assert answer.context["effect"]["after"]["block"] == 0


def test_the_editor_says_which_categories_never_block_alone(house: Site, safety: TestClient) -> None:
    house.app.state.running.scorer.uncalibrated = ("illicit",)
    marked = re.findall(r'data-category="(\w+)">\s*<th[^>]*>[^<]*<small[^>]*data-unc', safety.get(PAGE).text)
    assert marked == ["illicit"]
    house.app.state.running.scorer.uncalibrated = ()
    assert "never blocks alone" not in safety.get(PAGE).text


def test_a_draft_decides_nothing_until_it_is_activated(house: Site, safety: TestClient) -> None:
    saved = safety.post(f"{PAGE}/drafts", data=typed(review__threat="0.5"))
    assert saved.url.path == f"{PAGE}/versions/2"
    assert saved.context["row"].status == "draft"
    assert house.app.state.parts.policy_book.active("model-output").version == 1
    done = safety.post(f"{PAGE}/versions/2/activate", data={"reason": "agreed on Monday"})
    assert done.context["active"].version == 2
    assert "agreed on Monday" in done.text
    assert house.app.state.parts.policy_book.active("model-output").categories["threat"].review == 0.5


def test_rolling_back_returns_to_the_version_before_and_says_who_and_why(
    house: Site, safety: TestClient
) -> None:
    safety.post(f"{PAGE}/drafts", data=typed(review__threat="0.5"))
    safety.post(f"{PAGE}/versions/2/activate", data={"reason": "try"})
    answer = safety.post(f"{PAGE}/rollback", data={"reason": "too many misses"})
    assert answer.context["active"].version == 1
    latest = answer.context["activations"][0]
    assert (latest.rolled_back, latest.actor, latest.reason) == (True, "safety one", "too many misses")
    assert house.actions()[-3:] == ["policy.drafted", "policy.activated", "policy.rolled_back"]


def test_a_page_that_is_out_of_date_changes_nothing(house: Site, safety: TestClient) -> None:
    for edge in ("0.5", "0.6"):
        safety.post(f"{PAGE}/drafts", data=typed(review__threat=edge))
    assert 'name="active_version" value="1"' in safety.get(f"{PAGE}/versions/3").text
    house.app.state.parts.policy_book.activate("model-output", 2, SYSTEM, "meanwhile")
    late = {"reason": "as I saw it", "active_version": "1"}
    answer = safety.post(f"{PAGE}/versions/3/activate", data=late)
    assert (answer.status_code, "Version 2 decides by now" in answer.text) == (409, True)
    assert safety.post(f"{PAGE}/rollback", data=late).status_code == 409
    assert 'name="active_version" value="2"' in safety.get(PAGE).text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"review__threat": "2"}, "categories.threat"),
        ({"review__threat": "0.95"}, "categories.threat.review"),
        ({"reason": ""}, "reason"),
        ({"unreadable": "allow"}, "unreadable"),
    ],
)
def test_a_draft_that_cannot_be_keeps_what_was_typed(
    safety: TestClient, changes: dict[str, str], field: str
) -> None:
    answer = safety.post(f"{PAGE}/drafts", data=typed(review__insult="0.123", **changes))
    assert answer.status_code == 400
    assert answer.context["problem"].field == field
    assert 'value="0.123"' in answer.text


def test_activation_and_roll_back_need_a_reason(safety: TestClient) -> None:
    safety.post(f"{PAGE}/drafts", data=typed(review__threat="0.5"))
    assert safety.post(f"{PAGE}/versions/2/activate", data={"reason": " "}).status_code == 400
    assert safety.post(f"{PAGE}/rollback", data={}).status_code == 400
    assert safety.get(PAGE).context["active"].version == 1


@pytest.mark.parametrize("path", ["/nothing", "/model-output/versions/99", "/model-output/versions/x"])
def test_an_unknown_policy_or_version_is_told_as_a_page(safety: TestClient, path: str) -> None:
    answer = safety.get(f"/console/policies{path}")
    assert answer.status_code in (400, 404)
    assert "error-message" in answer.text


def test_the_audit_page_lists_the_newest_first_and_verifies(house: Site, safety: TestClient) -> None:
    answer = safety.get("/console/audit")
    sequence = [int(number) for number in re.findall(r'data-seq="(\d+)"', answer.text)]
    assert sequence == sorted(sequence, reverse=True)
    assert sequence
    assert safety.get("/console/audit?action=policy.activated").text.count("<tr data-action") == 1
    assert 'data-ok="true"' in safety.post("/console/audit/verify").text


@pytest.mark.parametrize("before", ["9" * 30, "-1", "x"])
def test_an_impossible_place_in_the_chain_is_a_bad_request(safety: TestClient, before: str) -> None:
    assert safety.get(f"/console/audit?before={before}").status_code == 400


def test_a_broken_chain_is_shown_as_broken(house: Site, safety: TestClient) -> None:
    with house.app.state.parts.store.begin() as conn:
        conn.exec_driver_sql("DROP TRIGGER IF EXISTS audit_no_update")
        conn.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE seq = 2")
    answer = safety.post("/console/audit/verify")
    assert 'data-ok="false"' in answer.text
    assert answer.context["verification"].broken_at == 2


def test_a_new_key_is_shown_once_and_works(house: Site) -> None:
    admin = house.log_in("admin")
    secret = admin.post("/console/keys", data={"name": "Mia", "role": "reviewer"}).context["fresh"][1]
    assert house.app.state.parts.auth.authenticate(secret).name == "Mia"
    page = admin.get("/console/keys").text
    assert "Mia" in page
    assert secret not in page


def test_a_rotated_key_replaces_the_old_one_and_a_revoked_one_ends(house: Site) -> None:
    admin = house.log_in("admin")
    fresh = admin.post("/console/keys/rotate", data={"name": "reviewer one"}).context["fresh"][1]
    assert fresh != house.keys["reviewer"]
    assert house.app.state.parts.auth.authenticate(fresh).role == "reviewer"
    answer = admin.post("/console/keys/revoke", data={"name": "reviewer one"})
    assert [key.name for key in answer.context["revoked"]] == ["reviewer one"]


@pytest.mark.parametrize("data", [{"name": "admin one", "role": "admin"}, {"name": "x", "role": "king"}, {}])
def test_a_key_that_cannot_be_made_is_told_as_a_page(house: Site, data: dict[str, str]) -> None:
    answer = house.log_in("admin").post("/console/keys", data=data)
    assert answer.status_code in (400, 409)
    assert "error-message" in answer.text
