"""The certificates of a policy's streams: every edge set of a policy certified on the texts of its own stream.

A policy has edges for each source it names and for all other texts. Texts come from files, without labels; rows that
break the contract are left out. What a certificate promises is in `certificates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefilter.eval.certify.certificates import Cannot
from prefilter.eval.certify.recertification import certify
from prefilter.eval.machine import usable_cores
from prefilter.serving.bulk.read.input_files import find_inputs
from prefilter.serving.bulk.read.input_rows import Columns
from prefilter.serving.bulk.read.row_readers import read_rows
from prefilter.serving.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Certified:
    """What was proved: at most `bound` of the harm is cleared, at this confidence; so many flagged texts were seen."""

    flagged: int
    cleared: int
    bound: float
    confidence: float

    @classmethod
    def of(cls, certificate: Mapping[str, Any]) -> Certified:
        """Take it out of a certificate as the manifest holds it."""
        return cls(
            certificate["flagged"], certificate["flagged_cleared"], certificate["bound"], certificate["confidence"]
        )


def certify_streams(
    model: Path, inputs: Sequence[str], policy: Policy, *, text_column: str = "text", verdict: str | None = None
) -> Iterator[tuple[str, Certified | Cannot]]:
    """Certify one stream after the other and write the model's manifest; yields the certificate's name and the result.

    Raises FastStageError for a model without a fast stage or without the `verdict` asked for.
    """
    texts = _by_stream(inputs, policy, text_column)
    for source in (None, *policy.sources):
        name = policy.name if source is None else f"{policy.name}:{source}"
        found = certify(
            model,
            texts.get(source, []),
            policy.edges_for(source),
            name=name,
            threads=usable_cores(),
            verdict=verdict,
        )
        yield name, found if isinstance(found, Cannot) else Certified.of(found)


def _by_stream(inputs: Sequence[str], policy: Policy, text_column: str) -> dict[str | None, list[str]]:
    texts: dict[str | None, list[str]] = {}
    for row in read_rows(find_inputs(inputs), Columns(text=text_column)):
        if row.error is None:
            source = row.source if row.source in policy.sources else None
            texts.setdefault(source, []).append(row.text)
    return texts
