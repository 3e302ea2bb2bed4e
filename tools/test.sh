#!/usr/bin/env bash
# Sets up, builds everything with warnings as errors, and runs every test.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/test.sh [--help] [CTEST OPTIONS...]

Installs missing packages (tools/setup.sh), builds all of Innerloop in build/test (Release, warnings are errors) and runs
the tests. Options are handed to ctest. Exits with 0 only when everything has been built and every test has passed.

Example: tools/test.sh -R Philox
TEXT
}

say() { printf 'test: %s\n' "$*" >&2; }

case "${1-}" in -h | --help) usage; exit 0 ;; esac

cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
readonly build=build/test
started=$SECONDS
step=setup
finish() {
  local status=$?
  ((status == 0)) || say "FAILED at: $step (exit code $status, after $((SECONDS - started)) s)"
}
trap finish EXIT

tools/setup.sh

step=configure
launcher=''
if command -v ccache >/dev/null; then launcher=ccache; fi
cmake --preset test -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher"

step=build
cmake --build "$build" --parallel "$(nproc)"
built=$SECONDS

step=tests
ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-tests=error --output-log "$build/ctest.log" "$@"

say "$(grep 'tests passed' "$build/ctest.log" || echo 'done'); built in $((built - started)) s, tested in $((SECONDS - built)) s"
