#!/usr/bin/env bash
# Measures Innerloop against other frameworks on this machine; compares and renders what was measured.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/bench.sh [OPTIONS]                    measure
       tools/bench.sh compare A.json B.json        what changed from A to B, with noise considered
       tools/bench.sh report BENCH.json [--markdown FILE] [--html FILE] [--charts DIR]

Measures one second-order meta-step of Innerloop and of its rivals on identical tensors. All compute each case once and are
compared in loss and gradient norm: who differs by more than the precision allows is reported as wrong and not timed. Then
they take turns, round by round, so that what disturbs the machine disturbs all alike. Medians, quartiles, and ratios with
their 95 % interval go to DIR/bench.html (read this) and, with every sample, to DIR/bench.json. Close other programs first;
Ctrl-C keeps what was measured.

The rivals are installed from PyPI at the versions of bench/requirements-*.txt, each framework into an environment of its own in
${XDG_CACHE_HOME:-~/.cache}/innerloop/bench; the first time this takes minutes and gigabytes. Who cannot be installed is named
and left out; without any, Innerloop is measured alone.

  --quick            three workloads and the likely rivals in under 5 minutes, once all is installed
  --out DIR          where the results go (default: bench_out)
  --workloads W,...  of w1-k1 w1-k5 w1q75-k1 w1q75-k5 w2-k1 w2-k5 w3-k1 w3-k5 w3s5-k1 w3r-k1 w3r-k5; kN: N inner steps
                     (w1 Omniglot-sized, w2 miniImageNet-sized, w3 X-rays of 500x500, w3r the strided net on them)
  --rivals R,...     of torch_eager torch_func torch_compile torch_graph jax_vmap jax_map jax_tasks tensorflow
                     tensorflow_tasks learn2learn, or none
  --no-curves        leave out the curves over inner steps, tasks, shots, image side and threads
  --device cpu|cuda  where all compute (default: cpu)
  --precision P      float32 (default), or default: what each framework does when nobody asks, TF32 on a GPU
  --threads N        CPU threads, and cores, of everybody (default: all)
  --minutes M        for measuring; what does not fit is left out and named (default: 60, with --quick 4.5)
  --python F=PROG    take framework F (torch, jax, tensorflow, learn2learn) from this Python instead of installing it; repeatable
  --innerloop PROG   measure this program instead of building one in build/release
  --cache DIR        where the environments are kept

Exit codes: 0 measured (or compared), 1 nothing could be, 2 the options cannot be meant, 130 stopped by Ctrl-C.

Examples: tools/bench.sh --quick
          tools/bench.sh --workloads w3-k1 --rivals tensorflow,torch_eager --out before
          tools/bench.sh compare before/bench.json after/bench.json
TEXT
}

say() { printf 'bench: %s\n' "$*" >&2; }

root="$(cd "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
readonly root
wanted_program='' passed_on=("$@") build_needed=yes
for argument in "$@"; do
  case "$argument" in
    -h | --help) usage; exit 0 ;;
    --innerloop | --innerloop=*) build_needed='' ;;
  esac
done
case "${1-}" in compare | report) build_needed='' ;; esac

python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
  { say "Python 3.10 or later is needed; install python3 and python3-venv, or set PYTHON to one"; exit 1; }

export PYTHONPATH="$root/bench${PYTHONPATH:+:$PYTHONPATH}" PYTHONDONTWRITEBYTECODE=1

if [[ -n $build_needed ]]; then
  # Bad options are to be refused before anything is built.
  "$python" -m suite check "$@"
  wanted_program="$root/build/release/innerloop"
  say "building $wanted_program"
  cmake -S "$root" --preset release >&2
  cmake --build "$root/build/release" --target innerloop --parallel "$(nproc)" >&2
  passed_on=(--built-here --innerloop "$wanted_program" "$@")
fi
exec "$python" -m suite "${passed_on[@]}"
