"""Reads a problem of `innerloop metagrad` (bench/make_problem.py writes them) for the rivals."""
import json
import struct
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rivals.rival import ProblemError


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

    @property
    def tasks(self) -> int:
        return len(self.support_x)


KINDS = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}


def read_problem(path: str | Path) -> Problem:
    data = Path(path).read_bytes()
    try:
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8:8 + length])
        config = tomllib.loads(header.pop("__metadata__")["config"])
        model, inner = config["model"], config["inner"]
    except (struct.error, ValueError, KeyError) as error:
        raise ProblemError(f"{path}: no problem file ({error}); bench/make_problem.py writes them") from error
    if model["padding"] != "symmetric" or model["kernel"] != 3 or not model["norm_scale"]:
        raise ProblemError(f"{path}: the rivals know 3x3 kernels with symmetric padding and scaled norms alone")
    if inner.get("order", 2) != 2 or inner.get("loss", "mean") != "mean":
        raise ProblemError(f"{path}: the rivals know second order and the mean loss alone; see [inner] in its config")

    def tensor(name: str) -> np.ndarray:
        if name not in header:
            raise ProblemError(f"{path}: tensor '{name}' is missing; bench/make_problem.py writes whole problems")
        entry = header[name]
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        array = np.frombuffer(data[begin:end], KINDS[entry["dtype"]]).reshape(entry["shape"])
        return array.astype("f4") if entry["dtype"] == "F64" else array

    names = [f"block{i}.{part}" for i in range(1, len(model["filters"]) + 1)
             for part in ("conv.weight", "norm.scale", "norm.shift")]
    episode = [tensor(name) for name in ("support_x", "support_y", "query_x", "query_y")]
    return Problem([tensor(n) for n in [*names, "head.weight", "head.bias"]], *episode, model["stride"],
                   model["pool"] == "max", model["head"] == "flatten", model["norm_epsilon"], inner["steps"], inner["rate"])
