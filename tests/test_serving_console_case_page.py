"""The case pages over HTTP: what is masked, what is recorded, and that no judgement is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from console_site import HIDDEN, Site, page_value, site
from prefilter.models.taxonomy import taxonomy
from prefilter.serving.store import decision_rows
from serving_samples import a_decision

JUDGEMENT = {"labels": {"threat": "yes", "insult": "unsure"}, "outcome": "block", "severity": 4}


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[Site]:
    with site(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def reviewer(house: Site) -> TestClient:
    return house.log_in("reviewer")


def claim(client: TestClient, queue: str = "threat") -> str:
    """Claim from a queue and return the page that follows."""
    return str(client.post(f"/console/queues/{queue}/claim").text)


def act(client: TestClient, page: str, action: str, **more: Any) -> Any:
    """Send one action of the case page, as its module does."""
    headers = {"Accept": "application/json", "Idempotency-Key": page_value(page, "idempotency-key")}
    body = {"lease_token": page_value(page, "lease"), **more}
    return client.post(f"/console/cases/{page_value(page, 'case')}/{action}", json=body, headers=headers)


def test_the_queues_say_how_much_waits(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    house.add_case("Another calm text.", "", "insult")
    claim(reviewer, "insult")
    answer = reviewer.get("/console/queues")
    assert answer.template.name == "queues.html"
    assert answer.context["total"] == {"open": 1, "leased": 1}
    assert answer.context["held"].category == "insult"


def test_the_counts_come_as_one_event_and_a_time_to_come_again(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    answer = reviewer.get("/console/queues/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("retry: 5000\ndata: {")
    assert '"open": 1' in answer.text
    assert answer.text.endswith("\n\n")


def test_the_deciding_words_are_absent_from_the_page_and_the_category_comes_first(
    house: Site, reviewer: TestClient
) -> None:
    house.add_case()
    page = claim(reviewer)
    assert HIDDEN not in page
    assert f"{len(HIDDEN)} characters hidden" in page
    assert "Before it stands a calm sentence." in page
    assert page.index('id="case-category"') < page.index('id="severity-band"') < page.index('id="passage"')


def test_a_case_without_spans_is_hidden_as_a_whole(house: Site, reviewer: TestClient) -> None:
    house.add_case("Every word of it could be the one.", "")
    page = claim(reviewer)
    assert "Every" not in page
    assert "34 characters hidden" in page


def test_several_short_spans_are_each_hidden_and_the_words_between_stay(
    house: Site, reviewer: TestClient
) -> None:
    house.add_case("A grim man met a grim dog; so grim.", "grim")
    page = claim(reviewer)
    assert "grim" not in page
    assert page.count('data-chars="4"') == 3
    assert page.count('title="4 characters hidden"') == 3
    shown = act(reviewer, page, "reveal").json()["pieces"]
    assert [p["text"] for p in shown if p["kind"] == "shown"] == ["grim"] * 3
    assert "".join(p["text"] for p in shown) == "A grim man met a grim dog; so grim."


def test_what_a_text_answers_is_hidden_whole_until_it_is_revealed(house: Site, reviewer: TestClient) -> None:
    house.add_case(context="Why <b>was</b> that?")
    page = claim(reviewer)
    assert "was</b>" not in page.replace("&lt;", "<")
    assert "All 20 characters hidden" in page
    revealed = act(reviewer, page, "reveal").json()
    assert "".join(piece["text"] for piece in revealed["context"]) == "Why <b>was</b> that?"


def test_a_case_without_a_context_says_nothing_of_one(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    page = claim(reviewer)
    assert 'id="answered"' not in page
    assert "context" not in act(reviewer, page, "reveal").json()


def test_no_template_is_given_the_whole_text(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    answer = reviewer.post("/console/queues/threat/claim")
    assert answer.template.name == "case.html"
    assert HIDDEN not in repr({name: value for name, value in answer.context.items() if name != "request"})


def test_revealing_answers_the_text_and_is_recorded(house: Site, reviewer: TestClient) -> None:
    case_id = house.add_case()
    pieces = act(reviewer, claim(reviewer), "reveal").json()["pieces"]
    assert [piece["text"] for piece in pieces if piece["kind"] == "shown"] == [HIDDEN]
    assert house.actions()[-1] == "case.revealed"
    assert reviewer.get(f"/console/cases/{case_id}/reveal").status_code == 405


def test_markup_in_a_text_stays_text(house: Site, reviewer: TestClient) -> None:
    house.add_case("<script>alert(1)</script> <img src=x onerror=y> &amp; \u202eoverride\u202c", "alert(1)")
    page = claim(reviewer)
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=y&gt; &amp;amp;" in page
    assert "\u202e" not in page
    assert "U+202E" in page


def test_a_review_is_recorded_and_the_next_case_follows_at_once(house: Site, reviewer: TestClient) -> None:
    both = {house.add_case(), house.add_case("Another calm text altogether.", "calm")}
    page = claim(reviewer)
    answer = act(reviewer, page, "reviews", queue="threat", **JUDGEMENT)
    (second,) = both - {page_value(page, "case")}
    assert answer.json() == {"location": f"/console/cases/{second}"}
    assert page_value(reviewer.get(answer.json()["location"]).text, "case") == second
    assert house.actions()[-2:] == ["review.submitted", "case.claimed"]


def test_sending_twice_records_once_and_another_body_is_refused(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    page = claim(reviewer)
    answers = [act(reviewer, page, "reviews", **JUDGEMENT).status_code for _ in range(2)]
    assert answers == [200, 200]
    assert house.actions().count("review.submitted") == 1
    changed = act(reviewer, page, "reviews", **{**JUDGEMENT, "outcome": "allow"})
    assert (changed.status_code, changed.json()["error"]["code"]) == (409, "idempotency_conflict")


def test_stopping_after_a_review_claims_nothing(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    house.add_case("Another calm text altogether.", "calm")
    answer = act(reviewer, claim(reviewer), "reviews", stop=True, **JUDGEMENT)
    assert answer.json() == {"location": "/console/queues"}
    assert house.actions()[-1] == "review.submitted"


@pytest.mark.parametrize("action", ["renew", "reveal", "release", "skip", "escalate", "reviews"])
def test_an_old_page_can_do_nothing_to_a_case_that_went_back(house: Site, action: str) -> None:
    house.add_case()
    ann, lee = house.log_in("reviewer"), house.log_in("lead")
    page = claim(ann)
    act(ann, page, "release")
    claim(lee)
    answer = act(ann, page, action, **(JUDGEMENT if action == "reviews" else {}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "lease_lost")
    assert HIDDEN not in answer.text


def test_a_skipped_case_never_comes_back_to_the_one_who_skipped(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    answer = act(reviewer, claim(reviewer), "skip", queue="threat")
    assert answer.json()["location"] == "/console/queues?empty=all"
    assert "queue-empty" in reviewer.post("/console/queues/threat/claim").text
    assert page_value(claim(house.log_in("lead")), "case").startswith("cas_")


def test_an_escalated_case_goes_to_a_lead_only(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    act(reviewer, claim(reviewer), "escalate")
    assert reviewer.post("/console/queues/escalated/claim").status_code == 403
    assert "data-case=" in claim(house.log_in("lead"), "escalated")


def test_a_lead_stays_with_the_escalated_cases(house: Site, reviewer: TestClient) -> None:
    for text in ("One calm text.", "Another calm text.", "A third calm text."):
        house.add_case(text, "")
    for _ in range(2):
        act(reviewer, claim(reviewer), "escalate")
    lead = house.log_in("lead")
    page = claim(lead, "escalated")
    assert "Escalated by <bdi>reviewer one</bdi>" in page
    answer = act(lead, page, "reviews", **JUDGEMENT, queue="escalated")
    assert page_value(lead.get(answer.json()["location"]).text, "queue") == "escalated"
    answer = act(lead, claim(lead, "escalated"), "reviews", **JUDGEMENT, queue="escalated")
    assert answer.json()["location"] == "/console/queues?empty=escalated"


def test_the_page_says_what_a_category_means_and_how_much_there_is_to_read(
    house: Site, reviewer: TestClient
) -> None:
    house.add_case("Four calm words here", "")
    page = claim(reviewer)
    assert "20 characters, 4 words" in page
    assert taxonomy()["threat"].definition in unescape(page)
    assert "all of it is hidden" in page


def test_a_text_that_could_not_be_scored_says_why(house: Site, reviewer: TestClient) -> None:
    row = a_decision(because=[{"reason": "unreadable_script"}], unscored="unreadable_script")
    with house.app.state.parts.store.begin() as conn:
        decision_rows.insert_many(conn, [row])
        house.app.state.parts.triage.intake.open_case(conn, decision=row, text="Тихо")
    assert "does not read this script" in claim(reviewer, "unscored")


def test_what_somebody_skipped_is_said_to_wait_for_others(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    act(reviewer, claim(reviewer), "skip", queue="threat")
    assert reviewer.get("/console/queues").context["skipped"] == 1


def test_logging_in_again_leads_back_to_the_case_in_hand(house: Site, reviewer: TestClient) -> None:
    case_id = house.add_case()
    claim(reviewer)
    reviewer.cookies.clear()
    answer = reviewer.post("/console/login", data={"key": house.keys["reviewer"]}, follow_redirects=False)
    assert answer.headers["location"] == f"/console/cases/{case_id}"


def test_renewing_moves_the_end_of_the_lease(house: Site, reviewer: TestClient) -> None:
    house.add_case()
    page = claim(reviewer)
    renewed = act(reviewer, page, "renew").json()
    assert renewed["expires_at"] > page_value(page, "expires")
    assert renewed["expires_at"] > renewed["now"]


def test_somebody_elses_case_is_gone_from_here(house: Site, reviewer: TestClient) -> None:
    case_id = house.add_case()
    claim(house.log_in("lead"))
    answer = reviewer.get(f"/console/cases/{case_id}")
    assert answer.status_code == 404
    assert "case-gone" in answer.text
    assert "calm sentence" not in answer.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outcome": "maybe"}, "outcome"),
        ({"severity": 9}, "severity"),
        ({"labels": {"threat": "perhaps"}}, "labels.threat"),
        ({"surprise": 1}, "surprise"),
        ({"note": "a\x00b"}, "note"),
    ],
)
def test_a_wrong_judgement_names_its_field(
    house: Site, reviewer: TestClient, change: dict[str, Any], field: str
) -> None:
    house.add_case()
    answer = act(reviewer, claim(reviewer), "reviews", **{**JUDGEMENT, **change})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert "review.submitted" not in house.actions()
