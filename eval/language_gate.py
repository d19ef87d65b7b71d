"""How well the language gate keeps to its word: English passes, other languages do not.

Draws rows from every labelled source, English and other, and counts what the gate calls unreadable: by
source for English (a cost: people read it for nothing), by language for the rest (its use). Writes
`docs/language.md`. Knows the gate only through `read`, which the scorer asks too; judges no harm.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from prefilter.models.registry import resolve
from prefilter.models.text.language import read
from prefilter.models.text.normalisation import check_text, normalise
from prefilter.models.text.windows import load_tokenizer, windows

MAX_CHARS = 20_000


@dataclass(slots=True)
class Tally:
    """Rows seen, and rows called unreadable by reason."""

    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Unreadable rows among all, in [0, 1]."""
        return self.reasons.total() / self.rows if self.rows else 0.0


def measure(data_dir: Path, tokenizer: Tokenizer, *, rows: int, seed: int = 1) -> dict[str, dict[str, Tally]]:
    """Tallies of up to `rows` random rows a file: `en` by source, `ml` by the rows' language (English left
    out)."""
    tallies: dict[str, dict[str, Tally]] = {"en": {}, "ml": {}}
    for folder in tallies:
        for file in sorted((data_dir / folder).glob("*.parquet")):
            table = pq.read_table(file, columns=["text", "lang"])
            drawn = np.random.default_rng(seed).permutation(table.num_rows)[:rows]
            for text, lang in zip(*table.take(drawn).to_pydict().values(), strict=True):
                key = file.stem if folder == "en" else str(lang)
                if check_text(text) is None and not (folder == "ml" and key == "en"):
                    tally = tallies[folder].setdefault(key, Tally())
                    tally.rows += 1
                    tally.reasons.update([reason] if (reason := _reason(text, tokenizer)) else [])
    return tallies


def _reason(text: str, tokenizer: Tokenizer) -> str | None:
    normalised = normalise(text[:MAX_CHARS])
    ids = np.concatenate([w.ids[1:-1] for w in windows(normalised, tokenizer)[0]])
    unknown = float((ids == tokenizer.token_to_id("[UNK]")).mean()) if len(ids) else 1.0
    return read(normalised.text, declared=None, unknown_share=unknown).reason


def page(tallies: dict[str, dict[str, Tally]], *, command: str) -> str:
    """The Markdown page of the figures, with date, machine and command."""
    english = sorted(tallies["en"].items(), key=lambda item: (-item[1].share, item[0]))
    passed = [name for name, tally in english if not tally.share]
    total = {folder: _sum(part) for folder, part in tallies.items()}
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# What the language gate lets through",
        "",
        "The model reads English. `models/text/language.py` looks at the declared language, the script, the share",
        "of unknown word pieces and an identifier's answer (fastText lid.176.ftz, read offline), and what it",
        "calls unreadable gets the policy's `unreadable` outcome, never `allow` in silence. Its edges were",
        "chosen on these data, so the figures flatter it a little. English sources hold some foreign rows,",
        "so their share is an upper bound of the error.",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine}, with `{command}`.",
        "",
        f"- English called unreadable: **{total['en'].share:.2%}** of {total['en'].rows:,} rows",
        f"- other languages called unreadable: **{total['ml'].share:.1%}** of {total['ml'].rows:,} rows",
        "",
        "## Other languages: share caught",
        "",
        *_table("language", sorted(tallies["ml"].items())),
        "",
        "## English: share called unreadable, by source",
        "",
        *_table("source", [item for item in english if item[1].share]),
        "",
        f"None in {len(passed)} further sources: {', '.join(passed)}.",
        "",
        "## What it cannot do",
        "",
        "- A few foreign words (under twelve letters) pass: no identifier can tell.",
        "- It reads eight parts of a long text: a foreign passage below a quarter of an English text may",
        "  pass, and is then scored by a model that does not know its words.",
        "- Tongues in Latin letters without a settled spelling, such as romanised Hindi, are caught less.",
        "",
    ]
    return "\n".join(lines)


def _sum(part: dict[str, Tally]) -> Tally:
    return Tally(sum(t.rows for t in part.values()), sum((t.reasons for t in part.values()), Counter()))


def _table(heading: str, items: list[tuple[str, Tally]]) -> list[str]:
    rows = [
        f"| {heading} | rows | unreadable | language | script | unknown pieces |",
        "|---|---|---|---|---|---|",
    ]
    for name, tally in items:
        by = [
            tally.reasons[f"{r}"] for r in ("unreadable_language", "unreadable_script", "unknown_word_pieces")
        ]
        rows.append(f"| {name} | {tally.rows} | {tally.share:.1%} | {' | '.join(map(str, by))} |")
    return rows


def main() -> None:
    """Measure the gate on `PREFILTER_DATA_DIR` and write the page."""
    parser = argparse.ArgumentParser(prog="python -m prefilter.eval.language_gate", description=main.__doc__)
    parser.add_argument("--rows", type=int, default=400, help="rows drawn from every file")
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json; default: the live model's")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/language.md"))
    asked = parser.parse_args()
    tokenizer = load_tokenizer(asked.tokenizer or resolve() / "tokenizer.json")
    tallies = measure(Path(os.environ["PREFILTER_DATA_DIR"]), tokenizer, rows=asked.rows)
    text = page(tallies, command=f"python -m prefilter.eval.language_gate --rows {asked.rows}")
    asked.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
