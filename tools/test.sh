#!/usr/bin/env bash
# Sets up, builds everything with warnings as errors, and runs every test.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/test.sh [--help] [CTEST OPTIONS...]

Installs missing packages (tools/setup.sh), builds all of Innerloop in build/test (Release, warnings are errors) and runs
the tests. Where the CUDA toolkit came without its disassembler, that comes from PyPI, for one test. Options are handed to
ctest. Exits with 0 only when everything has been built and every test has passed.

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

# The disassembler that tells tensor-core instructions in the kernels' machine code: the toolkit's, or where it came without, the same from
# PyPI. A test says so where there is none.
find_disassembler() {
  local nvcc folder
  nvcc="$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)"
  [[ -x $nvcc && ! -x ${nvcc%/*}/cuobjdump ]] || return 0
  folder="$PWD/build/disassembler"
  if [[ ! -d $folder ]]; then
    if ! { python3 -m venv "$folder.part" && timeout 120 "$folder.part/bin/pip" install --quiet --disable-pip-version-check \
      nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37; } >&2; then
      rm -rf "$folder.part"
      say "no cuobjdump: neither in the CUDA toolkit nor from PyPI; the machine code is not looked into"
      return 0
    fi
    mv "$folder.part" "$folder"
  fi
  find "$folder/lib" -name cuobjdump -path '*/bin/*'
}
step=disassembler
disassembler="$(find_disassembler)"

step=configure
cmake --preset test ${disassembler:+-DIL_CUOBJDUMP="$disassembler"}

step=build
cmake --build "$build" --parallel "$(nproc)"
built=$SECONDS

step=tests
ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-tests=error --output-log "$build/ctest.log" "$@"

say "$(grep 'tests passed' "$build/ctest.log" || echo 'done'); built in $((built - started)) s, tested in $((SECONDS - built)) s"
