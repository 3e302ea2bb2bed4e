"""What a report says of the machine and of the sources that were measured."""
import json
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def commit() -> str:
    """The short hash, with + where the sources differ from it; empty where there is no git."""
    name = output(["git", "rev-parse", "--short=10", "HEAD"])
    return name + ("+" if name and output(["git", "status", "--porcelain", "--untracked-files=no"]) else "")


def describe(command: str, built_here: bool) -> dict:
    """A program that was named may be of other sources than these: its commit is not known."""
    doctor = output([command, "doctor", "--json"])
    facts = json.loads(doctor) if doctor else {}
    flags = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            flags = line
            break
    return {"cpu": facts.get("cpu", ""), "cores": len(os.sched_getaffinity(0)),
            "simd": [name for name in ("avx2", "avx512f", "amx_tile") if f" {name}" in flags],
            "memory_bytes": facts.get("memory_bytes"), "gpu": facts.get("gpu"), "target": facts.get("target"),
            "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
            "compiler": facts.get("compiler"), "innerloop": facts.get("version"), "commit": commit() if built_here else "",
            "nice": os.getpriority(os.PRIO_PROCESS, 0),
            "load_before": os.getloadavg()[0]}


def roofline(command: str, device: str, threads: int) -> dict | None:
    """What arithmetic and memory do at best, as the engine measures it; None where it cannot."""
    answer = output([command, "doctor", "--roofline", "--json", "--device", device, "--threads", str(threads)])
    return json.loads(answer).get("roofline") if answer else None
