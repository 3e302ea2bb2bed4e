#!/usr/bin/env bash
# Compiles the tests' kernels with nvcc for sm_80 and sm_90, warnings as errors. Exits with 77 (skipped) without nvcc.
set -euo pipefail
case "${1-}" in
  -h | --help)
    printf 'Usage: %s [SOURCES.cu...]\nCompiles kernel sources with nvcc for sm_80 and sm_90; without arguments, the tests'"'"' own.\nExample: %s tests/host_executor/sample_kernels.cu\n' "$0" "$0"
    exit 0 ;;
esac
here=$(cd "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
nvcc=$(command -v nvcc || true)
if [[ -z $nvcc && -x ${CUDA_HOME:-/usr/local/cuda}/bin/nvcc ]]; then nvcc=${CUDA_HOME:-/usr/local/cuda}/bin/nvcc; fi
if [[ -z $nvcc ]]; then
  printf 'compile_with_nvcc: skipped, no nvcc on PATH or in /usr/local/cuda\n' >&2
  exit 77
fi
if (($# == 0)); then set -- "$here"/*.cu; fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for source in "$@"; do
  printf 'nvcc sm_80 sm_90: %s\n' "$(basename "$source")"
  # fmt 9 takes its constexpr away under nvcc and then fails to compile as C++20; it need not.
  "$nvcc" -std=c++20 -DFMT_USE_CONSTEXPR=1 -I"$root" -Xcompiler=-Wall,-Wextra -Werror all-warnings \
    -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 -c "$source" -o "$out/kernels.o"
done
