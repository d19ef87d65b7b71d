#!/usr/bin/env bash
# Every benchmark in order, on an otherwise idle machine, and the page written from what they say. Needs the labelled
# data (PREFILTER_DATA_DIR); takes about half an hour on two cores. What follows goes to bench/rivals.py: `--venvs FOLDER`.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin} out=docs/performance
"$bin/prefilter" bench scorer --profile -o "$out/scorer.json" >/dev/null
"$bin/prefilter" bench stream -o "$out/stream.json" >/dev/null
"$bin/prefilter" bench http -o "$out/http.json" >/dev/null
"$bin/prefilter" bench bulk -o "$out/bulk.json" >/dev/null
"$bin/python" bench/rivals.py -o "$out/rivals.json" "$@" >/dev/null
"$bin/prefilter" bench page "$out" -o docs/performance.md
