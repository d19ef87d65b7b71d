"""`prefilter bench scorer|stream|http|streamed|bulk|page`: how fast it is here; each ends with one JSON document."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from prefilter.cli.shared_options import DataDir, Model, OnlyJson
from prefilter.models.known_error import WrongUse

app = typer.Typer(help="How fast it is on this machine.", no_args_is_help=True, rich_markup_mode=None)
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Also write the document there.")]


@app.command()
def scorer(
    json_only: OnlyJson = False,
    output: Output = None,
    model: Model = None,
    rounds: Annotated[int, typer.Option(min=3, help="How often each length is timed.")] = 60,
    profile: Annotated[bool, typer.Option("--profile", help="Also say where the time goes.")] = False,
) -> None:
    """One core in process: tokens a second by length, one short text, the fast stage alone."""
    from prefilter.eval.bench import bench_scorer as bench

    figures = bench.bench(model=model, rounds=rounds)
    if profile:
        from prefilter.eval.bench import profile as profiling

        figures["profile"] = profiling.bench(model=model)
    _show("scorer", figures, model, json_only, output)


@app.command()
def stream(
    json_only: OnlyJson = False,
    output: Output = None,
    model: Model = None,
    data_dir: DataDir = None,
    documents: Annotated[int, typer.Option(min=20, help="How many documents.")] = 2_000,
    policy: Annotated[str, typer.Option(help="The preset whose edges hold.")] = "pretraining-corpus",
) -> None:
    """A web-like stream with and without the fast stage: speed, share cleared, misses."""
    from prefilter.classifier.corpus.sources import data_dir_from_env
    from prefilter.eval.bench import bench_stream as bench

    data = data_dir or data_dir_from_env()
    if data is None:
        raise WrongUse("bench stream needs the labelled data: set PREFILTER_DATA_DIR or give --data-dir")
    _show("stream", bench.bench(data, model=model, documents=documents, policy=policy), model, json_only, output)


@app.command()
def http(
    json_only: OnlyJson = False,
    output: Output = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each phase lasts.")] = 15.0,
    overload: Annotated[float, typer.Option(min=0, help="Seconds under three times the capacity; 0: none.")] = 60.0,
    workers: Annotated[str, typer.Option(help="Numbers of worker processes to compare.")] = "1,2",
) -> None:
    """A real server over loopback: single texts, batches beside the in-process rate, overload, workers, start."""
    from prefilter.eval.bench import bench_http as bench

    numbers = [int(n) for n in workers.split(",") if n]
    _show("http", bench.bench(seconds=seconds, overload=overload, workers=numbers), None, json_only, output)


@app.command()
def streamed(
    json_only: OnlyJson = False,
    output: Output = None,
    data_dir: DataDir = None,
    streams: Annotated[str, typer.Option(help="Numbers of streams at once to compare.")] = "1,4,8,16",
    answers: Annotated[int, typer.Option(min=1, help="Answers of each stream.")] = 4,
    chars: Annotated[int, typer.Option(min=40, help="Characters of an answer.")] = 1_600,
) -> None:
    """Model output through /v1/stream: first release, each chunk, and what each bound lets out."""
    from prefilter.classifier.corpus.sources import data_dir_from_env
    from prefilter.eval.bench import bench_streamed as bench

    numbers = [int(n) for n in streams.split(",") if n]
    data = data_dir or data_dir_from_env()
    figures = bench.bench(data_dir=data, streams=numbers, answers=answers, chars=chars)
    _show("streamed", figures, None, json_only, output)


@app.command()
def bulk(
    json_only: OnlyJson = False,
    output: Output = None,
    rows: Annotated[int, typer.Option(min=20, help="Rows scored.")] = 3_000,
    stored: Annotated[int, typer.Option(min=1, help="Stored rows decided.")] = 1_000_000,
) -> None:
    """`prefilter score` with one and two workers, and `prefilter decide` over a million stored rows."""
    from prefilter.eval.bench import bench_bulk as bench

    _show("bulk", bench.bench(rows=rows, stored=stored), None, json_only, output)


@app.command()
def page(
    folder: Annotated[Path, typer.Argument(help="The folder of the documents.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The page.")],
    price: Annotated[float, typer.Option(help="Price of a core-hour, for the cost of a billion rows.")] = 0.04,
) -> None:
    """Write the tables and plots of documents that lie in a folder as one page."""
    from prefilter.eval.bench import performance_page as pages

    pages.write(folder, output, price=price)
    print(output)


def _show(name: str, figures: dict[str, object], model: str | None, json_only: bool, output: Path | None) -> None:
    from prefilter.eval.bench import bench_document

    words = [word for word in sys.argv[1:] if not word.startswith("/")]
    command = " ".join(["prefilter", *words]) if words[:1] == ["bench"] else f"prefilter bench {name}"
    made = bench_document.make(name, command, figures, model=model)
    if output is not None:
        bench_document.keep(made, output)
    if not json_only:
        print("\n".join(bench_document.lines(made)))
    print(json.dumps(made))
