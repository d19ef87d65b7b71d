"""The model card's own sections: what the model is and means, where it fails, what it was made from and at what cost.

They are written from the document and from the taxonomy; the document carries what the manifest says, so that a
card can be made again without the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefilter.eval.card.explanations import explain
from prefilter.eval.card.rival_summary import POLICY
from prefilter.eval.card.table import NONE, Section, Table, number, rate, spread
from prefilter.eval.judge.metrics import wilson
from prefilter.eval.suites.suite_plan import Role
from prefilter.models.labels import ANY, HEADS
from prefilter.models.taxonomy import taxonomy

WEAK = 0.5
"""A functionality below this accuracy is a known failure."""
WORST = 5
Document = Mapping[str, Any]


def about(document: Document) -> Section:
    """What it is and for whom, and how the numbers were made."""
    machine, model = document["machine"], document["model"]
    window = model.get("window", {})
    reads = f"windows of {window['length']} word pieces, overlap {window['overlap']}" if window else NONE
    pieces = window.get("context", 0)
    rows = (
        ("Model", f"{document['model_version']}, made {model.get('created_at', NONE)[:10]}"),
        ("Encoder", model.get("encoder", NONE)),
        ("Languages", ", ".join(model["languages"])),
        ("Reads", reads),
        ("Context (what a text answers)", f"its last {pieces} word pieces" if pieces else "not read"),
        ("Spans", ", ".join(f"`{head}`" for head in model.get("spans", {})) or "none"),
        ("Heads", ", ".join(f"`{head}`" for head in model.get("heads", (*model["categories"], ANY)))),
        ("Uncalibrated (never block alone)", ", ".join(f"`{head}`" for head in model["uncalibrated"]) or "none"),
        ("Measured", document["created_at"]),
        ("Machine", f"{machine['cpu']}, {machine['cores']} cores, {machine['instructions'] or 'no vector flags'}"),
        ("Software", f"{machine['system']}, Python {machine['python']}, onnxruntime {machine['onnxruntime']}"),
        ("Command", f"`{document['command']}`"),
    )
    return Section("What it is, and for whom", explain("about"), (Table(("", ""), rows),))


def meanings(document: Document) -> Section:
    """The definition of every category."""
    rows = tuple(
        (f"`{name}`", entry.definition, "; ".join(entry.positive), "; ".join(entry.negative))
        for name, entry in taxonomy().items()
        if name in document["model"]["categories"]
    )
    header = ("category", "definition", "inside, for example", "outside, for example")
    return Section("What the categories mean", explain("meanings"), (Table(header, rows),))


def limits(document: Document) -> Section:
    """What the model must not be relied on for."""
    model = document["model"]
    human: Mapping[str, int] = model.get("metrics", {}).get("human_positives", {})
    edges = {name: own["categories"] for name, own in document["policies"].items() if own["enforced"]}
    rows = []
    for head in (head for head in HEADS if head in model["uncalibrated"]):
        blocks = [name for name, own in edges.items() if own.get(head, {}).get("block") is not None]
        route = f"{', '.join(blocks)}: edge named, never acts alone" if blocks else "review only"
        rows.append((f"`{head}`", str(human.get(head, NONE)), route))
    header = ("low evidence", "human-judged positives in calibration", "block edge in the shipped policies")
    points = tuple(line.removeprefix("- ") for line in explain("limits_points").splitlines())
    table = Table(header, tuple(rows))
    return Section("What it must not be relied on for", explain("limits"), (table,), points=points)


def failures(document: Document) -> Section | None:
    """Known failures with their rates, found in the document and not chosen by hand."""
    rows = [*_functionalities(document), *_terms(document), *_held(document), *_missed(document)]
    header = ("what fails", "where", "rate", "n")
    return Section("Known failures", explain("failures"), (Table(header, tuple(rows)),)) if rows else None


def calibration(document: Document) -> Section | None:
    """How far a score is a probability, per head."""
    metrics = document["model"].get("metrics", {})
    errors, human = metrics.get("calibration_error"), metrics.get("human_positives", {})
    if not errors:
        return None
    mix = document["model"]["calibration_mix"]
    rows = tuple(
        (
            f"`{head}`",
            str(human.get(head, NONE)),
            number(mix.get(head)),
            number(errors[head]),
            "no" if head in document["model"]["uncalibrated"] else "yes",
        )
        for head in HEADS
        if head in errors
    )
    header = ("head", "human-judged positives", "prevalence", "calibration error", "calibrated")
    return Section("Calibration", explain("calibration"), (Table(header, rows),))


def int8(document: Document) -> Section | None:
    """What quantising costs."""
    found = document.get("int8")
    if not found:
        return None
    metrics = document["model"]["metrics"]
    rows = tuple(
        (
            f"`{head}`",
            str(metrics["development"][head]["n"]),
            str(metrics["development"][head]["positives"]),
            number(metrics["development_fp32"][head]["auprc"]),
            number(metrics["development"][head]["auprc"]),
            f"{loss:+.4f}".replace("-", "\N{MINUS SIGN}"),
        )
        for head, loss in found["auprc_loss"].items()
    )
    bounds = wilson(round(found["flips"] * found["texts"]), found["texts"])
    share = "" if bounds is None else f" ({100 * bounds[0]:.3f}{NONE}{100 * bounds[1]:.3f})"
    flips = ((f"{100 * found['flips']:.3f} %{share}", str(found["texts"]), ", ".join(map(str, found["edges"]))),)
    tables = (
        Table(("decisions flipped", "texts", "edges"), flips),
        Table(("head", "known", "positive", "AUPRC fp32", "AUPRC int8", "lost"), rows),
    )
    return Section("int8 against fp32", explain("int8"), tables)


def data(document: Document) -> Section | None:
    """What it was trained on, with licences."""
    sources = document["model"].get("training_sources")
    if not sources:
        return None
    keys = ("train", "calibration", "development")
    rows = tuple(
        (own["name"], own["licence"], own.get("labels", NONE), *(str(own.get(key, NONE)) for key in keys))
        for own in sources
    )
    header = ("source", "licence class", "labels", "training texts", "calibration texts", "development texts")
    return Section("Data", explain("data"), (Table(header, rows),))


def making(document: Document) -> Section | None:
    """What training cost, and how to train again."""
    training = document["model"].get("metrics", {}).get("training")
    if not training:
        return None
    rows = (
        ("Recipe", str(training.get("recipe", NONE))),
        ("Word pieces read", f"{training['tokens'] / 1e6:.1f} million"),
        ("Time", f"{training['seconds'] / 3600:.2f} hours"),
        ("Device", f"{training['device']}, {training['threads']} threads"),
        ("Training texts", str(training.get("examples", NONE))),
        ("Seed, software", f"{training.get('seed', NONE)}, torch {training.get('torch', NONE)}"),
    )
    return Section("Making it, and making your own", explain("making"), (Table(("", ""), rows),))


def _functionalities(document: Document) -> list[tuple[str, ...]]:
    found: Document = next((s["hatecheck"] for s in document["suites"].values() if s.get("hatecheck")), {})
    rows = [
        (own["accuracy"], (f"HateCheck functionality, `{head}` right", name, rate(own, "accuracy"), str(own["n"])))
        for head, checked in found.items()
        for name, own in checked["functionalities"].items()
        if own["accuracy"] is not None and own["accuracy"] < WEAK
    ]
    return [row for _, row in sorted(rows)]


def _terms(document: Document) -> list[tuple[str, ...]]:
    found: Document = next((s["bias"] for s in document["suites"].values() if s.get("bias")), {})
    rows: list[tuple[str, ...]] = []
    for head, own in list(found.items())[:1]:
        lowest = [
            (row[kind], (f"identity term, {kind.upper()} AUC of `{head}`", term, spread(row, kind), str(row["n"])))
            for term, row in own["terms"].items()
            for kind in ("bpsn", "bnsp")
        ]
        rows += [row for _, row in sorted(lowest)[:WORST]]
    return rows


def _held(document: Document) -> list[tuple[str, ...]]:
    rows = []
    for name, suite in document["suites"].items():
        own = suite["operating"].get(POLICY)
        if suite["role"] == Role.BENIGN.value and own and own["n"]:
            share = own["review"] + own["block"]
            bounds = {"held": wilson(round(share * own["n"]), own["n"])}
            shown = rate({"held": share, "ci95": bounds}, "held")
            rows.append((-share, (f"benign text held by {POLICY}", name, shown, str(own["n"]))))
    return [row for _, row in sorted(rows)[:WORST]]


def _missed(document: Document) -> list[tuple[str, ...]]:
    rows = []
    for name, suite in document["suites"].items():
        own = suite["operating"].get(POLICY, {})
        if suite["role"] in (Role.HARM.value, Role.HATECHECK.value) and own.get("miss_rate") is not None:
            shown = rate(own, "miss_rate")
            rows.append((-own["miss_rate"], (f"harm allowed by {POLICY}", name, shown, str(own["harmful"]))))
    return [row for _, row in sorted(rows)[:WORST]]


def int8_cost(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what int8 loses against fp32 on the development split, from a manifest's metrics."""
    ours, theirs, flips = (metrics.get(key) for key in ("development", "development_fp32", "int8"))
    if not ours or not theirs or not flips:
        return None
    loss = {head: theirs[head]["auprc"] - ours[head]["auprc"] for head in ours if head in theirs}
    return {"auprc_loss": loss, "flips": flips["flips"], "texts": flips["texts"], "edges": flips.get("edges", [])}

