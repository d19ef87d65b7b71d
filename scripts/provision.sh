#!/bin/sh
# Installs by apt what the tests need and pip cannot bring: Chromium, PostgreSQL's server, python3.11's venv, curl for
# the line that a first start prints, and the one library that the browser driver's own runtime does not carry.
# Does nothing where all are there. As an ordinary user it needs sudo; without it, it says what to install.
set -eu
python=${PYTHON:-python3.11}
missing=""
has() { command -v "$1" > /dev/null 2>&1; }

has chromium || has chromium-browser || has google-chrome || has google-chrome-stable || [ -n "${PREFILTER_TEST_CHROMIUM:-}" ] \
    || missing="$missing chromium"
has initdb || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || missing="$missing postgresql"
$python -c 'import ensurepip' 2> /dev/null || missing="$missing python3.11-venv"
has curl || missing="$missing curl"
{ PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -q libatomic.so.1; } || missing="$missing libatomic1"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then sudo=""; elif has sudo; then sudo="sudo"; else
    echo "missing:$missing. Install them, or run this as root or with sudo." >&2
    exit 1
fi
has apt-get || { echo "missing:$missing, and there is no apt-get to install them." >&2; exit 1; }
echo "installing$missing"
$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086  # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing > /dev/null
