"""Repeats: an answer from the file is bit-identical; a damaged, foreign or incomplete record is a miss."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes import CLEAN_TEXT, HARMFUL_TEXT, HARMFUL_WORDS, build_artefact
from fast_samples import PLAIN_TEXT, add_fast_stage
from prefilter.models.labels import HEADS
from prefilter.models.manifest import Manifest
from prefilter.models.repeats.repeat_record import REASONS
from prefilter.models.repeats.repeats import PAGE, Repeats, RepeatsError
from prefilter.models.scored import FAST, Evidence, Scored
from prefilter.models.scorer import INTERNAL_FAULT, Scorer, ScorerError
from prefilter.models.text.normalisation import RowError

SECRET = b"a secret of thirty-two bytes ..."
SIZE = 64 * PAGE
PIECES = [
    *HARMFUL_WORDS,
    "R U D E",
    "r.u.d.e",
    "cur5e",
    "cuuuurse",
    "l\u0435wd",
    "b\u200bully",
    "&#114;ude",
    "\uff52ude",
]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from([*PIECES, "bread", "caf\u00e9", ".", " ", "\n", "\U0001f600"]), max_size=200).map(
        " ".join
    ),
)
KEEPER = """
import sys
from pathlib import Path
from prefilter.models.manifest import Manifest
from prefilter.models.repeats.repeats import Repeats
from prefilter.models.scorer import Scorer

path, model, text = sys.argv[1:]
secret, manifest = b"a secret of thirty-two bytes ...", Manifest.load(Path(model))
repeats = Repeats.open(Path(path), secret=secret, max_bytes=64 * 4096, manifest=manifest)
Scorer.load(model, repeats=repeats).score_one(text)
"""
HAMMER = """
import sys
from pathlib import Path
import numpy as np
from prefilter.models.manifest import Manifest
from prefilter.models.repeats.repeats import Repeats
from prefilter.models.scored import Evidence, Scored

path, model, seed = sys.argv[1:]
manifest = Manifest.load(Path(model))
repeats = Repeats.open(Path(path), secret=b"s" * 32, max_bytes=2 * 4096, manifest=manifest)

def truth(i):
    parts = tuple(Evidence(manifest.heads[i % 11], i, i + n, n / 99) for n in range(3 * i))
    return Scored(dict.fromkeys(manifest.heads, np.float32(i / 30)), tokens_total=i, spans=parts)

for i in np.random.default_rng(int(seed)).integers(0, 30, 50_000).tolist():
    key = repeats.key(str(i), str(i), language=None, context=None)
    found = repeats.get(key)
    if found is None:
        repeats.put(key, truth(i))
    elif found != truth(i):
        sys.exit("a wrong answer")
