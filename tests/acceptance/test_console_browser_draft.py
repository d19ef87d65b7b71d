"""In a real Chromium: a lease that ends, a session that ends or a page that is left loses no draft."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from console_people import Person, ann, chromium, house, lease_seconds, people
from console_site import HIDDEN, Site

__all__ = ["ann", "chromium", "house", "lease_seconds", "people"]


class TestShortLease:
    """With leases of five seconds."""

    @pytest.fixture
    def lease_seconds(self) -> int:
        return 5

    def test_a_late_judgement_is_refused_and_its_draft_offered_again(
        self, house: tuple[Site, str], people: dict[str, Person]
    ) -> None:
        case_id = house[0].add_case()
        ann, lee = people["reviewer"], people["lead"]
        assert ann.claim() == case_id
        ann.press("v")
        expect(ann.page.locator("#passage mark")).to_have_text(HIDDEN)
        ann.press("y", "5", "b", "r")
        ann.page.select_option("#reason", "clear as it stands")
        ann.page.fill("#note", "seen before")
        expect(ann.page.locator("#lease-left")).to_have_text("ended")
        assert lee.claim() == case_id
        with ann.page.expect_response(re.compile(r"/reviews$")) as answer:
            ann.page.click("#submit")
        assert answer.value.status == 409
        expect(ann.page.locator("#lease-lost")).to_be_visible()
        assert HIDDEN not in ann.page.content()
        kept = ann.page.evaluate("JSON.stringify(localStorage)")
        assert "seen before" in kept
        assert HIDDEN not in kept
        assert "calm sentence" not in kept
        expect(lee.page.locator("#lease-left")).to_have_text("ended")
        ann.page.click("#claim-again")
        assert ann.case() == case_id
        ann.press("d")
        expect(ann.page.locator("input[name=outcome][value=block]")).to_be_checked()
        expect(ann.page.locator("input[name=severity][value='5']")).to_be_checked()
        expect(ann.page.locator("#note")).to_have_value("seen before")
        ann.page.click("#submit")
        ann.page.wait_for_selector("#queue-empty")
        assert house[0].actions().count("review.submitted") == 1
        assert ann.page.evaluate("localStorage.length") == 0


class TestLongerLease:
    """With leases of twenty seconds, so that a busy machine does not outlast the half in which nothing is renewed."""

    @pytest.fixture
    def lease_seconds(self) -> int:
        return 20

    def test_a_lease_is_renewed_while_somebody_is_at_work(self, house: tuple[Site, str], ann: Person) -> None:
        with ann.page.expect_response(re.compile(r"/renew$")) as answer:
            for _ in range(24):
                ann.press("ArrowDown")
                ann.page.wait_for_timeout(500)
        assert answer.value.status == 200
        ann.press("n", "a", "Enter")
        ann.page.wait_for_selector("#queue-empty")
        assert house[0].actions()[-1] == "review.submitted"


def test_leaving_with_an_unsent_draft_warns_and_keeps_it(house: tuple[Site, str], people: dict[str, Person]) -> None:
    case_id = house[0].add_case()
    ann, asked = people["reviewer"], []
    ann.claim()
    ann.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    ann.press("y")
    ann.page.goto(f"{ann.base}/queues")
    assert asked == ["beforeunload"]
    ann.page.click("#resume")
    assert ann.case() == case_id
    expect(ann.page.locator("#draft-offer")).to_be_visible()


def test_a_session_that_ends_in_mid_case_leads_back_to_the_case_and_its_draft(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    case_id = house[0].add_case()
    ann, asked = people["reviewer"], []
    ann.claim()
    ann.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    ann.context.clear_cookies()
    ann.press("n", "a", "Enter")
    ann.page.click("#log-in-again")
    ann.page.fill("#key", house[0].keys["reviewer"])
    ann.press("Enter")
    assert ann.case() == case_id
    ann.press("d", "Enter")
    ann.page.wait_for_selector("#queue-empty")
    assert asked == []


def test_a_session_that_ends_takes_the_revealed_words_off_the_page_and_a_new_one_reveals_them_again(
    ann: Person
) -> None:
    ann.press("v")
    expect(ann.page.locator("#passage mark")).to_have_text(HIDDEN)
    cookies = ann.context.cookies()
    ann.context.clear_cookies()
    ann.press("n", "a", "Enter")
    expect(ann.page.locator("#session-over")).to_be_focused()
    assert HIDDEN not in ann.page.content()
    ann.context.add_cookies(cookies)
    ann.press("v")
    expect(ann.page.locator("#passage mark")).to_have_text(HIDDEN)
