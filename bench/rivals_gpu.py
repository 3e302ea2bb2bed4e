"""Seconds of a second-order MAML meta-step in PyTorch and JAX, on the tensors of a problem file.

    python3 bench/make_problem.py --workload w1 --steps 5 --out w1.safetensors
    python3 bench/rivals_gpu.py w1.safetensors --framework torch

Each rival prints one JSON line: the median and minimum of repeats after a warm-up (host clock, ended by a synchronisation, as
`innerloop metagrad --repeat` takes it), loss and gradient norm of the meta-gradient, so that a reader sees that all compute the
same, and its precision by name. Rivals of torch: eager (task after task), vmap (torch.func), graph (the same, replayed as one
CUDA graph); of jax: jit(vmap). A rival that fails or runs out of memory prints why. Exit code 77: the framework is not here.
"""
import argparse
import json
import statistics
import struct
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NOT_HERE = 77
# What each precision sets; the name goes into the report.
PRECISIONS = {"torch": {"default": "PyTorch's default: convolutions in TF32, products in float32",
                        "float32": "float32 throughout: TF32 off for convolutions and products"},
              "jax": {"default": "JAX's default: TF32 where XLA likes it", "float32": "jax_default_matmul_precision=highest"}}


@dataclass(frozen=True)
class Problem:
    params: list[np.ndarray]  # of each block the kernel [R, S, C, K], scale, shift; then the head's weight and bias
    support_x: np.ndarray  # [T, S, H, W, C]
    support_y: np.ndarray
    query_x: np.ndarray
    query_y: np.ndarray
    stride: int
    pooled: bool
    flat: bool
    epsilon: float
    steps: int
    rate: float


def read_problem(path: Path, tasks: int | None) -> Problem:
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    config = tomllib.loads(header.pop("__metadata__")["config"])
    model, inner = config["model"], config["inner"]
    if model["padding"] != "symmetric" or model["kernel"] != 3 or not model["norm_scale"]:
        raise SystemExit(f"{path}: the rivals know 3x3 kernels with symmetric padding and scaled norms alone")

    def tensor(name: str) -> np.ndarray:
        entry = header[name]
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        kind = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}[entry["dtype"]]
        array = np.frombuffer(data[begin:end], kind).reshape(entry["shape"])
        return array.astype("f4") if kind == "<f8" else array

    names = [f"block{i}.{part}" for i in range(1, len(model["filters"]) + 1)
             for part in ("conv.weight", "norm.scale", "norm.shift")]
    episode = [tensor(name)[:tasks] for name in ("support_x", "support_y", "query_x", "query_y")]
    return Problem([tensor(n) for n in [*names, "head.weight", "head.bias"]], *episode, model["stride"],
                   model["pool"] == "max", model["head"] == "flatten", model["norm_epsilon"], inner["steps"], inner["rate"])


@dataclass
class Rival:
    name: str
    step: Callable[[], tuple]  # one meta-step: loss and gradients, perhaps not done yet
    wait: Callable[[], None]  # for the device
    figures: Callable[[tuple], tuple[float, float]]  # loss and gradient norm of what a step returned


def measure(rival: Rival, seconds: float, repeats: int) -> dict:
    def once() -> tuple[float, tuple]:
        begin = time.perf_counter()
        result = rival.step()
        rival.wait()
        return time.perf_counter() - begin, result

    first, result = once()
    loss, norm = rival.figures(result)
    once()  # what a first replay or an allocator still had to do
    times, begin = [], time.perf_counter()
    while len(times) < 3 or (len(times) < repeats and time.perf_counter() - begin < seconds):
        times.append(once()[0])
    return {"median_s": statistics.median(times), "min_s": min(times), "first_s": first, "repeat": len(times), "loss": loss,
            "grad_norm": norm}


