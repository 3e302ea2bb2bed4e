#!/usr/bin/env bash
# From a fresh checkout to a trained model and its report, on procedural images.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/demo.sh [--help] [TRAIN OPTIONS...]

Installs missing packages (tools/setup.sh), builds the command `innerloop` in build/release, meta-trains it on synthetic
images and says where the report is. Options are handed to `innerloop train`. An earlier runs/demo is replaced. Where no GPU
is seen, a first build leaves the CUDA part out, even if the toolkit is there; `cmake --preset release -DIL_CUDA=AUTO` adds it.

Example: tools/demo.sh --iterations 50
TEXT
}

say() { printf 'demo: %s\n' "$*" >&2; }

# A device of NVIDIA's driver, or the one through which Windows lends its GPU.
sees_gpu() { compgen -G '/dev/nvidia[0-9]*' >/dev/null || [[ -e /dev/dxg ]]; }

case "${1-}" in -h | --help) usage; exit 0 ;; esac

cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
readonly build=build/release run=runs/demo
started=$SECONDS
step='set-up'
finish() {
  local status=$?
  ((status == 0)) || say "FAILED at: $step (exit code $status, after $((SECONDS - started)) s)"
}
trap finish EXIT

say '1/3 packages'
tools/setup.sh

say "2/3 building the command in $build (minutes the first time, and more of them for a GPU)"
step='build'
cuda=()
if [[ ! -e $build/CMakeCache.txt ]] && ! sees_gpu; then
  say 'no GPU here: built for the CPU alone (for one with a GPU: cmake --preset release -DIL_CUDA=AUTO)'
  cuda=(-DIL_CUDA=OFF)
fi
cmake --preset release "${cuda[@]}" >&2
cmake --build "$build" --target innerloop --parallel "$(nproc)" >&2
built=$SECONDS

say '3/3 meta-training on synthetic images, then evaluation'
step='training'
rm -rf -- "$run"
"$build/innerloop" train --data synthetic --out "$run" "$@"

step='report'
[[ -s $run/report.html ]]
say "done in $((SECONDS - started)) s: set-up and build $((built - started)) s, training $((SECONDS - built)) s"
say "the report, a page for any browser: $PWD/$run/report.html"
