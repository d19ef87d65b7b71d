"""What the model is and means, what it must not be relied on for, how it was calibrated, quantised and made: sections.

They are written from the document and from the taxonomy; the document carries what the manifest says, so that a
card can be made again without the model.
"""

from __future__ import annotations

from prefilter.eval.card.sections.explanations import explain, points
from prefilter.eval.card.table import NONE, Section, Table, number
from prefilter.eval.document import ResultsDocument, share_of
from prefilter.models.labels import ANY, HEADS
from prefilter.models.taxonomy import taxonomy


def about(document: ResultsDocument) -> Section:
    """What it is and for whom, and how the numbers were made."""
    machine, model = document.machine, document.model
    window = model.reads
    reads = NONE if window is None else f"windows of {window.length} word pieces, overlap {window.overlap}"
    pieces = 0 if window is None else window.context
    rows = (
        ("Model", f"{document.model_version}, made {(model.created_at or NONE)[:10]}"),
        ("Encoder", model.encoder or NONE),
        ("Languages", ", ".join(model.languages)),
        ("Reads", reads),
        ("Context", f"its last {pieces} word pieces" if pieces else "not read"),
        ("Spans", _named(tuple(model.spans or ()))),
        ("Heads", _named(model.heads or (*model.categories, ANY))),
        ("Uncalibrated (never block alone)", _named(model.uncalibrated)),
        ("Measured", document.created_at),
        ("Machine", f"{machine.cpu}, {machine.cores} cores, {machine.instructions or 'no vector flags'}"),
        ("Software", f"{machine.system}, Python {machine.python}, onnxruntime {machine.onnxruntime}"),
        ("Command", f"`{document.command}`"),
    )
    return Section("What it is, and for whom", explain("about"), (Table(("", ""), rows),))


def meanings(document: ResultsDocument) -> Section:
    """The definition of every category."""
    rows = tuple(
        (f"`{name}`", entry.definition, "; ".join(entry.positive), "; ".join(entry.negative))
        for name, entry in taxonomy().items()
        if name in document.model.categories
    )
    header = ("category", "definition", "inside, for example", "outside, for example")
    return Section("What the categories mean", explain("meanings"), (Table(header, rows),))


def limits(document: ResultsDocument) -> Section:
    """What the model must not be relied on for."""
    model = document.model
    human = model.making.human_positives or {}
    edges = {name: own.edges for name, own in document.policies.items() if own.enforced}
    rows = []
    for head in (head for head in HEADS if head in model.uncalibrated):
        blocks = [name for name, own in edges.items() if own.get(head, (None, None))[1] is not None]
        route = f"{', '.join(blocks)}: edge named, never acts alone" if blocks else "review only"
        rows.append((f"`{head}`", str(human.get(head, NONE)), route))
    header = ("low evidence", "human-judged positives in calibration", "block edge in the shipped policies")
    table = Table(header, tuple(rows))
    return Section("What it must not be relied on for", explain("limits"), (table,), points=points("limits_points"))


def calibration(document: ResultsDocument) -> Section | None:
    """How far a score is a probability, per head."""
    making = document.model.making
    errors, human = making.calibration_error, making.human_positives or {}
    if not errors:
        return None
    rows = tuple(
        (
            f"`{head}`",
            str(human.get(head, NONE)),
            number(document.model.calibration_mix.get(head)),
            number(errors[head]),
            "no" if head in document.model.uncalibrated else "yes",
        )
        for head in HEADS
        if head in errors
    )
    header = ("head", "human-judged positives", "prevalence", "calibration error", "calibrated")
    return Section("Calibration", explain("calibration"), (Table(header, rows),))


def int8(document: ResultsDocument) -> Section | None:
    """What quantising costs."""
    found, making = document.int8, document.model.making
    if found is None or making.development is None or making.development_fp32 is None:
        return None
    rows = tuple(
        (
            f"`{head}`",
            str(making.development[head].n),
            str(making.development[head].positives),
            number(making.development_fp32[head].auprc),
            number(making.development[head].auprc),
            f"{loss:+.4f}".replace("-", "\N{MINUS SIGN}"),
        )
        for head, loss in found.auprc_loss.items()
    )
    bounds = share_of(found.flips, found.texts).ci95
    share = "" if bounds is None else f" ({100 * bounds[0]:.3f}{NONE}{100 * bounds[1]:.3f})"
    flips = ((f"{100 * found.flips:.3f} %{share}", str(found.texts), ", ".join(map(str, found.edges))),)
    tables = (
        Table(("decisions flipped", "texts", "edges"), flips),
        Table(("head", "known", "positive", "AUPRC fp32", "AUPRC int8", "lost"), rows),
    )
    return Section("int8 against fp32", explain("int8"), tables)


def data(document: ResultsDocument) -> Section | None:
    """What it was trained on, with licences."""
    rows = tuple(
        (own.name, own.licence, own.labels or NONE, _count(own.train), _count(own.calibration), _count(own.development))
        for own in document.model.sources
    )
    header = ("source", "licence class", "labels", "training texts", "calibration texts", "development texts")
    return Section("Data", explain("data"), (Table(header, rows),)) if rows else None


def making(document: ResultsDocument) -> Section | None:
    """What training cost, and how to train again."""
    training = document.model.making.training
    if training is None:
        return None
    rows = (
        ("Recipe", training.recipe or NONE),
        ("Word pieces read", f"{training.tokens / 1e6:.1f} million"),
        ("Time", f"{training.seconds / 3600:.2f} hours"),
        ("Device", f"{training.device}, {training.threads} threads"),
        ("Training texts", _count(training.examples)),
        ("Seed, software", f"{_count(training.seed)}, torch {training.torch or NONE}"),
    )
    return Section("Making it, and making your own", explain("making"), (Table(("", ""), rows),))


def _count(value: int | None) -> str:
    return NONE if value is None else str(value)


def _named(heads: tuple[str, ...]) -> str:
    return ", ".join(f"`{head}`" for head in heads) or "none"
