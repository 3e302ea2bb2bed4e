"""check.json as check.md, and the verdict. Plain functions of the report: no machine is asked for anything.

    python3 tools/gpu_check/render.py check.json > check.md
"""
import json
import sys

CHECKING = ("tests", "check", "metagrad", "graph", "sanitizer")
# Ours beside theirs, each at the same precision; a comparison across would flatter one of them.
SAME_PRECISION = (("default", "tf32"), ("float32", "tf32x3"), ("float32", "fp32"))


def verdict(report: dict) -> str:
    steps = report["steps"]
    failed = [s for s in steps if s["part"] in CHECKING and s["status"] == "failed"]
    failed += [s for s in steps if s["part"] in ("micro", "timing") and s["status"] == "failed"]
    passed = sum(s["status"] == "passed" for s in steps)
    skipped = sum(s["status"] == "skipped" for s in steps if s["part"] in CHECKING)
    if failed:
        return f"failed: {len(failed)} of {len(steps)} steps"
    if passed == 0 and any(p in CHECKING for p in report["parts"]):
        return "failed: nothing was checked"
    return f"passed: {passed} checks" + (f"; {skipped} skipped" if skipped else "")


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    return ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads),
            *("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows), ""]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3g}"


def of_part(report: dict, part: str) -> list[dict]:
    return [s for s in report["steps"] if s["part"] == part]


def machine(report: dict) -> list[str]:
    m = report["machine"]
    gpu = m.get("doctor", {}).get("gpu") or {}
    rows = [[key, str(value)] for key, value in gpu.items()]
    rows += [[key, str(value)] for key, value in m.get("smi", {}).items()]
    rows += [[key, str(m[key])] for key in ("cudnn", "cublas", "host", "python") if key in m]
    rows += [[key, value] for key, value in m.get("packages", {}).items()]
    rows += [["innerloop", m["doctor"]["version"]]] if "version" in m.get("doctor", {}) else []
    return ["## Machine", "", *(table(["what", "value"], rows) or ["Unknown.", ""])]


def checks(report: dict) -> list[str]:
    rows = [[s["part"], s["name"], s["status"], s["note"][:300], f"{s['seconds']:.1f}"]
            for s in report["steps"] if s["part"] in CHECKING]
    if not rows:
        return []
    return ["## Checks", "", *table(["part", "step", "status", "what it found", "s"], rows)]


def timed(report: dict) -> list[dict]:
    return [s["figures"] for s in of_part(report, "timing") if s["status"] == "measured"]


def timings(report: dict) -> list[str]:
    steps = of_part(report, "timing")
    if not steps:
        return []
    rows = []
    for s in steps:
        f = s["figures"]
        if s["status"] == "measured":
            rows.append([f["label"], f["way"], f["math"], milliseconds(f["median_s"]), milliseconds(f["min_s"]),
                         f"{f['first_s']:.2f}", str(f["repeat"]), f"{f['peak_bytes'] / 1e9:.2f}", str(f["graph_nodes"]),
                         f"{f['loss']:.6g}", f"{f['grad_norm']:.6g}"])
        else:
            rows.append([s["name"], "", "", s["status"], s["note"][:120], *[""] * 6])
    return ["## Our meta-steps", "", "Median and minimum of replays of the recorded meta-step, by the host's clock.", "",
            *table(["workload", "--conv", "--conv-math", "median ms", "min ms", "first s", "repeats", "peak GB", "nodes", "loss",
                    "gradient norm"], rows)]


# Relative differences of loss and gradient norm that the precision explains. TF32 moves a gradient by percents, and in float32 a
# maximum that two frameworks round differently takes another branch; a first-order gradient is further off than float32's.
LOSS = {"float32": 1e-3, "default": 2e-2}
NORM = {"float32": 1e-2, "default": 3e-1}


def far(a: float, b: float, limit: float) -> bool:
    return not abs(a - b) <= limit * abs(b)  # so that a NaN is far, too


def against(report: dict, label: str, rival: dict) -> list[str]:
    """Our own kernels at the rival's precision: how many times faster, and whether loss and norm agree."""
    cells = []
    for precision, math in SAME_PRECISION:
        if rival["precision"] != precision:
            continue
        for ours in timed(report):
            if ours["label"] == label and ours["way"] == "own" and ours["math"] == math:
                ratio = f"{rival['median_s'] / ours['median_s']:.3g}x"
                differs = [] if ours["tasks"] == rival["tasks"] else ["other tasks"]
                differs += ["loss differs"] if far(rival["loss"], ours["loss"], LOSS[precision]) else []
                differs += ["norm differs"] if far(rival["grad_norm"], ours["grad_norm"], NORM[precision]) else []
                cells.append(f"{math}: {ratio}" + (f" ({', '.join(differs)})" if differs else ""))
    return cells


def rivals(report: dict) -> list[str]:
    steps = of_part(report, "rivals")
    if not steps:
        return []
    rows, notes = [], []
    for s in steps:
        lines = s["figures"].get("rivals", [])
        for r in lines:
            rival, head = f"{r['rival']} {r['version']}", [s["name"]]
            if "error" in r:
                rows.append([*head, rival, r["precision"], "failed", r["error"][:120], "", "", "", ""])
            else:
                rows.append([*head, rival, r["precision"], milliseconds(r["median_s"]), milliseconds(r["min_s"]),
                             str(r["repeat"]), f"{r['loss']:.6g}", f"{r['grad_norm']:.6g}",
                             ", ".join(against(report, s["name"], r)) or "-"])
        if not lines or s["note"]:
            notes.append(f"* {s['name']}: {s['status']}, {s['note'][:200]}")
    means = {f"{r['framework']} {r['precision']}": r["precision_means"] for s in steps
             for r in s["figures"].get("rivals", [])}
    return ["## PyTorch and JAX", "", "On the same tensors. The last column is the rival's median over ours, at the same "
            "precision, with our own convolutions.", "",
            *table(["workload", "rival", "precision", "median ms", "min ms", "repeats", "loss", "gradient norm", "over ours"],
                   rows), *(f"* {key}: {value}" for key, value in sorted(means.items())), *notes, ""]


def micro(report: dict) -> list[str]:
    lines = []
    for s in of_part(report, "micro"):
        rows = [[key, str(value)] for key, value in s["figures"].items()] or [[s["status"], s["note"][:300]]]
        lines += ["## Ceilings", "", *table(["figure", "measured"], rows)]
    return lines


def commands(report: dict) -> list[str]:
    lines = ["## Commands", "", "```sh"]
    for s in report["steps"]:
        lines += [f"# {s['part']}: {s['name']}", *s["commands"]]
    return [*lines, "```", ""]


def markdown(report: dict) -> str:
    device = (report["machine"].get("doctor", {}).get("gpu") or {}).get("name", "no GPU")
    head = ["# GPU check", "", f"**{report['verdict']}** on {device}. Started {report['started']}, {report['seconds']:.0f} s"
            f"{', quick' if report['quick'] else ''}; parts: {', '.join(report['parts'])}.", ""]
    parts = (machine, checks, micro, timings, rivals, commands)
    return "\n".join([*head, *(line for part in parts for line in part(report))]).rstrip() + "\n"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(markdown(json.load(file)), end="")
