"""The release of a fast stage: the teacher's artefact again, with the fast stage and its certificates added.

Network, tokenizer and calibration are copied byte for byte, so no score changes; the version does, since a text may now
be answered by another stage. The arrays are a plain npz file. Issues and judges nothing.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prefilter.classifier.fast.distil_recipe import DistilRecipe
from prefilter.classifier.release.artefact_folder import artefact_folder
from prefilter.models import manifest as manifests

HEADING = "## Fast stage"


def write_artefact(
    recipe: DistilRecipe,
    teacher: Path,
    store: Path,
    *,
    arrays: Mapping[str, NDArray[np.generic]],
    outputs: Sequence[str],
    certificates: Sequence[Mapping[str, object]],
    taught_by: Mapping[str, int],
) -> Path:
    """Write `store/NAME/` from the teacher's folder; returns it. `taught_by`: how many texts of each source.

    Raises ValueError for an artefact above the size limit.
    """
    manifest = manifests.verify(teacher)
    with_fast_stage = dataclasses.replace(
        manifest,
        name=recipe.name,
        version=f"{recipe.name}@{recipe.version}",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        parents=(*(p for p in manifest.parents if p != manifest.version), manifest.version),
        fast={
            "outputs": list(outputs),
            "certificates": [dict(c) for c in certificates],
            "taught_by": dict(taught_by),
        },
    )
    with artefact_folder(store / recipe.name) as folder:
        for name in manifest.files:
            if name != manifests.FAST:
                shutil.copyfile(teacher / name, folder / name)
        np.savez_compressed(folder / manifests.FAST, allow_pickle=False, **arrays)
        card = folder / manifests.CARD
        kept = card.read_text(encoding="utf-8").partition(HEADING)[0].rstrip()
        kept = kept.replace(manifest.version, with_fast_stage.version)
        card.write_text(f"{kept}\n\n{_section(outputs, certificates)}\n", encoding="utf-8")
        with_fast_stage.write(folder)
    return store / recipe.name


def _section(outputs: Sequence[str], certificates: Sequence[Mapping[str, object]]) -> str:
    lines = [
        HEADING,
        "",
        "Hashed words and word pairs with a vector each, taught by the transformer's own scores on texts without "
        "labels. It only clears; what it does not clear is scored by the transformer.",
        "",
        "| certificate | flagged texts seen | of them cleared | bound | confidence |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {c['name']} | {c['flagged']} | {c['flagged_cleared']} | {c['bound']:.4f} | {c['confidence']} |"
        for c in certificates
    ]
    return "\n".join(lines)
