"""The model card: what a released model is, written from the numbers of its manifest.

Figures on the public suites are in docs/model.md, because the maker never grades itself; the card holds what training
and calibration know. Knows the manifest, the metrics and the fits; runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prefilter.classifier.release.calibration import HeadFit
from prefilter.classifier.release.release_metrics import ReleaseMetrics
from prefilter.models.manifest import Manifest


def write_card(path: Path, manifest: Manifest, metrics: ReleaseMetrics, fits: Mapping[str, HeadFit]) -> None:
    """Write the card as Markdown to `path`."""
    scores, limits = _scores(metrics, fits), _limits(manifest, metrics)
    parts = [_head(manifest), scores, limits, _data(manifest), _making(metrics)]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _head(manifest: Manifest) -> str:
    return (
        f"# Model card: {manifest.version}\n\n"
        f"A classifier of English text for ten categories of harm and one verdict, `any`, made on the encoder "
        f"`{manifest.encoder}` (all-MiniLM-L6-v2, Apache-2.0) on {manifest.created_at[:10]}. It runs as int8 ONNX on a "
        f"CPU, in windows of {manifest.window['length']} word pieces that overlap by {manifest.window['overlap']}. "
        "It stands in front of human reviewers: it is meant to send them only borderline items, not to replace them. "
        "The categories are defined in docs/taxonomy.md; figures on the public test suites are in docs/model.md."
    )


def _scores(metrics: ReleaseMetrics, fits: Mapping[str, HeadFit]) -> str:
    lines = [
        "## Scores\n",
        "A score is a probability in the mix of the calibration split (column *prevalence*), by labels that people "
        "gave. Your mix differs: where harm is rarer, the same score means less. *Calibration error* is the expected "
        "calibration error, cross-validated, in 15 equal-mass bins. AUROC and AUPRC are on the development split, "
        "texts unseen in training but from the same sources: they flatter the model. A category with fewer than 200 "
        "human-judged positives is *uncalibrated*: its score ranks, but is no probability, and no shipped policy "
        "blocks on it alone.\n",
        "| head | calibrated | human positives | prevalence | calibration error | AUROC | AUPRC | n |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for head, fit in fits.items():
        row = metrics["development"].get(head)
        figures = f"{row['auroc']:.3f} | {row['auprc']:.3f} | {row['n']}" if row else "- | - | -"
        error = "-" if fit.error is None else f"{fit.error:.3f}"
        state = "yes" if fit.calibrated else "no, and never trained: it never rises" if fit.known == 0 else "no"
        lines.append(
            f"| {head} | {state} | {fit.human_positives} | {fit.prevalence:.3f} | {error} "
            f"| {figures} |"
        )
    return "\n".join(lines)


def _limits(manifest: Manifest, metrics: ReleaseMetrics) -> str:
    weak = ", ".join(manifest.uncalibrated) or "none"
    return (
        "## What it must not be relied on for\n\n"
        "- Any language but English: such text is sent to people, by policy, not scored.\n"
        f"- The uncalibrated categories ({weak}): too few human-judged examples to prove anything; use them to route "
        "to people.\n"
        "- Sexual content with minors: there is no head of its own; `sexual` and `any` may or may not rise.\n"
        f"{_context(manifest)}{_spans(manifest, metrics)}"
        "- Benign look-alikes (negation, quotation, counter-speech, reclaimed words): see HateCheck by functionality "
        "in docs/model.md before you block on `hate`.\n"
        "- Deciding about people. It scores text."
    )


def _context(manifest: Manifest) -> str:
    read = manifest.window.get("context", 0)
    if not read:
        return "- Judging an answer without what it answers: `context` is refused, not ignored.\n"
    return (
        f"- Long conversations: of what a text answers the last {read} word pieces are read, and few sources taught "
        "what to make of them.\n"
    )


def _spans(manifest: Manifest, metrics: ReleaseMetrics) -> str:
    if not manifest.spans:
        return ""
    taught = metrics["spans_f1"]
    untaught = ", ".join(h for h in manifest.spans if h not in taught) or "none"
    return (
        f"- Marked words as proof: people marked words for {', '.join(taught) or 'no head'}; what is marked for the "
        f"others ({untaught}) follows from what their scores rest on, and nobody has checked it.\n"
    )


def _data(manifest: Manifest) -> str:
    lines = [
        "## Data\n",
        "Licence classes: `open` (CC0, CC BY, CC BY-SA, MIT, Apache, ODC-BY, PDDL …), `unstated` (public, without a "
        "licence in the copy). Non-commercial data is never used. `weak` labels (machine, forum or template) count "
        "less. Texts of the public test suites were removed from training by their normalised text.\n",
        "| source | licence class | labels | training texts | calibration texts |",
        "|---|---|---|---|---|",
    ]
    for source in manifest.training_sources:
        lines.append(
            f"| {source['name']} | {source['licence']} | {source['labels']} | {source['train']} "
            f"| {source['calibration']} |"
        )
    return "\n".join(lines)


def _making(metrics: ReleaseMetrics) -> str:
    training, int8 = metrics["training"], metrics["int8"]
    return (
        "## Making\n\n"
        f"- One command: `prefilter train classifier/recipes/{training['recipe'].removeprefix('prefilter-')}.toml "
        "--release` with `PREFILTER_DATA_DIR` set (the sources are listed above).\n"
        f"- {training['tokens'] / 1e6:.1f}M word pieces in {training['seconds'] / 3600:.2f} h on "
        f"{training['threads']} CPU threads ({training['device']}), seed {training['seed']}, "
        f"torch {training['torch']}, {training['examples']} training texts.\n"
        f"- fp32 ONNX against PyTorch: largest logit difference {int8['max_abs_logit_difference']:.2g} over "
        f"{int8['windows']} windows.\n"
        f"- int8 against fp32: {int8['flips']:.3%} of decisions flip at the edges {int8['edges']} on "
        f"{int8['texts']} development texts."
    )
