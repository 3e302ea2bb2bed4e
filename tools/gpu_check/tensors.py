"""Reads safetensors files, and says how far two results are from each other. Plain Python: results are small."""
import json
import math
import struct
from array import array
from pathlib import Path

KINDS = {"F32": "f", "F64": "d", "I64": "q", "I32": "i", "U8": "B"}


def read(path: Path) -> dict[str, array]:
    """The elements of each tensor, without their shapes."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = array(KINDS[entry["dtype"]], data[begin:end])
    return tensors


def distance(result: dict[str, array], reference: dict[str, array], names: list[str]) -> float:
    """|result - reference| / |reference| over all elements of `names`; NaN where either has one, or nothing to compare."""
    if any(len(result[n]) != len(reference[n]) for n in names):
        raise ValueError("the two results do not have the same sizes")
    difference = math.fsum((a - b) ** 2 for n in names for a, b in zip(result[n], reference[n]))
    size = math.fsum(b * b for n in names for b in reference[n])
    return math.sqrt(difference / size) if size > 0 else math.nan


def compare(result: dict[str, array], reference: dict[str, array]) -> dict[str, float]:
    """The relative errors of the query losses and of the meta-gradient of two results of `innerloop metagrad`."""
    gradient = sorted(n for n in reference if not n.endswith("_loss"))
    if not gradient or sorted(n for n in result if not n.endswith("_loss")) != gradient:
        raise ValueError("the two results do not hold the same tensors")
    return {"loss_error": distance(result, reference, ["query_loss"]),
            "gradient_error": distance(result, reference, gradient)}


def golden_answer(problem: dict[str, array]) -> dict[str, array]:
    """What PyTorch computed in float64, out of a file of tests/golden."""
    prefix = "expected."
    return {n[len(prefix):]: a for n, a in problem.items() if n.startswith(prefix)}
