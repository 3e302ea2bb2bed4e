"""What a step's outputs mean. A judgement is passed, failed, skipped or measured, with a note and figures."""
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gpu_check import tensors
from gpu_check.runner import Output

SKIPPED = 77  # the exit code of a test program without a device
NOT_FOUND = 127  # and of one without a library that it was linked with
NO_LIBRARY = "this program has no library for it"  # what the engine says then


@dataclass
class Judgement:
    status: str
    note: str = ""
    figures: dict = field(default_factory=dict)


Judge = Callable[[list[Output]], Judgement]


def refusal(outputs: list[Output]) -> Judgement | None:
    """A failure where a command did not do its work; else None."""
    for output in outputs:
        if output.code is None:
            return Judgement("failed", output.note)
        if output.code != 0:
            return Judgement("failed", f"exit code {output.code}: {output.tail()}")
    return None


def last_json(text: str) -> dict:
    """The last line of `text`, which a command with --json ends with. Throws ValueError when it is none."""
    lines = text.strip().splitlines()
    if not lines:
        raise ValueError("no output")
    return json.loads(lines[-1])


def test(outputs: list[Output]) -> Judgement:
    output = outputs[0]
    if output.code == SKIPPED or (output.code == NOT_FOUND and "shared librar" in output.tail()):
        return Judgement("skipped", output.tail(1))
    ran = re.search(r"\[=+\] (\d+) tests? from", output.out)
    passed = re.search(r"\[  PASSED  \] (\d+) test", output.out)
    figures = {"passed": int(passed.group(1)) if passed else 0}
    failed = re.findall(r"^\[  FAILED  \] ([\w/.]+)", output.out, re.MULTILINE)
    if output.code == 0 and passed and int(passed.group(1)) > 0:
        return Judgement("passed", f"{passed.group(1)} tests", figures)
    if output.code == 0:
        return Judgement("failed", "no test ran", figures)
    names = list(dict.fromkeys(failed))
    figures["failed"] = names
    begun = re.findall(r"^\[ RUN      \] (\S+)", output.out, re.MULTILINE)
    where = f", in {begun[-1]}" if output.note and begun else ""
    reason = output.note + where or (f"{len(names)} of {ran.group(1)} tests failed: {', '.join(names[:8])}" if names and ran else
                             f"exit code {output.code}: {output.tail()}")
    return Judgement("failed", reason, figures)


def truth_checks(outputs: list[Output]) -> Judgement:
    output = outputs[0]
    if output.code is None or not output.out.strip():
        return Judgement("failed", output.note or f"exit code {output.code}: {output.tail()}")
    result = last_json(output.out)
    on_device = [c for c in result["checks"] if "cuda" in c["name"]]
    bad = [c["name"] for c in result["checks"] if not c["pass"]]
    figures = {"checks": result["checks"], "device": result["device"]}
    if bad or output.code != 0:
        return Judgement("failed", "do not hold: " + "; ".join(bad), figures)
    if not on_device or result["device"] != "cuda":
        return Judgement("failed", "the device was not among what was checked", figures)
    return Judgement("passed", f"{len(result['checks'])} checks, {len(on_device)} of the device against the CPU", figures)


def _distance(result: Path, reference: dict, loss_bound: float, gradient_bound: float) -> Judgement:
    errors = tensors.compare(tensors.read(result), reference)
    figures = {**errors, "loss_bound": loss_bound, "gradient_bound": gradient_bound}
    note = f"loss {errors['loss_error']:.1e}, gradient {errors['gradient_error']:.1e}"
    # Not the other way round: a NaN is no pass.
    good = errors["loss_error"] <= loss_bound and errors["gradient_error"] <= gradient_bound
    return Judgement("passed" if good else "failed", note, figures)


def against_golden(result: Path, problem: Path, bound: float) -> Judge:
    def judge(outputs: list[Output]) -> Judgement:
        return refusal(outputs) or _distance(result, tensors.golden_answer(tensors.read(problem)), bound, bound)
    return judge


def against_cpu(result: Path, cpu: Path, loss_bound: float, gradient_bound: float) -> Judge:
    def judge(outputs: list[Output]) -> Judgement:
        return refusal(outputs) or _distance(result, tensors.read(cpu), loss_bound, gradient_bound)
    return judge


def same_bytes(files: list[Path]) -> Judge:
    def judge(outputs: list[Output]) -> Judgement:
        if (bad := refusal(outputs)) is not None:
            return bad
        first = files[0].read_bytes()
        different = [f.parent.name + "/" + f.name for f in files[1:] if f.read_bytes() != first]
        return Judgement("failed" if different else "passed",
                         f"differ from {files[0].name}: {', '.join(different)}" if different else f"{len(first)} equal bytes")
    return judge


def micro(outputs: list[Output]) -> Judgement:
    bad = refusal(outputs)
    if bad is not None and not outputs[0].out.strip():
        return bad
    figures = last_json(outputs[0].out)
    failed = figures.pop("failed", None)  # of its measurements; the others count
    if failed is not None or bad is not None:
        return Judgement("failed", failed or bad.note, figures)
    return Judgement("measured", "", figures)


def timing(label: str, way: str, math: str) -> Judge:
    def judge(outputs: list[Output]) -> Judgement:
        figures = {"label": label, "way": way, "math": math}
        if (bad := refusal(outputs)) is not None:
            return Judgement("skipped" if NO_LIBRARY in bad.note else bad.status, bad.note, figures)
        keys = ("median_s", "min_s", "first_s", "repeat", "peak_bytes", "graph_nodes", "loss", "grad_norm", "tasks")
        result = last_json(outputs[0].out)
        return Judgement("measured", "", {**figures, **{k: result[k] for k in keys}})
    return judge


def rivals(label: str) -> Judge:
    """One JSON line a rival; what came before a time limit counts."""
    def judge(outputs: list[Output]) -> Judgement:
        output, lines = outputs[0], []
        for line in output.out.splitlines():
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        if output.code == SKIPPED:
            return Judgement("skipped", output.tail(1))
        note = output.note or (f"exit code {output.code}: {output.tail(2)}" if output.code != 0 else "")
        return Judgement("measured" if lines else "failed", note, {"label": label, "rivals": lines})
    return judge


def sanitizer(outputs: list[Output]) -> Judgement:
    output = outputs[0]
    said = output.out + output.err
    if "Device not supported" in said:
        return Judgement("skipped", "compute-sanitizer does not support this device")
    summary = re.findall(r"(?:ERROR|RACECHECK) SUMMARY: (.*)", said)
    if output.code == 0 and summary:
        return Judgement("passed", summary[-1])
    return Judgement("failed", output.note or (summary[-1] if summary else f"exit code {output.code}: {output.tail()}"))
