"""In a real Chromium: a text is masked until revealed, its markup has no effect, and it is readable at any length."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from console_people import Person, chromium, house, lease_seconds, people
from console_site import HIDDEN, Site

__all__ = ["chromium", "house", "lease_seconds", "people"]


def test_what_a_text_answers_is_shown_and_hidden_with_its_words(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    house[0].add_case("A grim man and a grim dog.", "grim", context="Why <i>that</i>, and so late?")
    ann = people["reviewer"]
    ann.claim()
    assert "so late" not in ann.page.content()
    assert "grim" not in ann.page.content()
    expect(ann.page.locator("#passage .mask")).to_have_count(2)
    ann.press("v")
    expect(ann.page.locator("#passage mark")).to_have_text(["grim", "grim"])
    expect(ann.page.locator("#answered")).to_have_text("Why <i>that</i>, and so late?")
    ann.press("v")
    expect(ann.page.locator("#answered .mask")).to_have_count(1)
    assert "so late" not in ann.page.content()
    assert "grim" not in ann.page.content()


def test_markup_and_direction_overrides_in_a_text_do_nothing(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    script = "document.title='owned'"
    text = f"<img src=x onerror={script}><script>{script}</script> \u202etac\u202c calm"
    house[0].add_case(text, "calm")
    ann = people["reviewer"]
    ann.claim()
    for keys in ((), ("v",)):
        ann.press(*keys)
        expect(ann.page.locator("#passage .control").first).to_have_text("U+202E")
        assert ann.page.locator("#passage img, #passage script").count() == 0
        assert "<script>document.title" in ann.page.inner_text("#passage")
        assert "owned" not in ann.page.title()


def test_a_long_text_opens_at_the_hidden_passage_and_is_read_by_keyboard(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    house[0].add_case("A calm line.\n" * 400 + HIDDEN + "\nA calm line." * 400)
    ann = people["reviewer"]
    ann.claim()
    expect(ann.page.locator("#passage .mask")).to_be_in_viewport()
    ann.press("v")
    expect(ann.page.locator("#passage mark")).to_be_in_viewport()
    ann.press("Space", "Space")
    expect(ann.page.locator("#passage mark")).not_to_be_in_viewport()
    ann.press("Shift+Space", "Shift+Space")
    expect(ann.page.locator("#passage mark")).to_be_in_viewport()


def test_a_text_from_right_to_left_reads_from_right_to_left(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    house[0].add_case("שלום עולם", "")
    ann = people["reviewer"]
    ann.claim()
    ann.press("v")
    expect(ann.page.locator("#reveal")).to_have_attribute("aria-expanded", "true")
    room, text = (ann.page.locator(name).bounding_box() for name in ("#passage", "#passage span"))
    assert room
    assert text
    assert room["x"] + room["width"] - text["x"] - text["width"] < 20


@pytest.mark.parametrize("width", [1280, 640, 320])
def test_the_case_page_never_needs_sideways_scrolling(
    house: tuple[Site, str], people: dict[str, Person], width: int
) -> None:
    house[0].add_case("word " * 200 + "x" * 400 + HIDDEN)
    ann = people["reviewer"]
    ann.page.set_viewport_size({"width": width, "height": 450})
    ann.claim()
    ann.press("y", "o")
    assert ann.page.evaluate("document.documentElement.scrollWidth") <= width
