"""In a real Chromium: a policy is edited, previewed, activated and rolled back."""

from __future__ import annotations

from playwright.sync_api import expect

from console_people import Person, chromium, house, lease_seconds, people
from console_site import Site

__all__ = ["chromium", "house", "lease_seconds", "people"]


def test_a_policy_is_edited_previewed_activated_and_rolled_back(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    house[0].add_scores(0.4, 0.45, 0.6)
    sam = people["safety"]
    sam.page.click("text=model-output")
    sam.page.fill("#review-threat", "0.5")
    expect(sam.page.locator("#flips [data-flip='review>allow']")).to_contain_text("2")
    expect(sam.page.locator("#review-after")).to_have_text("33 %")
    sam.page.fill("#reason", "fewer cases for the same misses")
    sam.page.click("#save-draft")
    expect(sam.page.locator("#version-status")).to_have_text("draft")
    sam.page.fill("#activate-reason", "agreed on Monday")
    sam.page.click("#activate")
    expect(sam.page.locator("#active-version")).to_have_text("2")
    sam.page.fill("#rollback-reason", "too many misses")
    sam.page.click("#roll-back")
    expect(sam.page.locator("#active-version")).to_have_text("1")
    expect(sam.page.locator("#activations li").first).to_contain_text("too many misses")
