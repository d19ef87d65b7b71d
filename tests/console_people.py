"""People at the console, each with a browser of their own: a real Chromium before the served application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from console_site import Site, served_site

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


@pytest.fixture
def ann(house: tuple[Site, str], people: dict[str, Person]) -> Person:
    """A reviewer before a case that she has just claimed."""
    house[0].add_case()
    people["reviewer"].claim()
    return people["reviewer"]
