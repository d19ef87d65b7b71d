"""The console in a real Chromium: people decide cases by keyboard, and nothing they do is lost or doubled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from console_site import HIDDEN, Site, served_site

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
)


PATIENCE_MS = 60_000  # a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def lease_seconds() -> int:
    return 600


@pytest.fixture
def house(sqlite_url: str, tmp_path: Path, lease_seconds: int) -> Iterator[tuple[Site, str]]:
    with served_site(sqlite_url, tmp_path, lease_seconds=lease_seconds) as made:
        yield made


class Person:
    """Somebody at a browser of their own; every complaint of the browser fails the test."""

    def __init__(self, chromium: Browser, house: tuple[Site, str], role: str) -> None:
        self.site, self.base = house
        self.complaints: list[str] = []
        self.context = chromium.new_context(viewport={"width": 1280, "height": 900})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.goto(f"{self.base}/login")
        self.page.fill("#key", self.site.keys[role])
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#who-name")

    def _hear(self, message: object) -> None:
        text = str(getattr(message, "text", ""))
        if "Content Security Policy" in text or "Refused" in text:
            self.complaints.append(text)

    def claim(self) -> str:
        """Take the next case; return its id."""
        self.page.goto(f"{self.base}/queues")
        self.page.click("#claim-next")
        return self.case()

    def case(self) -> str:
        """Return the id of the case on the screen."""
        self.page.wait_for_selector("#case[data-ready]")
        return str(self.page.get_attribute("#case", "data-case"))

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def people(chromium: Browser, house: tuple[Site, str]) -> Iterator[dict[str, Person]]:
    class Arriving(dict[str, Person]):
        def __missing__(self, role: str) -> Person:
            self[role] = Person(chromium, house, role)
            return self[role]

    arriving = Arriving()
    yield arriving
    for person in arriving.values():
        person.context.close()
        assert person.complaints == []


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

    def test_a_lease_is_renewed_while_somebody_is_at_work(
        self, house: tuple[Site, str], people: dict[str, Person]
    ) -> None:
        house[0].add_case()
        ann = people["reviewer"]
        ann.claim()
        with ann.page.expect_response(re.compile(r"/renew$")) as answer:
            for _ in range(24):
                ann.press("ArrowDown")
                ann.page.wait_for_timeout(500)
        assert answer.value.status == 200
        ann.press("n", "a", "Enter")
        ann.page.wait_for_selector("#queue-empty")
        assert house[0].actions()[-1] == "review.submitted"


def test_a_judgement_is_sent_once_however_often_the_key_is_pressed(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    house[0].add_case()
    ann = people["reviewer"]
    ann.claim()
    sent: list[str] = []
    ann.page.on("request", lambda request: sent.append(request.url))
    ann.press("n", "a", "Enter", "Enter", "Enter")
    ann.page.wait_for_selector("#queue-empty")
    assert sum(url.endswith("/reviews") for url in sent) == 1
    assert house[0].actions().count("review.submitted") == 1


def test_an_incomplete_judgement_says_what_is_missing(house: tuple[Site, str], people: dict[str, Person]) -> None:
    house[0].add_case()
    ann = people["reviewer"]
    ann.claim()
    ann.press("Enter")
    expect(ann.page.locator("#problem")).to_contain_text("Y, N or U")
    ann.press("y", "Enter")
    expect(ann.page.locator("#problem")).to_contain_text("1 to 7")
    ann.press("7", "Enter")
    expect(ann.page.locator("#problem")).to_contain_text("A or B")
    assert "review.submitted" not in house[0].actions()


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


@pytest.mark.parametrize(("key", "action"), [("s", "case.skipped"), ("x", "case.released"), ("e", "case.escalated")])
def test_one_key_leaves_a_case(house: tuple[Site, str], people: dict[str, Person], key: str, action: str) -> None:
    house[0].add_case()
    ann = people["reviewer"]
    ann.claim()
    ann.press("y", key)
    expect(ann.page.locator("#status")).to_contain_text("once more")
    ann.press(key)
    ann.page.wait_for_url("**/console/queues*")
    assert house[0].actions()[-1] == action


def test_keys_typed_into_the_note_are_only_words(house: tuple[Site, str], people: dict[str, Person]) -> None:
    house[0].add_case()
    ann = people["reviewer"]
    ann.claim()
    ann.press("r", "Tab")
    ann.page.keyboard.type("sexybanu 1")
    assert ann.page.input_value("#note") == "sexybanu 1"
    assert ann.page.locator("input:checked:not(#keys-on)").count() == 0
    ann.press("Escape", "n", "a")
    assert ann.page.locator("input:checked:not(#keys-on)").count() == 2


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


def test_a_judgement_whose_answer_was_lost_stands_and_the_page_says_so(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    house[0].add_case()
    ann = people["reviewer"]
    ann.claim()
    ann.page.route("**/reviews", lambda route: (route.fetch(), route.abort()))
    ann.press("n", "a", "Enter")
    expect(ann.page.locator("#problem")).to_contain_text("cannot be reached")
    ann.page.unroute("**/reviews")
    ann.press("b", "Enter")
    expect(ann.page.locator("#sent-before")).to_be_visible()
    assert house[0].actions().count("review.submitted") == 1
    assert ann.page.evaluate("localStorage.length") == 0


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