def torch_rivals(problem: Problem, device: str, precision: str) -> dict[str, Callable[[], Rival]]:
    import torch
    import torch.nn.functional as F
    from torch.func import grad, grad_and_value, vmap

    torch.backends.cudnn.allow_tf32 = precision == "default"
    torch.backends.cuda.matmul.allow_tf32 = False  # PyTorch's default, too
    torch.backends.cudnn.benchmark = True  # it may look for its best convolution during the warm-up

    def forward(params, x):
        for i in range(0, len(params) - 2, 3):
            x = F.conv2d(x, params[i], stride=problem.stride, padding=1)
            x = F.relu(F.batch_norm(x, None, None, params[i + 1], params[i + 2], True, 0.1, problem.epsilon))
            x = F.max_pool2d(x, 2) if problem.pooled else x
        x = x.permute(0, 2, 3, 1).flatten(1) if problem.flat else x.mean((2, 3))
        return x @ params[-2] + params[-1]

    def put(array):
        return torch.tensor(array, device=device)

    def images(array):
        return put(np.ascontiguousarray(array.transpose(0, 1, 4, 2, 3)))

    weights = tuple(put(np.ascontiguousarray(p.transpose(3, 2, 0, 1) if p.ndim == 4 else p)) for p in problem.params)
    episode = (images(problem.support_x), put(problem.support_y), images(problem.query_x), put(problem.query_y))

    def query_loss(params, support_x, support_y, query_x, query_y):
        fast = params
        for _ in range(problem.steps):
            slope = grad(lambda p: F.cross_entropy(forward(p, support_x), support_y))(fast)
            fast = tuple(p - problem.rate * g for p, g in zip(fast, slope))
        return F.cross_entropy(forward(fast, query_x), query_y)

    def vmap_step():
        slope, loss = grad_and_value(
            lambda p: vmap(query_loss, in_dims=(None, 0, 0, 0, 0))(p, *episode).mean())(weights)
        return loss, slope

    def eager_step():
        leaves = [w.detach().requires_grad_() for w in weights]
        total, sums = torch.zeros((), device=device), [torch.zeros_like(w) for w in weights]
        tasks = len(episode[0])
        for task in range(tasks):
            support_x, support_y, query_x, query_y = (part[task] for part in episode)
            fast = leaves
            for _ in range(problem.steps):
                loss = F.cross_entropy(forward(fast, support_x), support_y)
                slope = torch.autograd.grad(loss, fast, create_graph=True)
                fast = [p - problem.rate * g for p, g in zip(fast, slope)]
            loss = F.cross_entropy(forward(fast, query_x), query_y)
            for total_grad, g in zip(sums, torch.autograd.grad(loss, leaves)):
                total_grad += g / tasks
            total += loss.detach() / tasks
        return total, sums

    def wait():
        if device != "cpu":
            torch.cuda.synchronize()

    def figures(result):
        loss, slope = result
        return float(loss), float(sum((g.double() ** 2).sum() for g in slope)) ** 0.5

    def graph():
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                vmap_step()
        torch.cuda.current_stream().wait_stream(side)
        recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recorded):
            result = vmap_step()

        def replay():
            recorded.replay()
            return result
        return Rival("torch graph", replay, wait, figures)

    rivals = {"vmap": lambda: Rival("torch vmap", vmap_step, wait, figures)}
    if device != "cpu":
        rivals["graph"] = graph
    rivals["eager"] = lambda: Rival("torch eager", eager_step, wait, figures)
    return rivals


def jax_rivals(problem: Problem, device: str, precision: str) -> dict[str, Callable[[], Rival]]:
    import jax
    import jax.numpy as jnp

    place = jax.devices("cpu" if device == "cpu" else "gpu")[0]
    jax.config.update("jax_default_matmul_precision", None if precision == "default" else "highest")

    def forward(params, x):
        for i in range(0, len(params) - 2, 3):
            x = jax.lax.conv_general_dilated(x, params[i], (problem.stride, problem.stride), [(1, 1), (1, 1)],
                                             dimension_numbers=("NHWC", "HWIO", "NHWC"))
            mean = x.mean((0, 1, 2))
            scale = jax.lax.rsqrt(((x - mean) ** 2).mean((0, 1, 2)) + problem.epsilon)
            x = jax.nn.relu((x - mean) * scale * params[i + 1] + params[i + 2])
            if problem.pooled:
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        x = x.reshape(x.shape[0], -1) if problem.flat else x.mean((1, 2))
        return x @ params[-2] + params[-1]

    def loss_of(params, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(params, x)), y[:, None], 1).mean()

    def query_loss(params, support_x, support_y, query_x, query_y):
        fast = params
        for _ in range(problem.steps):
            slope = jax.grad(loss_of)(fast, support_x, support_y)
            fast = [p - problem.rate * g for p, g in zip(fast, slope)]
        return loss_of(fast, query_x, query_y)

    def meta_loss(params, *episode):
        return jax.vmap(query_loss, in_axes=(None, 0, 0, 0, 0))(params, *episode).mean()

    step = jax.jit(jax.value_and_grad(meta_loss))
    arguments = jax.device_put([problem.params, problem.support_x, problem.support_y.astype("i4"), problem.query_x,
                                problem.query_y.astype("i4")], place)
    last = []

    def run():
        last[:] = [step(*arguments)]
        return last[0]

    def figures(result):
        loss, slope = result
        return float(loss), float(sum((np.asarray(g, "f8") ** 2).sum() for g in slope)) ** 0.5
    return {"jit": lambda: Rival("jax jit(vmap)", run, lambda: jax.block_until_ready(last[0]), figures)}


def run_all(framework: str, problem: Problem, args: argparse.Namespace) -> int:
    make = {"torch": torch_rivals, "jax": jax_rivals}[framework]
    version = __import__(framework).__version__
    ran = 0
    for precision in args.precision:
        rivals = make(problem, args.device, precision)
        for name, build in rivals.items():
            if args.rival and name not in args.rival:
                continue
            line = {"rival": name, "framework": framework, "version": version, "precision": precision,
                    "precision_means": PRECISIONS[framework][precision], "device": args.device,
                    "tasks": len(problem.support_x), "steps": problem.steps}
            try:
                rival = build()
                line |= {"rival": rival.name, **measure(rival, args.seconds, args.repeat)}
                ran += 1
            except Exception as error:  # whatever a framework throws is its own answer, and the next one may do
                line["error"] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200] if str(error) else ''}"
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
    return run_all(args.framework, read_problem(args.problem, args.tasks), args)


if __name__ == "__main__":
    sys.exit(main())
