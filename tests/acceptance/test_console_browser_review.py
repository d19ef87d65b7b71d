"""In a real Chromium: a case is decided by keyboard alone, says what is missing, and is sent once."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from console_people import Person, ann, chromium, house, lease_seconds, people
from console_site import HIDDEN, Site

__all__ = ["ann", "chromium", "house", "lease_seconds", "people"]


def test_a_case_is_read_masked_revealed_and_decided_by_keyboard_alone(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    for number in range(2):
        house[0].add_case(f"Calm number {number}. Here are {HIDDEN}. More calm.")
    ann = people["reviewer"]
    first = ann.claim()
    assert HIDDEN not in ann.page.content()
    expect(ann.page.locator("#case-category")).to_have_text("Threat")
    ann.press("v")
    expect(ann.page.locator("#passage mark")).to_have_text(HIDDEN)
    ann.press("y", "4", "b", "ArrowDown", "u", "Enter")
    ann.page.wait_for_function(
        "first => ![undefined, first].includes(document.querySelector('#case[data-ready]')?.dataset.case)",
        arg=first,
    )
    assert ann.case() != first
    assert HIDDEN not in ann.page.content()
    assert house[0].actions()[-4:] == ["case.claimed", "case.revealed", "review.submitted", "case.claimed"]
    ann.press("n", "a", "Shift+Enter")
    ann.page.wait_for_url("**/console/queues")


def test_a_judgement_is_sent_once_however_often_the_key_is_pressed(house: tuple[Site, str], ann: Person) -> None:
    sent: list[str] = []
    ann.page.on("request", lambda request: sent.append(request.url))
    ann.press("n", "a", "Enter", "Enter", "Enter")
    ann.page.wait_for_selector("#queue-empty")
    assert sum(url.endswith("/reviews") for url in sent) == 1
    assert house[0].actions().count("review.submitted") == 1


def test_an_incomplete_judgement_says_what_is_missing(house: tuple[Site, str], ann: Person) -> None:
    ann.press("Enter")
    expect(ann.page.locator("#problem")).to_contain_text("Y, N or U")
    ann.press("y", "Enter")
    expect(ann.page.locator("#problem")).to_contain_text("1 to 7")
    ann.press("7", "Enter")
    expect(ann.page.locator("#problem")).to_contain_text("A or B")
    assert "review.submitted" not in house[0].actions()


@pytest.mark.parametrize(("key", "action"), [("s", "case.skipped"), ("x", "case.released"), ("e", "case.escalated")])
def test_one_key_leaves_a_case(house: tuple[Site, str], ann: Person, key: str, action: str) -> None:
    ann.press("y", key)
    expect(ann.page.locator("#status")).to_contain_text("once more")
    ann.press(key)
    ann.page.wait_for_url("**/console/queues*")
    assert house[0].actions()[-1] == action


def test_keys_typed_into_the_note_are_only_words(ann: Person) -> None:
    ann.press("r", "Tab")
    ann.page.keyboard.type("sexybanu 1")
    assert ann.page.input_value("#note") == "sexybanu 1"
    assert ann.page.locator("input:checked:not(#keys-on)").count() == 0
    ann.press("Escape", "n", "a")
    assert ann.page.locator("input:checked:not(#keys-on)").count() == 2


def test_a_judgement_whose_answer_was_lost_stands_and_the_page_says_so(house: tuple[Site, str], ann: Person) -> None:
    ann.page.route("**/reviews", lambda route: (route.fetch(), route.abort()))
    ann.press("n", "a", "Enter")
    expect(ann.page.locator("#problem")).to_contain_text("cannot be reached")
    ann.page.unroute("**/reviews")
    ann.press("b", "Enter")
    expect(ann.page.locator("#sent-before")).to_be_visible()
    assert house[0].actions().count("review.submitted") == 1
    assert ann.page.evaluate("localStorage.length") == 0


def test_keys_that_are_switched_off_stay_off_on_the_next_page(ann: Person) -> None:
    ann.press("w")
    expect(ann.page.locator("#bounds")).to_have_attribute("open", "")
    ann.page.uncheck("#keys-on")
    ann.page.reload()
    ann.case()
    expect(ann.page.locator("#keys-on")).not_to_be_checked()
    ann.press("n", "a", "w")
    assert ann.page.locator("input:checked").count() == 0
    assert ann.page.get_attribute("#bounds", "open") is None
