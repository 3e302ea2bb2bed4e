"""Writes a meta-gradient problem for `innerloop metagrad`: the benchmark workloads, from numpy alone.

    python3 bench/make_problem.py --workload w1 --steps 1 --out w1.safetensors
    innerloop metagrad w1.safetensors --out gradient.safetensors --repeat 5 --json

The numbers come from numpy's default_rng(seed) in a fixed order (parameters block by block, head, support images, query
images), so another framework that draws them in the same order computes on the same tensors, and its loss and gradient norm
can be held against ours.
"""
import argparse
import json
import struct
from dataclasses import dataclass

import numpy as np


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


# At 500x500 the flat features are 61,504, and an inner rate of 0.01 throws the loss: hence the smaller rate.
WORKLOADS = {
    "w1": Workload("Omniglot-sized, 5-way 1-shot", 1, 28, (64,) * 4, 5, 5, 5, 32),
    "w1q75": Workload("the same with 15 queries a class", 1, 28, (64,) * 4, 5, 5, 75, 32),
    "w2": Workload("miniImageNet-sized, 5-way 5-shot", 3, 84, (32,) * 4, 5, 25, 75, 4),
    "w3": Workload("500x500 X-rays, 3-way 1-shot", 1, 500, (16, 32, 64, 64), 3, 3, 3, 4, rate=1e-4),
    "w3s5": Workload("the same, 5-shot", 1, 500, (16, 32, 64, 64), 3, 15, 15, 4, rate=1e-4),
    "w3r": Workload("500x500 X-rays, strided net", 1, 500, (128, 64, 64, 64), 3, 3, 3, 4, pooled=False),
}


def make_tensors(work: Workload, tasks: int, seed: int) -> dict:
    rng = np.random.default_rng(seed)
    tensors = {}
    fan, side = work.channels, work.side
    for i, width in enumerate(work.filters, start=1):
        tensors[f"block{i}.conv.weight"] = rng.normal(0, (2 / (9 * fan)) ** 0.5, (3, 3, fan, width)).astype(np.float32)
        tensors[f"block{i}.norm.scale"] = np.ones(width, np.float32)
        tensors[f"block{i}.norm.shift"] = np.zeros(width, np.float32)
        fan, side = width, side // 2 if work.pooled else (side + 1) // 2
    features = fan * side * side if work.pooled else fan
    tensors["head.weight"] = rng.normal(0, 0.01, (features, work.ways)).astype(np.float32)
    tensors["head.bias"] = np.zeros(work.ways, np.float32)
    for part, count in (("support", work.support), ("query", work.query)):
        images = rng.normal(size=(tasks, count, work.side, work.side, work.channels))
        tensors[f"{part}_x"] = images.astype(np.float32)
        tensors[f"{part}_y"] = np.tile(np.arange(count, dtype=np.int64) % work.ways, (tasks, 1))
    return tensors


def toml_value(value) -> str:
    return json.dumps(value)  # the same for what stands here: booleans, numbers, strings and lists of them


def config_text(work: Workload, steps: int, rate: float) -> str:
    inner = {"steps": steps, "rate": rate, "order": 2, "method": "mixed", "loss": "mean"}
    lines = []
    for section, keys in (("model", work.model), ("inner", inner)):
        lines += [f"[{section}]", *(f"{key} = {toml_value(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def write_safetensors(path: str, tensors: dict, metadata: dict) -> None:
    kinds = {np.dtype("<f4"): "F32", np.dtype("<f8"): "F64", np.dtype("<i8"): "I64"}
    header, end = {"__metadata__": metadata}, 0
    for name, array in tensors.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": kinds[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", choices=WORKLOADS, required=True,
                        help="; ".join(f"{name}: {work.about}" for name, work in WORKLOADS.items()))
    parser.add_argument("--steps", type=int, default=1, help="inner steps (default 1)")
    parser.add_argument("--tasks", type=int, help="tasks (default: the workload's)")
    parser.add_argument("--rate", type=float, help="inner rate (default: the workload's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=("f32", "f64"), default="f32", help="float64 holds the same values, widened")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    if args.steps < 0 or (args.tasks is not None and args.tasks < 1):
        parser.error("--steps must be >= 0 and --tasks >= 1")

    work = WORKLOADS[args.workload]
    tensors = make_tensors(work, args.tasks or work.tasks, args.seed)
    if args.dtype == "f64":
        tensors = {name: a.astype(np.float64) if a.dtype == np.float32 else a for name, a in tensors.items()}
    config = config_text(work, args.steps, work.rate if args.rate is None else args.rate)
    write_safetensors(args.out, tensors, {"format": "innerloop-problem", "config": config})


if __name__ == "__main__":
    main()
