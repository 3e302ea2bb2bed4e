#!/usr/bin/env bash
# Checks and measures the CUDA engine on a machine with a GPU.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/gpu_check.sh [--prebuilt DIR] [--out DIR] [--quick] [--dry-run] [--parts P,P...] [--minutes M] [--help]

Runs on this machine's GPU, in at most 8 minutes:
  tests      the tests of every floor on the device
  check      innerloop check: the truth checks
  metagrad   meta-gradients against PyTorch's float64 ones and against the CPU's
  graph      CUDA graph on against off: the same bytes
  micro      ceilings: graph nodes, cluster barriers, copies, second-level cache, FFMA, mma.sync, wgmma
  timing     a meta-step of each workload by each way to compute convolutions
  rivals     PyTorch and JAX on the same tensors, where they import
  sanitizer  compute-sanitizer's four tools, where it is installed
Writes DIR/check.md (read this) and DIR/check.json after every step, so that a run that is cut short leaves what it found.
Each part has a time limit, and one that fails costs no other. Progress goes to stderr.

  --prebuilt DIR  take the programs from DIR (tools/gpu_prebuilt.sh DIR makes it) instead of building here
  --out DIR       where the results go (default: gpu_check_out)
  --quick         about two minutes: fewer tests and workloads, no sanitizer
  --dry-run       print the plan with its commands, and run none of them
  --parts P,...   only these parts, in this order
  --minutes M     for all parts together (default 8)
PYTHON names the interpreter (default python3); where it has numpy, PyTorch or JAX are measured if it has them, too.

Exit codes: 0 all that was checked is right; 1 something is not, or there is no GPU; 2 the options cannot be meant.

Examples: tools/gpu_check.sh --quick
          tools/gpu_prebuilt.sh /tmp/check && /tmp/check/tools/gpu_check.sh --prebuilt /tmp/check --parts tests,check
TEXT
}

say() { printf 'gpu_check: %s\n' "$*" >&2; }
refuse() { say "$*; see tools/gpu_check.sh --help"; exit 2; }

root="$(cd "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
readonly root python="${PYTHON:-python3}"
prebuilt='' out=gpu_check_out dry=''
options=()
while (($# > 0)); do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --prebuilt | --out | --parts | --minutes)
      (($# > 1)) || refuse "$1 needs a value"
      case "$1" in
        --prebuilt) prebuilt="$2" ;;
        --out) out="$2" ;;
        *) options+=("$1" "$2") ;;
      esac
      shift 2 ;;
    --quick) options+=("$1"); shift ;;
    --dry-run) dry=yes; options+=("$1"); shift ;;
    *) refuse "unknown argument '$1'" ;;
  esac
done

"$python" -c 'import numpy' 2>/dev/null || say "$python has no numpy: PyTorch and JAX cannot be measured; set PYTHON to an interpreter that has it"

unpacked=''
trap '[[ -z $unpacked ]] || rm -rf -- "$unpacked"' EXIT

if [[ -n $prebuilt ]]; then
  readonly archive="$prebuilt/programs.tar.xz"
  [[ -f $archive ]] || { say "$archive is missing; tools/gpu_prebuilt.sh $prebuilt makes it"; exit 1; }
  unpacked="$(mktemp -d)"
  # Python's, since not every machine has xz.
  "$python" -W ignore -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$archive" "$unpacked"
  folders=("$unpacked/bin")
else
  readonly build="$root/build/release"
  folders=("$build" "$build/tests" "$build/tests/gpu")
  if [[ -z $dry ]]; then
    say "building in $build (this is not part of the time limit)"
    cmake -S "$root" --preset release -DIL_CUDA=ON -DIL_BUILD_BENCH=OFF >&2 ||
      { say "it cannot be configured here; build on another machine with tools/gpu_prebuilt.sh and use --prebuilt"; exit 1; }
    cmake --build "$build" --target gpu_check --parallel "$(nproc)" >&2
  fi
fi
for folder in "${folders[@]}"; do options+=(--programs "$folder"); done

export PYTHONPATH="$root/tools${PYTHONPATH:+:$PYTHONPATH}" PYTHONDONTWRITEBYTECODE=1
status=0
"$python" -m gpu_check --out "$out" "${options[@]}" || status=$?
exit "$status"
