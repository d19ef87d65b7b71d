"""The picture of the console in the README, taken of the real page: masked, light, with a mild text.

Every run renders the page and checks the committed file. `make pictures` also writes the file anew. Pixels are not
compared, because fonts differ between machines.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from console_people import Person, chromium, house, lease_seconds, people
from console_site import Site

__all__ = ["chromium", "house", "lease_seconds", "people"]
PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "console-case.png"
SIZE = (1280, 800)
MAX_BYTES = 150_000
SHOWN = ("#case-category", "#severity-band", "#lease-left", "#passage .mask", "#reveal", "#submit", "#legend")
HIDDEN = "whoever cooked it cannot boil an egg"
TEXT = (
    "We had booked and still waited an hour. The soup was cold and "
    f"{HIDDEN}. The dessert was good. Next time we stay at home and cook."
)


def write(png: bytes) -> None:
    """Write the picture with a palette of 128 colours: a third of the bytes, and no difference to the eye."""
    PICTURE.parent.mkdir(exist_ok=True)
    few = Image.open(BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(PICTURE, "PNG", optimize=True)


def is_a_page(png: bytes) -> bool:
    """Say whether it is a PNG of the right size that shows something: no colour fills it, and there are many."""
    picture = Image.open(BytesIO(png), formats=["PNG"])
    colours = picture.convert("RGB").getcolors(1 << 20) or []
    most = max(count for count, _ in colours)
    return picture.size == SIZE and len(colours) > 50 and most < 0.8 * SIZE[0] * SIZE[1]


def test_the_readme_shows_the_console_with_a_masked_case(
    house: tuple[Site, str], people: dict[str, Person]
) -> None:
    house[0].add_case(TEXT, HIDDEN, category="insult")
    ann = people["reviewer"]
    ann.page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})
    ann.claim()
    assert HIDDEN not in ann.page.content()
    for part in SHOWN:
        expect(ann.page.locator(part)).to_be_in_viewport()
    taken = ann.page.screenshot(animations="disabled", scale="css")
    assert is_a_page(taken)
    if os.environ.get("PREFILTER_TEST_PICTURES") == "write":
        write(taken)
    kept = PICTURE.read_bytes()
    assert is_a_page(kept)
    assert len(kept) <= MAX_BYTES