print(repeats.hits)
"""


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_artefact(tmp_path_factory.mktemp("models") / "fake-1")


@pytest.fixture(scope="module")
def manifest(artefact: Path) -> Manifest:
    return Manifest.load(artefact)


@pytest.fixture(scope="module")
def plain(artefact: Path) -> Scorer:
    return Scorer.load(artefact)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "repeats"


@pytest.fixture
def repeats(path: Path, manifest: Manifest) -> Iterator[Repeats]:
    opened = Repeats.open(path, secret=SECRET, max_bytes=SIZE, manifest=manifest)
    yield opened
    opened.close()


def key_of(repeats: Repeats, text: str) -> bytes:
    return repeats.key(text, text, language=None, context=None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4),
    language=st.sampled_from([None, "en", "en-GB", "de", "a language of more than eight characters"]),
    context=st.sampled_from([None, CLEAN_TEXT, HARMFUL_TEXT, "r u d e"]),
)
def test_an_answer_with_repeats_is_the_answer_without(
    artefact: Path, plain: Scorer, repeats: Repeats, texts: list[str], language: str | None, context: str | None
) -> None:
    keeping = Scorer.load(artefact, repeats=repeats)
    asked = {"languages": [language] * len(texts) * 2, "contexts": [context] * len(texts) * 2}
    assert keeping.score(texts * 2, **asked) == plain.score(texts * 2, **asked)


@pytest.mark.parametrize(
    "scored",
    [
        Scored({}, unscored=INTERNAL_FAULT),
        Scored({}, unscored="deadline"),
        Scored({}, error=RowError("empty_text", "text is empty")),
        Scored(dict.fromkeys(HEADS, np.float32(0.1)), stage=FAST),
        Scored(dict.fromkeys(HEADS[1:], np.float32(0.1))),
        Scored(dict.fromkeys(HEADS, np.float32(0.1)), language="a whole text"),
        Scored(dict.fromkeys(HEADS, np.float32(0.1)), tokens_total=2**32),
        Scored(dict.fromkeys(HEADS, np.float32(0.1)), spans=(Evidence(HEADS[0], 0, 2**32, 0.5),)),
    ],
)
def test_what_may_differ_next_time_or_does_not_fit_is_not_kept(repeats: Repeats, scored: Scored) -> None:
    key = key_of(repeats, CLEAN_TEXT)
    repeats.put(key, scored)
    assert repeats.get(key) is None


def test_a_repeat_is_found_once_its_answer_is_finished(artefact: Path, repeats: Repeats) -> None:
    scorer = Scorer.load(artefact, repeats=repeats)
    scorer.score([CLEAN_TEXT, HARMFUL_TEXT, CLEAN_TEXT, "Das ist kein Text auf Englisch, sondern ein deutscher."] * 2)
    assert (repeats.hits, repeats.misses) == (5, 3)


def test_what_is_kept_is_given_without_reading_the_text_again(artefact: Path, repeats: Repeats) -> None:
    kept = Scored({}, unscored=REASONS[1], tokens_total=12_345)
    repeats.put(key_of(repeats, CLEAN_TEXT), kept)
    assert Scorer.load(artefact, repeats=repeats).prepare(CLEAN_TEXT) == kept


def test_what_was_kept_never_decides_whether_a_text_is_cleared(tmp_path: Path, path: Path) -> None:
    folder, edges = add_fast_stage(build_artefact(tmp_path / "fake-3"), {"toxicity": 0.5}), {"toxicity": 0.5}
    kept = Repeats.open(path, secret=SECRET, max_bytes=SIZE, manifest=Manifest.load(folder))
    scorer = Scorer.load(folder, repeats=kept)
    certificates = [scorer.certificate_for(edges), None, scorer.certificate_for(edges), None]
    assert [s.stage for s in scorer.score([PLAIN_TEXT] * 4, certificates=certificates)] == ["fast", "full"] * 2
    assert (kept.hits, kept.misses) == (1, 1)


def test_what_decides_an_answer_decides_the_key(repeats: Repeats) -> None:
    def key(text: str, sent: str, language: str | None, context: str | None) -> bytes:
        return repeats.key(text, sent, language=language, context=context)

    asked = [("a", "a", None, None), ("a", "a ", None, None), ("a", "a", "en", None), ("a", "a", None, "en")]
    asked += [("b", "a", None, None), ("a", "a", "", None), ("a", "a", None, ""), ("a", "a", "e", "n")]
    assert len({key(*question) for question in asked}) == len(asked)
    assert key(*asked[0]) == key(*asked[0])


def test_evidence_stays_in_the_offsets_of_the_text_as_sent(artefact: Path, repeats: Repeats) -> None:
    scorer = Scorer.load(artefact, repeats=repeats)
    for text in ("how rude", "how  rude", "how r u d e", "how rude"):
        (found,) = {text[span.start : span.end] for span in scorer.score_one(text).spans}
        assert found == text[3:].strip()


def test_neither_a_text_nor_a_hash_that_can_be_guessed_is_in_the_file(
    artefact: Path, repeats: Repeats, path: Path
) -> None:
    Scorer.load(artefact, repeats=repeats).score_one("rude", language="en", context="menace")
    content = path.read_bytes()
    assert key_of(repeats, "rude")[:4] not in (blake2b(b"rude").digest()[:4], sha256(b"rude").digest()[:4])
    assert repeats.key("rude", "rude", language="en", context="menace") in content
    assert not [word for word in (b"rude", b"menace", SECRET) if word in content]


def test_another_secret_finds_nothing(path: Path, manifest: Manifest, repeats: Repeats) -> None:
    repeats.put(key_of(repeats, CLEAN_TEXT), Scored({}, unscored=REASONS[1]))
    other = Repeats.open(path.with_name("other"), secret=SECRET[::-1], max_bytes=SIZE, manifest=manifest)
    assert key_of(other, CLEAN_TEXT) != key_of(repeats, CLEAN_TEXT)


def test_processes_that_share_a_small_file_never_read_a_wrong_answer(artefact: Path, path: Path) -> None:
    command = [sys.executable, "-c", HAMMER, str(path), str(artefact)]
    both = [subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True) for seed in (1, 2)]
    ended = [(process.communicate()[0], process.returncode) for process in both]
    assert [code for _, code in ended] == [0, 0]
    assert all(int(hits) > 100 for hits, _ in ended)


def test_every_damaged_byte_of_an_answer_makes_it_a_miss(path: Path, repeats: Repeats, plain: Scorer) -> None:
    key = key_of(repeats, HARMFUL_TEXT)
    repeats.put(key, plain.score_one(HARMFUL_TEXT))
    content = path.read_bytes()
    first = content.index(key)
    size = 16 + 2 + 8 + int.from_bytes(content[first + 16 : first + 18], "little")
    with path.open("r+b", buffering=0) as file:
        for place in range(first, first + size):
            file.seek(place)
            file.write(bytes([content[place] ^ 1]))
            assert repeats.get(key) is None
            file.seek(place)
            file.write(content[place : place + 1])
    assert repeats.get(key) == plain.score_one(HARMFUL_TEXT)


def test_one_answer_under_the_key_of_another_is_a_miss(path: Path, repeats: Repeats) -> None:
    first, second = key_of(repeats, "first"), key_of(repeats, "second")
    for tokens, key in enumerate((first, second)):
        repeats.put(key, Scored({}, unscored=REASONS[1], tokens_total=tokens))
    content = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        file.seek(content.index(first))
        file.write(first + content[content.index(second) + len(second) :][:60])
    assert repeats.get(first) is None


def test_a_page_that_says_nonsense_is_written_from_its_start(path: Path, manifest: Manifest, plain: Scorer) -> None:
    small = Repeats.open(path, secret=SECRET, max_bytes=2 * PAGE, manifest=manifest)
    with path.open("r+b") as file:
        file.seek(PAGE)
        file.write(b"\xff" * PAGE)
    key = key_of(small, CLEAN_TEXT)
    assert small.get(key) is None
    small.put(key, plain.score_one(CLEAN_TEXT))
    assert small.get(key) == plain.score_one(CLEAN_TEXT)


def test_the_newest_answers_push_out_the_oldest_and_the_file_never_grows(
    path: Path, repeats: Repeats, plain: Scorer
) -> None:
    answer = plain.score_one(CLEAN_TEXT)
    keys = [key_of(repeats, str(i)) for i in range(5_000)]
    for key in keys:
        repeats.put(key, answer)
    kept = [repeats.get(key) is not None for key in keys]
    assert path.stat().st_size == SIZE
    assert not any(kept[:1_000])
    assert all(kept[-500:])


def test_an_answer_that_would_push_out_too_many_is_not_kept(repeats: Repeats, plain: Scorer) -> None:
    key, spans = key_of(repeats, CLEAN_TEXT), (Evidence(HEADS[0], 0, 1, 0.5),) * 200
    repeats.put(key, replace(plain.score_one(CLEAN_TEXT), spans=spans))
    assert repeats.get(key) is None


def test_one_process_finds_what_another_kept(path: Path, artefact: Path, manifest: Manifest, plain: Scorer) -> None:
    subprocess.run([sys.executable, "-c", KEEPER, str(path), str(artefact), HARMFUL_TEXT], check=True)
    repeats = Repeats.open(path, secret=SECRET, max_bytes=SIZE, manifest=manifest)
    assert Scorer.load(artefact, repeats=repeats).score_one(HARMFUL_TEXT) == plain.score_one(HARMFUL_TEXT)
    assert (repeats.hits, repeats.misses) == (1, 0)


@pytest.mark.parametrize("change", ["model", "edge", "secret", "size", "header", "length"])
def test_a_file_of_another_kind_is_made_anew_and_leaves_its_users_theirs(
    path: Path, manifest: Manifest, repeats: Repeats, change: str
) -> None:
    key, kept = key_of(repeats, CLEAN_TEXT), Scored({}, unscored=REASONS[1])
    repeats.put(key, kept)
    if change in ("header", "length"):
        content = path.read_bytes()
        path.write_bytes(content[:-1] if change == "length" else content[:30] + b"?" + content[31:])
    changed = {"model": replace(manifest, version="2"), "edge": replace(manifest, spans={HEADS[0]: 0.5})}
    other = Repeats.open(
        path,
        secret=SECRET[::-1] if change == "secret" else SECRET,
        max_bytes=2 * SIZE if change == "size" else SIZE,
        manifest=changed.get(change, manifest),
    )
    assert other.get(key) is None
    other.put(key, replace(kept, tokens_total=5))
    assert change == "length" or repeats.get(key) == kept
    assert not path.with_name(path.name + ".new").exists()


def test_going_back_to_the_first_model_starts_anew_too(path: Path, manifest: Manifest) -> None:
    for version in ("1", "2", "1", "2"):
        opened = Repeats.open(path, secret=SECRET, max_bytes=SIZE, manifest=replace(manifest, version=version))
        key = key_of(opened, CLEAN_TEXT)
        assert opened.get(key) is None
        opened.put(key, Scored({}, unscored=REASONS[1]))
        assert opened.get(key) is not None


def test_the_file_is_its_owners_alone(path: Path, manifest: Manifest, repeats: Repeats) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(RepeatsError, match="owner"):
        Repeats.open(path, secret=SECRET, max_bytes=SIZE, manifest=manifest)
    path.with_name("link").symlink_to(path)
    with pytest.raises(RepeatsError, match="link"):
        Repeats.open(path.with_name("link"), secret=SECRET, max_bytes=SIZE, manifest=manifest)


@pytest.mark.parametrize(("secret", "max_bytes"), [(b"short", SIZE), (b"s" * 65, SIZE), (SECRET, 2 * PAGE - 1)])
def test_a_secret_or_a_size_that_makes_no_sense_is_refused(
    path: Path, manifest: Manifest, secret: bytes, max_bytes: int
) -> None:
    with pytest.raises(ValueError, match="must"):
        Repeats.open(path, secret=secret, max_bytes=max_bytes, manifest=manifest)


def test_the_self_test_never_asks_what_was_kept(artefact: Path, repeats: Repeats) -> None:
    Scorer.load(artefact, repeats=repeats).self_test()
    assert (repeats.hits, repeats.misses) == (0, 0)


def test_the_repeats_of_another_model_are_refused(tmp_path: Path, repeats: Repeats) -> None:
    other = build_artefact(tmp_path / "fake-2", name="fake-2")
    with pytest.raises(ScorerError, match="repeats"):
        Scorer.load(other, repeats=repeats)


def test_after_close_every_look_up_is_a_miss_and_scoring_goes_on(artefact: Path, repeats: Repeats) -> None:
    scorer = Scorer.load(artefact, repeats=repeats)
    before = scorer.score_one(HARMFUL_TEXT)
    repeats.close()
    assert scorer.score_one(HARMFUL_TEXT) == before
    assert repeats.misses == 2
