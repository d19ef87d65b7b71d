"""The console over HTTP: who gets in, what every page carries, and what never leaves it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from console_site import ROLES, Site, house, site
from prefilter.serving.console.console_routes import STATIC
from prefilter.serving.console.guard import POLICY
from prefilter.serving.console.rendering import STATIC_DIR, TEMPLATES_DIR

__all__ = ["house"]


@pytest.fixture
def stranger(house: Site) -> TestClient:
    return TestClient(house.app, follow_redirects=False)


def test_a_key_opens_a_session_that_scripts_and_other_sites_cannot_use(
    stranger: TestClient, house: Site
) -> None:
    answer = stranger.post("/console/login", data={"key": house.keys["reviewer"]})
    cookie = answer.headers["set-cookie"].lower()
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/queues")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/console" in cookie
    assert "max-age=28800" in cookie
    assert house.keys["reviewer"] not in cookie


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_secure_where_configured(sqlite_url: str, tmp_path: Path, secure: bool) -> None:
    with site(sqlite_url, tmp_path, cookie_secure=secure) as house:
        client = TestClient(house.app, follow_redirects=False)
        answer = client.post("/console/login", data={"key": house.keys["safety"]})
    assert ("secure" in answer.headers["set-cookie"].lower()) is secure


def test_a_wrong_key_is_refused_without_repeating_it(stranger: TestClient) -> None:
    answer = stranger.post("/console/login", data={"key": "pf_wrong_canary"})
    assert answer.status_code == 401
    assert "log-in-problem" in answer.text
    assert "canary" not in answer.text
    assert "set-cookie" not in answer.headers


def test_log_in_is_rate_limited(stranger: TestClient) -> None:
    answers = [stranger.post("/console/login", data={"key": "pf_wrong"}) for _ in range(22)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert answers[-1].headers["content-type"].startswith("text/html")


def test_a_key_for_programs_opens_no_session(stranger: TestClient, house: Site) -> None:
    answer = stranger.post("/console/login", data={"key": house.keys["pipeline"]})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_without_a_session_every_page_leads_to_the_log_in(stranger: TestClient) -> None:
    for path in ("", "/queues", "/cases/cas_1", "/policies", "/audit", "/keys"):
        answer = stranger.get(f"/console{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/login"), path


def test_a_module_without_a_session_gets_json_and_401(stranger: TestClient) -> None:
    headers = {"Accept": "application/json"}
    answer = stranger.post("/console/cases/cas_1/renew", json={"lease_token": "x"}, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorised"


def test_a_session_ends_by_the_clock_and_by_logging_out(house: Site) -> None:
    client = house.log_in("reviewer")
    assert client.get("/console/queues").status_code == 200
    auth = house.app.state.parts.auth
    auth._clock = lambda: datetime.now(UTC) + timedelta(hours=9)
    assert "session-ended" in client.get("/console/queues").text
    auth._clock = lambda: datetime.now(UTC)
    again = house.log_in("reviewer")
    token = again.cookies["prefilter_session"]
    assert 'id="key"' in again.post("/console/logout").text
    thief = TestClient(house.app, cookies={"prefilter_session": token}, follow_redirects=False)
    assert thief.get("/console/queues").status_code == 303


def test_revoking_a_key_ends_its_session(house: Site) -> None:
    client = house.log_in("reviewer")
    house.app.state.parts.auth.revoke("reviewer one")
    assert client.get("/console/queues", follow_redirects=False).status_code == 303


ALLOWED = {
    "/queues": {"reviewer", "lead", "admin"},
    "/policies": {"safety", "admin"},
    "/policies/model-output": {"safety", "admin"},
    "/audit": {"safety", "admin"},
    "/keys": {"admin"},
}


@pytest.mark.parametrize("role", [role for role in ROLES if role != "pipeline"])
def test_each_role_sees_its_own_pages_only(house: Site, role: str) -> None:
    client = house.log_in(role)
    for path, roles in ALLOWED.items():
        assert client.get(f"/console{path}").status_code == (200 if role in roles else 403), path


def test_safety_people_see_no_case_text(house: Site) -> None:
    case_id, client = house.add_case(), house.log_in("safety")
    assert client.get(f"/console/cases/{case_id}").status_code == 403
    assert client.post(f"/console/cases/{case_id}/reveal", json={"lease_token": "x"}).status_code == 403
    assert client.post("/console/queues/threat/claim").status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "http://testserver"}, 303),
        ({"Origin": "http://testserver.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 303),
    ],
)
def test_another_sites_page_can_change_nothing(house: Site, headers: dict[str, str], status: int) -> None:
    client = house.log_in("reviewer")
    answer = client.post("/console/queues/claim", headers=headers, follow_redirects=False)
    assert answer.status_code == status


def test_every_answer_carries_the_strict_policy_and_is_not_stored(house: Site) -> None:
    case_id, client = house.add_case(), house.log_in("admin")
    client.post("/console/queues/threat/claim")
    for path in ("/login", "/queues", f"/cases/{case_id}", "/cases/none", "/policies", "/audit", "/keys"):
        answer = client.get(f"/console{path}")
        assert answer.headers["content-security-policy"] == POLICY, path
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["referrer-policy"] == "same-origin", path
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("path", sorted(TEMPLATES_DIR.glob("*.html")), ids=lambda path: path.name)
def test_no_template_needs_anything_the_policy_forbids(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|javascript:|\son[a-z]+=", source)
    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert not re.search(r"https?://|\| *safe\b|Markup", source)


def test_every_file_of_the_pages_is_served_and_nothing_else(house: Site, stranger: TestClient) -> None:
    assert {path.name for path in STATIC_DIR.iterdir()} >= set(STATIC)
    for name, kind in STATIC.items():
        answer = stranger.get(f"/console/static/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-type"].startswith(kind)
    for name in ("../app.py", "..%2fapp.py", "nothing.js", "%2e%2e/settings.py"):
        assert stranger.get(f"/console/static/{name}").status_code == 404, name


def test_no_module_writes_markup_or_reaches_elsewhere() -> None:
    for path in STATIC_DIR.glob("*.js"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://", source
        )


def test_a_broken_request_is_told_without_repeating_it(house: Site) -> None:
    client = house.log_in("reviewer", accept="application/json")
    path, canary = "/console/cases/cas_1/renew", "canary words"
    for body in (f'{{"lease_token": "{canary}"', f'{{"lease_token": ["{canary}"]}}', f'["{canary}"]', "\xff"):
        answer = client.post(
            path, content=body.encode("latin-1"), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, body
        assert answer.json()["error"]["code"]
        assert canary not in answer.text


def test_a_form_with_a_character_no_database_stores_is_refused(house: Site) -> None:
    answer = house.log_in("safety").post("/console/policies/model-output/rollback", data={"reason": "a\x00b"})
    assert answer.status_code == 400
    assert "reason" in answer.text


PAIRS = ("ink/paper", "ink/card", "ink/sunk", "ink/accent-soft", "quiet/paper", "quiet/card", "quiet/sunk")
MORE_PAIRS = (
    "accent/paper",
    "accent/card",
    "accent-ink/accent",
    "attention/attention-soft",
    "attention/card",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pair", PAIRS + MORE_PAIRS)
def test_every_pair_of_text_and_ground_meets_aa(scheme: str, pair: str) -> None:
    light, dark = (STATIC_DIR / "console.css").read_text(encoding="utf-8").split("prefers-color-scheme", 1)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))
    ink, ground = (_luminance(colours[name]) for name in pair.split("/"))
    assert (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
