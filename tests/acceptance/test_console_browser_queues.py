"""In a real Chromium: nobody gets a case that another person has, and the counts are fresh."""

from __future__ import annotations

from playwright.sync_api import expect

from console_people import Person, chromium, house, lease_seconds, people
from console_site import Site

__all__ = ["chromium", "house", "lease_seconds", "people"]


def test_two_reviewers_racing_for_one_case_never_both_get_it(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    house[0].add_case()
    pair = [people["reviewer"], people["lead"]]
    for person in pair:
        person.page.goto(f"{person.base}/queues")
    for person in pair:
        person.page.evaluate("setTimeout(() => document.querySelector('#claim-next').click(), 300)")
    for person in pair:
        person.page.wait_for_selector("#case, #queue-empty")
    assert sorted(person.page.locator("#case").count() for person in pair) == [0, 1]
    assert house[0].actions().count("case.claimed") == 1


def test_back_leads_to_the_queues_and_not_to_a_case_that_was_sent(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    house[0].add_case()
    house[0].add_case("Another calm text.", "calm")
    ann = people["reviewer"]
    first = ann.claim()
    ann.press("n", "a", "Enter")
    ann.page.wait_for_function(
        "first => ![undefined, first].includes(document.querySelector('#case[data-ready]')?.dataset.case)", arg=first
    )
    ann.page.go_back()
    expect(ann.page.locator("#resume")).to_be_visible()


def test_the_counts_follow_by_themselves(house: tuple[Site, str], people: dict[str, Person]) -> None:
    house[0].add_case()
    ann = people["reviewer"]
    expect(ann.page.locator("[data-queue=threat] [data-cell=open]")).to_have_text("1")
    house[0].add_case("Another calm text.", "calm")
    expect(ann.page.locator("[data-queue=threat] [data-cell=open]")).to_have_text("2")
