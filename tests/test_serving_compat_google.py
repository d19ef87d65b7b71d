"""Real clients of Perspective work against a real server when their host is changed, and no key is ever printed.

google-api-python-client builds itself from our discovery document; `perspective` (PyPI, 1.0.3) has its address in one
attribute, which is all that is changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import httpx
import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from perspective import PerspectiveAPI

from prefilter.serving.compat.perspective.attributes import ATTRIBUTES
from served import Started, key_of, server

MODEL = Path(__file__).parent.parent / "models" / "store" / "prefilter-en-2"
KIND = "Thank you for the recipe, the bread was lovely."
RUDE = "You are a stupid idiot and nobody likes you."
FRENCH = "Bonjour, je voudrais savoir quand la boulangerie ouvre demain matin, merci beaucoup."


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with server(tmp_path_factory.mktemp("home"), MODEL) as running:
        yield running


@pytest.fixture(scope="module")
def key(started: Started) -> str:
    admin = {"Authorization": f"Bearer {key_of(started)}"}
    made = httpx.post(f"{started.url}/v1/keys", headers=admin, json={"role": "pipeline", "name": "comments"})
    found: str = made.json()["key"]
    return found


def google(started: Started, key: str) -> Any:
    """Build the client as Perspective's own guide does; only the host is another."""
    return discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey=key,
        discoveryServiceUrl=f"{started.url}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
    )


def perspective(started: Started, key: str) -> PerspectiveAPI:
    client = PerspectiveAPI(key)
    client.api_client.url = f"{started.url}/v1alpha1/{{endpoint}}"
    return client


def asked(text: str, *names: str, **more: Any) -> dict[str, Any]:
    return {"comment": {"text": text}, "requestedAttributes": {name: {} for name in names or ("TOXICITY",)}, **more}


def test_googles_client_analyzes_every_attribute(started: Started, key: str) -> None:
    with google(started, key) as service:
        answer = service.comments().analyze(body=asked(RUDE, *ATTRIBUTES, clientToken="t")).execute()
        kind = service.comments().analyze(body=asked(KIND)).execute()
    scores = {name: found["summaryScore"]["value"] for name, found in answer["attributeScores"].items()}
    assert list(scores) == list(ATTRIBUTES)
    assert scores["TOXICITY"] > 0.8 > 0.2 > kind["attributeScores"]["TOXICITY"]["summaryScore"]["value"]
    assert scores["SEVERE_TOXICITY"] < scores["TOXICITY"]
    assert (answer["languages"], answer["detectedLanguages"], answer["clientToken"]) == (["en"], ["en"], "t")


def test_both_discovery_addresses_build_the_same_client(started: Started, key: str) -> None:
    url = f"{started.url}/discovery/v1/apis/{{api}}/{{apiVersion}}/rest"
    with discovery.build("commentanalyzer", "v1alpha1", developerKey=key, discoveryServiceUrl=url) as service:
        answer = service.comments().analyze(body=asked(KIND)).execute()
    assert list(answer["attributeScores"]) == ["TOXICITY"]


def test_googles_client_gets_sentences_and_sends_context(started: Started, key: str) -> None:
    text = f"{KIND} \U0001f35e {RUDE}"
    context = {"entries": [{"text": "What do you think of my bread?"}]}
    with google(started, key) as service:
        answer = service.comments().analyze(body=asked(text, spanAnnotations=True, context=context)).execute()
    wide, spans = text.encode("utf-16-le"), answer["attributeScores"]["TOXICITY"]["spanScores"]
    said = [wide[2 * span["begin"] : 2 * span["end"]].decode("utf-16-le") for span in spans]
    assert said == [KIND, f"\U0001f35e {RUDE}"]
    assert spans[0]["score"]["value"] < 0.5 < spans[1]["score"]["value"]


def test_a_sentence_that_cannot_be_read_gets_no_score_rather_than_a_low_one(started: Started, key: str) -> None:
    text = " ".join([KIND] * 20) + f" {FRENCH}"
    with google(started, key) as service:
        answer = service.comments().analyze(body=asked(text, spanAnnotations=True)).execute()
    spans = answer["attributeScores"]["TOXICITY"]["spanScores"]
    assert (len(spans), max(span["end"] for span in spans)) == (20, len(text) - len(FRENCH) - 1)


def test_googles_client_understands_every_error(started: Started, key: str) -> None:
    with google(started, key) as service, google(started, "AIzaWrong") as stranger:
        calls = {
            "Comment must be non-empty.": service.comments().analyze(body=asked("  ")),
            "Attribute TOXICITY does not support request languages: fr": service.comments().analyze(
                body=asked(KIND, languages=["fr"])
            ),
            "Unknown requested attribute: SPAM.": service.comments().analyze(body=asked(KIND, "SPAM")),
            "API key not valid. Please pass a valid API key.": stranger.comments().analyze(body=asked(KIND)),
        }
        for message, call in calls.items():
            with pytest.raises(HttpError) as caught:
                call.execute()
            assert (caught.value.status_code, caught.value.reason[: len(message)]) == (400, message)
            assert caught.value.error_details[0]["@type"].startswith("type.googleapis.com/")


