#!/usr/bin/env bash
# Builds what tools/gpu_check.sh runs, into one folder for a machine that has a GPU and no Debian packages.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/gpu_prebuilt.sh DIR [--help]

Builds the command, the tests of the device and the measurements for sm_80 and sm_90 with the CMake preset "prebuilt", and
puts them into DIR with all that tools/gpu_check.sh reads. The programs need a C library as new as this machine's and an
NVIDIA driver for this CUDA version; cuDNN and cuBLAS are taken from the machine where it has them. The programs lie in
DIR/programs.tar.xz: each holds the whole engine, which is packed once.

Example: tools/gpu_prebuilt.sh /tmp/check && tar -C /tmp -czf check.tar.gz check
         (there) check/tools/gpu_check.sh --prebuilt check
TEXT
}

say() { printf 'gpu_prebuilt: %s\n' "$*" >&2; }

case "${1-}" in
  -h | --help) usage; exit 0 ;;
  '' | -*) say "say where to: tools/gpu_prebuilt.sh DIR; see --help"; exit 2 ;;
esac
(($# == 1)) || { say "one folder, please; see --help"; exit 2; }
command -v xz >/dev/null || { say "xz is missing; type: sudo apt-get install xz-utils"; exit 1; }
mkdir -p -- "$1"
dir="$(cd -- "$1" && pwd)"
readonly dir build=build/prebuilt
cd "$(dirname -- "${BASH_SOURCE[0]}")/.."

cmake --preset prebuilt >&2
cmake --build --preset prebuilt --parallel "${JOBS:-$(nproc)}" >&2
# Put together aside, so that nothing in DIR is removed.
stage="$(mktemp -d)"
readonly stage
trap 'rm -rf -- "$stage"' EXIT
cmake --install "$build" --component gpu_check --prefix "$stage" --strip >&2
# A dictionary as large as all of them, so that what they share is found.
tar -C "$stage" -c bin | xz --lzma2=preset=6,dict=128MiB >"$dir/programs.tar.xz"
cp -R -- "$stage/tools" "$stage/bench" "$stage/tests" "$dir"
say "$dir holds $(du -sm "$dir" | cut -f1) MiB; there: DIR/tools/gpu_check.sh --prebuilt DIR"
