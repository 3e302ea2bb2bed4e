"""Writes a meta-gradient problem for `innerloop metagrad`: the benchmark workloads, without any framework.

    python3 bench/make_problem.py --workload w1 --steps 1 --out w1.safetensors
    innerloop metagrad w1.safetensors --out gradient.safetensors --repeat 5 --json

The numbers come from numpy's default_rng(seed) in a fixed order (parameters block by block, head, support images, query
images), so another framework that draws them in the same order computes on the same tensors, and its loss and gradient norm
can be held against ours. Without numpy they come from Python's own generator: other numbers, which the file's metadata
`draws` says.
"""
import argparse
import json
import math
import random
import struct
import sys
from array import array
from dataclasses import dataclass, replace

try:
    import numpy
except ImportError:
    numpy = None


@dataclass(frozen=True)
class Workload:
    about: str
    channels: int
    side: int
    filters: tuple
    ways: int
    support: int  # images a task
    query: int
    tasks: int
    rate: float = 0.01
    pooled: bool = True  # stride 1, max-pool and flat features; else stride 2 and the mean over H and W

    @property
    def model(self):
        return {
            "filters": list(self.filters),
            "kernel": 3,
            "stride": 1 if self.pooled else 2,
            "padding": "symmetric",
            "pool": "max" if self.pooled else "none",
            "head": "flatten" if self.pooled else "mean",
            "norm_scale": True,
            "norm_epsilon": 1e-5,
        }

    @property
    def sides(self):
        """The side of the image before each block and, last, after all of them."""
        sides = [self.side]
        for _ in self.filters:
            sides.append(sides[-1] // 2 if self.pooled else (sides[-1] + 1) // 2)
        return sides

    @property
    def features(self):
        return self.filters[-1] * (self.sides[-1] ** 2 if self.pooled else 1)


# At 500x500 the flat features are 61,504, and an inner rate of 0.01 throws the loss: hence the smaller rate.
WORKLOADS = {
    "w1": Workload("Omniglot-sized, 5-way 1-shot", 1, 28, (64,) * 4, 5, 5, 5, 32),
    "w1q75": Workload("the same with 15 queries a class", 1, 28, (64,) * 4, 5, 5, 75, 32),
    "w2": Workload("miniImageNet-sized, 5-way 5-shot", 3, 84, (32,) * 4, 5, 25, 75, 4),
    "w3": Workload("500x500 X-rays, 3-way 1-shot", 1, 500, (16, 32, 64, 64), 3, 3, 3, 4, rate=1e-4),
    "w3s5": Workload("the same, 5-shot", 1, 500, (16, 32, 64, 64), 3, 15, 15, 4, rate=1e-4),
    "w3r": Workload("500x500 X-rays, strided net", 1, 500, (128, 64, 64, 64), 3, 3, 3, 4, pooled=False),
}


def changed(work: Workload, tasks=None, shots=None, side=None, rate=None) -> Workload:
    """`work` with other numbers of tasks and images a class (support and query alike), another side or rate."""
    fields = {"tasks": tasks, "side": side, "rate": rate}
    if shots is not None:
        fields |= {"support": work.ways * shots, "query": work.ways * shots}
    return replace(work, **{key: value for key, value in fields.items() if value is not None})


@dataclass(frozen=True)
class Tensor:
    kind: str  # as safetensors names it
    shape: tuple
    data: bytes


class NumpyDraws:
    name = "numpy"

    def __init__(self, seed: int):
        self.rng = numpy.random.default_rng(seed)

    def normal(self, scale: float, shape: tuple) -> bytes:
        return self.rng.normal(0, scale, shape).astype("<f4").tobytes()


class PlainDraws:
    name = "python"

    def __init__(self, seed: int):
        self.rng = random.Random(seed)

    def normal(self, scale: float, shape: tuple) -> bytes:
        gauss = self.rng.gauss
        return array("f", (gauss(0, scale) for _ in range(math.prod(shape)))).tobytes()


def make_tensors(work: Workload, draws) -> dict:
    def normal(scale, *shape):
        return Tensor("F32", shape, draws.normal(scale, shape))

    def constant(value, count):
        return Tensor("F32", (count,), array("f", [value] * count).tobytes())

    tensors = {}
    fan = work.channels
    for i, width in enumerate(work.filters, start=1):
        tensors[f"block{i}.conv.weight"] = normal((2 / (9 * fan)) ** 0.5, 3, 3, fan, width)
        tensors[f"block{i}.norm.scale"] = constant(1, width)
        tensors[f"block{i}.norm.shift"] = constant(0, width)
        fan = width
    tensors["head.weight"] = normal(0.01, work.features, work.ways)
    tensors["head.bias"] = constant(0, work.ways)
    for part, count in (("support", work.support), ("query", work.query)):
        tensors[f"{part}_x"] = normal(1.0, work.tasks, count, work.side, work.side, work.channels)
        labels = array("q", [i % work.ways for i in range(count)] * work.tasks)
        tensors[f"{part}_y"] = Tensor("I64", (work.tasks, count), labels.tobytes())
    return tensors


def widened(tensor: Tensor) -> Tensor:
    if tensor.kind != "F32":
        return tensor
    return Tensor("F64", tensor.shape, array("d", array("f", tensor.data)).tobytes())


def config_text(work: Workload, steps: int) -> str:
    inner = {"steps": steps, "rate": work.rate, "order": 2, "method": "mixed", "loss": "mean"}
    lines = []
    for section, keys in (("model", work.model), ("inner", inner)):
        # JSON writes booleans, numbers, strings and lists of them as TOML does.
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def write_safetensors(path: str, tensors: dict, metadata: dict) -> None:
    header, end = {"__metadata__": metadata}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + len(tensor.data)
        header[name] = {"dtype": tensor.kind, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=WORKLOADS, required=True,
                        help="; ".join(f"{name}: {work.about}" for name, work in WORKLOADS.items()))
    parser.add_argument("--steps", type=int, default=1, help="inner steps (default 1)")
    parser.add_argument("--tasks", type=int, help="tasks (default: the workload's)")
    parser.add_argument("--shots", type=int, help="support and query images a class (default: the workload's)")
    parser.add_argument("--side", type=int, help="side of the images in pixels (default: the workload's)")
    parser.add_argument("--rate", type=float, help="inner rate (default: the workload's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=("f32", "f64"), default="f32", help="float64 holds the same values, widened")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    if args.steps < 0 or any(n is not None and n < 1 for n in (args.tasks, args.shots, args.side)):
        parser.error("--steps must be >= 0 and --tasks, --shots and --side >= 1")
    if sys.byteorder != "little":
        parser.error("this machine is big-endian; make the file on a little-endian one")

    work = changed(WORKLOADS[args.workload], args.tasks, args.shots, args.side, args.rate)
    if work.pooled and work.sides[-1] < 1:
        parser.error(f"--side {args.side} is too small for {len(work.filters)} halvings")
    draws = (PlainDraws if numpy is None else NumpyDraws)(args.seed)
    tensors = make_tensors(work, draws)
    if args.dtype == "f64":
        tensors = {name: widened(tensor) for name, tensor in tensors.items()}
    write_safetensors(args.out, tensors,
                      {"format": "innerloop-problem", "draws": draws.name, "config": config_text(work, args.steps)})


if __name__ == "__main__":
    main()