def test_a_detected_language_that_cannot_be_read_is_named(started: Started, key: str) -> None:
    with google(started, key) as service, pytest.raises(HttpError) as caught:
        service.comments().analyze(body=asked(FRENCH)).execute()
    detail = caught.value.error_details[0]
    assert detail["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert detail["languageNotSupportedByAttributeError"] == {"attribute": "TOXICITY", "detectedLanguages": ["fr"]}


def test_googles_client_suggests_a_score(started: Started, key: str) -> None:
    said = {"TOXICITY": {"summaryScore": {"value": 0}}}
    body = {"comment": {"text": KIND}, "attributeScores": said, "communityId": "/forum/bread", "clientToken": "c-1"}
    with google(started, key) as service:
        answer = service.comments().suggestscore(body=body).execute()
    assert answer == {"clientToken": "c-1", "requestedLanguages": [], "detectedLanguages": ["en"]}


def test_the_client_from_pypi_works_with_its_address_changed(started: Started, key: str) -> None:
    client = perspective(started, key)
    assert client.score(RUDE, tests=["TOXICITY", "INSULT"]).keys() == {"TOXICITY", "INSULT"}
    answer = client.analyze_comment(
        f"<p>{RUDE}</p>",
        comment_type="HTML",
        context=[{"text": "Is this bread?"}],
        requested_attributes={"TOXICITY": {"scoreThreshold": 0.1}, "THREAT": {"scoreThreshold": 0.99}},
        span_annotations=True,
        languages=["en"],
        do_not_store=True,
        client_token="t",
        session_id="s",
        community_id="c",
    )
    assert list(answer["attributeScores"]) == ["TOXICITY"]
    said = {"INSULT": {"summaryScore": {"value": 0.0, "type": "PROBABILITY"}}}
    assert client.suggest_score(KIND, said, client_token="t")["clientToken"] == "t"


def test_the_client_from_pypi_is_told_what_is_wrong(started: Started, key: str) -> None:
    for client, names in ((perspective(started, key), ["SPAM"]), (perspective(started, "AIza"), ["TOXICITY"])):
        with pytest.raises(HTTPError) as caught:
            client.score(KIND, tests=names)
        with caught.value as answer:
            assert json.loads(answer.read())["error"]["status"] == "INVALID_ARGUMENT"


def test_a_key_in_the_query_reaches_no_log_no_metric_and_no_error(started: Started, key: str) -> None:
    wrong = "pf_0badcafe_" + "x" * 43
    said = []
    for each in (key, wrong, f"{wrong}%zz\x00"):
        for method, path in (
            ("POST", "/v1alpha1/comments:analyze"), ("GET", "/v1alpha1/comments:analyze"),
            ("POST", "/v1alpha1/comments:suggestscore"), ("POST", "/v1alpha1/nowhere"), ("POST", "/v1/score"),
            ("GET", "/$discovery/rest"), ("GET", "/$discovery/rest/no"), ("GET", "/nowhere"),
        ):  # fmt: skip
            for body in (b"{", b"", json.dumps(asked(KIND)).encode()):
                answer = httpx.request(method, f"{started.url}{path}", params={"key": each}, content=body)
                said.append(answer.text + str(answer.headers))
    too_large = httpx.post(f"{started.url}/v1alpha1/comments:analyze", params={"key": key}, content=b" " * 33_600_000)
    said += [too_large.text, httpx.get(f"{started.url}/metrics").text, *started.printed]
    assert any("/v1alpha1/comments:analyze 200" in line for line in started.printed)
    for line in said:
        assert key not in line
        assert "0badcafe" not in line


def test_a_client_without_a_body_learns_whether_its_key_is_valid(started: Started, key: str) -> None:
    # PyPerspective asks so before anything else, and looks into the first detail whatever it is.
    reasons = []
    for each in (key, "AIza"):
        answer = httpx.post(f"{started.url}/v1alpha1/comments:analyze", params={"key": each}).json()
        reasons.append(answer["error"]["details"][0].get("reason"))
    assert reasons == [None, "API_KEY_INVALID"]


def lookups(started: Started) -> list[str]:
    """How often an answer given before was looked up, hits and misses."""
    page = httpx.get(f"{started.url}/metrics").text
    return [line for line in page.splitlines() if line.startswith("prefilter_repeats_total")]


def test_an_answer_that_may_not_be_stored_is_no_repeat(started: Started, key: str) -> None:
    text = "Nobody may keep this. Neither the first sentence nor the second."
    before = lookups(started)
    with google(started, key) as service:
        for _ in range(2):
            service.comments().analyze(body=asked(text, doNotStore=True, spanAnnotations=True)).execute()
        assert lookups(started) == before
        service.comments().analyze(body=asked(text)).execute()
    assert lookups(started) != before
