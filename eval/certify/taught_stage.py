"""A fast stage taught by a model's own scores, certified under the policies of its recipe, and released with the model.

The lessons teach it, the held-out texts certify it; a policy that cannot be certified is said and clears nothing. Here
because it needs what teaches (classifier), what proves (this room) and the edges of the shipped policies (serving).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from prefilter.classifier.corpus.sources import data_dir_from_env
from prefilter.classifier.fast.distil_recipe import DistilRecipe
from prefilter.classifier.fast.distillation import distil, verdict_name
from prefilter.classifier.fast.fast_release import write_artefact
from prefilter.classifier.fast.lessons import teach
from prefilter.eval.certify.certificates import Cannot, issue, judge
from prefilter.eval.certify.stream_certificates import Certified
from prefilter.eval.machine import usable_cores
from prefilter.models.fast.fast_stage import FastStage
from prefilter.models.known_error import WrongUse
from prefilter.models.labels import HEADS
from prefilter.models.registry import live_name, resolve, store_dir
from prefilter.models.scorer import Scorer
from prefilter.serving.policy.presets import load_preset


@dataclass(frozen=True, slots=True)
class TaughtStage:
    """The artefact's folder, and by policy what was proved of it."""

    folder: Path
    found: dict[str, Certified | Cannot]


def teach_stage(
    recipe: DistilRecipe, *, run_dir: Path | None = None, data_dir: Path | None = None, store: Path | None = None
) -> TaughtStage:
    """Teach, certify and release the fast stage of a recipe; raises WrongUse where it would replace the live model."""
    target = store or store_dir()
    if live_name(target) == recipe.name:
        raise WrongUse(f"{recipe.name} is live: write into another --store, or give the recipe a new name")
    data = data_dir or data_dir_from_env()
    if data is None:
        raise WrongUse("distil needs the labelled data: set PREFILTER_DATA_DIR or give --data-dir")
    teacher = resolve(recipe.teacher)
    scorer = Scorer.load(teacher, threads=usable_cores(), max_chars=None)
    lessons = teach(recipe, run_dir or Path("runs") / f"{recipe.name}-fast", data, scorer)
    edges = {policy: load_preset(policy).edges_for(None) for policy in recipe.policies}
    learned = lessons.of("lesson")
    arrays = distil(recipe, learned, edges)
    outputs = [*HEADS, *map(verdict_name, edges)]
    stage = FastStage(arrays, outputs=outputs)
    held_out = lessons.of("calibration").of_sources([n for n, rule in recipe.sources.items() if not rule.paired])
    judged = judge(stage, held_out.texts, held_out.scores, held_out.source)
    issued = {policy: issue(policy, judged, stage, own, verdict=verdict_name(policy)) for policy, own in edges.items()}
    folder = write_artefact(
        recipe,
        teacher,
        target,
        arrays=arrays,
        outputs=outputs,
        certificates=[found for found in issued.values() if not isinstance(found, Cannot)],
        taught_by=dict(sorted(Counter(learned.source).items())),
    )
    return TaughtStage(
        folder, {name: one if isinstance(one, Cannot) else Certified.of(one) for name, one in issued.items()}
    )
