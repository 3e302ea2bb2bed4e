"""Seconds of a second-order MAML meta-step in PyTorch and JAX, on the tensors of a problem file, for the check of a GPU.

    python3 bench/make_problem.py --workload w1 --steps 5 --out w1.safetensors
    python3 bench/rivals_gpu.py w1.safetensors --framework torch

Each rival (rivals/) prints one JSON line: the median and minimum of repeats after a warm-up (host clock, ended by a
synchronisation, as `innerloop metagrad --repeat` takes it), loss and gradient norm of the meta-gradient, so that a reader sees
that all compute the same, and its precision by name. A rival that fails or runs out of memory prints why. Exit code 77: the
framework is not here. tools/bench.sh compares at length; this needs nothing but the framework.
"""
import argparse
import importlib
import json
import os
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rivals.problem import Problem, read_problem  # noqa: E402
from rivals.rival import Rival, Settings  # noqa: E402
from rivals.serve import one_line, timed  # noqa: E402

NOT_HERE = 77
RIVALS = {"torch": {"vmap": ("torch_func", "torch vmap"), "graph": ("torch_graph", "torch graph"),
                    "eager": ("torch_eager", "torch eager")},
          "jax": {"jit": ("jax_vmap", "jax jit(vmap)"), "tasks": ("jax_tasks", "jax jit of a task")}}


def first_tasks(problem: Problem, tasks: int | None) -> Problem:
    parts = ("support_x", "support_y", "query_x", "query_y")
    return replace(problem, **{part: getattr(problem, part)[:tasks] for part in parts})


def measure(rival: Rival, seconds: float, repeats: int) -> dict:
    first, result = timed(rival)
    loss, norm = rival.figures(result)
    timed(rival)  # what a first replay or an allocator still had to do
    times, begin = [], time.perf_counter()
    while len(times) < 3 or (len(times) < repeats and time.perf_counter() - begin < seconds):
        times.append(timed(rival)[0])
    return {"median_s": statistics.median(times), "min_s": min(times), "first_s": first, "repeat": len(times), "loss": loss,
            "grad_norm": norm}


def run_all(problem: Problem, args: argparse.Namespace) -> int:
    ran = 0
    for precision in args.precision:
        for short, (module, name) in RIVALS[args.framework].items():
            if (args.rival and short not in args.rival) or (short == "graph" and args.device == "cpu"):
                continue
            line = {"rival": name, "framework": args.framework, "version": __import__(args.framework).__version__,
                    "precision": precision, "device": args.device, "tasks": problem.tasks, "steps": problem.steps}
            try:
                settings = Settings(args.device, len(os.sched_getaffinity(0)), precision)
                rival = importlib.import_module(f"rivals.{module}").build(problem, settings)
                line |= {"precision_means": rival.precision_means, **measure(rival, args.seconds, args.repeat)}
                ran += 1
            except Exception as error:  # whatever a framework throws is its own answer, and the next one may do
                line |= {"precision_means": precision, "error": one_line(error)}
            print(json.dumps(line), flush=True)
    return 0 if ran > 0 else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem", type=Path, help="a file of bench/make_problem.py")
    parser.add_argument("--framework", choices=("torch", "jax"), required=True)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--precision", choices=("default", "float32"), action="append", help="repeatable; default both")
    parser.add_argument("--rival", action="append", help="only this one, as in --rival vmap; repeatable")
    parser.add_argument("--tasks", type=int, help="only the first so many of the file's tasks")
    parser.add_argument("--repeat", type=int, default=50, help="timed runs at most (default 50)")
    parser.add_argument("--seconds", type=float, default=5, help="of timed runs at most, but at least 3 runs (default 5)")
    args = parser.parse_args()
    args.precision = args.precision or ["default", "float32"]
    try:
        __import__(args.framework)
    except ImportError as error:
        print(f"{args.framework} is not here: {error}", file=sys.stderr)
        return NOT_HERE
    return run_all(first_tasks(read_problem(args.problem), args.tasks), args)


if __name__ == "__main__":
    sys.exit(main())
