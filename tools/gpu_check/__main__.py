"""Runs the parts of the check, and writes check.json and check.md after each step. tools/gpu_check.sh starts it."""
import argparse
import datetime
import json
import os
import shlex
import shutil
import sys
import time
from pathlib import Path

from gpu_check import judges, plan, render, runner, versions

ROOT = Path(__file__).resolve().parents[2]


def say(text: str) -> None:
    print(f"gpu_check: {text}", file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/gpu_check.sh", description=__doc__)
    parser.add_argument("--programs", type=Path, action="append", required=True, help="folder with programs; repeatable")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", default=",".join(plan.PARTS))
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    args.parts = [p for p in args.parts.split(",") if p]
    if unknown := [p for p in args.parts if p not in plan.PARTS]:
        parser.error(f"--parts: {', '.join(unknown)}: use some of {', '.join(plan.PARTS)}")
    return args


def find_programs(folders: list[Path]) -> dict[str, str]:
    return {name: str(path) for name in plan.PROGRAMS
            if (path := next((f / name for f in folders if os.access(f / name, os.X_OK)), None))}


def environment_of(places: plan.Places) -> dict[str, str]:
    """The vendor libraries come after what the caller set."""
    folders = [f for f in os.environ.get("LD_LIBRARY_PATH", "").split(":") if f] + versions.vendor_folders()
    return {"LD_LIBRARY_PATH": ":".join(folders), "IL_GOLDEN_DIR": str(places.root / "tests/golden"),
            "XDG_CACHE_HOME": str(places.work / "cache")}


class Check:
    def __init__(self, args: argparse.Namespace, places: plan.Places, environment: dict[str, str]):
        self.args, self.places, self.environment = args, places, environment
        self.started = time.monotonic()
        self.part_seconds = dict.fromkeys(plan.PARTS, 0.0)
        # Who asks for few parts, or gives much time, gives each of them more.
        self.scale = max(1.0, args.minutes * 60 / sum(plan.PARTS[p] for p in args.parts))
        self.report = {"schema": 1, "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                       "command": [*sys.argv[1:]], "parts": args.parts, "quick": args.quick, "machine": {}, "steps": [],
                       "seconds": 0.0, "verdict": "unfinished"}

    def remaining(self, part: str) -> float:
        return min(plan.PARTS[part] * self.scale - self.part_seconds[part],
                   self.args.minutes * 60 - (time.monotonic() - self.started))

    def make_problems(self, step: plan.Step) -> str:
        """Empty when they are there, else why not."""
        for problem in step.problems:
            if not self.places.problem(problem).exists():
                out = runner.run(self.places.make(problem), 60, {})
                if out.code != 0:
                    return f"its problem could not be made: {out.note or out.tail(2)}"
        return ""

    def run_commands(self, step: plan.Step) -> judges.Judgement:
        if why := self.make_problems(step):
            return judges.Judgement("failed", why)
        own_program = step.part != "rivals"  # PyTorch and JAX bring their libraries themselves
        outputs = []
        for command in step.commands:
            limit = min(step.limit * self.scale, self.remaining(step.part))
            environment = {**(self.environment if own_program else {}), **step.environment}
            outputs.append(runner.run(command, max(limit, 1), environment))
            self.part_seconds[step.part] += outputs[-1].seconds
            if outputs[-1].code is None and limit < step.limit and step.part != "rivals":
                return judges.Judgement("skipped", f"no time was left: {outputs[-1].note}")
            if outputs[-1].code != 0:
                break
        try:
            return step.judge(outputs)
        except (ValueError, KeyError, OSError) as error:
            return judges.Judgement("failed", f"its result could not be read: {error}")

    def run_step(self, step: plan.Step) -> None:
        say(f"{step.part}: {step.name}")
        began = time.monotonic()
        if self.remaining(step.part) < 3:
            verdict = judges.Judgement("skipped", "no time was left")
        else:
            verdict = self.run_commands(step)
        self.report["steps"].append({
            "part": step.part, "name": step.name, "commands": [shlex.join(c) for c in step.commands],
            "seconds": round(time.monotonic() - began, 2), "status": verdict.status, "note": verdict.note,
            "figures": verdict.figures})
        say(f"{step.part}: {step.name}: {verdict.status} {verdict.note.splitlines()[0] if verdict.note else ''}")
        self.write()

    def write(self) -> None:
        self.report["seconds"] = round(time.monotonic() - self.started, 1)
        self.args.out.mkdir(parents=True, exist_ok=True)
        (self.args.out / "check.json").write_text(json.dumps(self.report, indent=1) + "\n")
        (self.args.out / "check.md").write_text(render.markdown(self.report))

    def finish(self) -> int:
        self.report["verdict"] = render.verdict(self.report)
        self.write()
        say(f"{self.report['verdict']}; {self.args.out / 'check.md'}")
        return 0 if self.report["verdict"].startswith("passed") else 1


def dry_run(steps: list[plan.Step], places: plan.Places, parts: list[str]) -> int:
    made = set()
    for part in parts:
        of_part = [s for s in steps if s.part == part]
        print(f"\n# {part}: {plan.ABOUT[part]}; at most {plan.PARTS[part]} s" + ("" if of_part else "; nothing to run"))
        for step in of_part:
            for problem in step.problems:
                if problem not in made:
                    print(shlex.join(places.make(problem)))
                    made.add(problem)
            print(f"# {step.name} (at most {step.limit:.0f} s a command)")
            for command in step.commands:
                print(shlex.join(command))
    return 0


def main() -> int:
    args = parse()
    programs = find_programs([p.resolve() for p in args.programs])
    if args.dry_run:  # also of what is not built yet
        programs = {name: str(args.programs[0] / name) for name in plan.PROGRAMS} | programs
    if "innerloop" not in programs:
        say(f"no program 'innerloop' in {', '.join(map(str, args.programs))}")
        return 1
    args.out = args.out.resolve()
    places = plan.Places(ROOT, programs, args.out / "work", sys.executable, shutil.which("compute-sanitizer") or next(
        (p for p in ("/usr/local/cuda/bin/compute-sanitizer",) if os.access(p, os.X_OK)), None))
    steps = plan.steps_of(args.parts, places, args.quick)
    if args.dry_run:
        return dry_run(steps, places, args.parts)

    environment = environment_of(places)
    shutil.rmtree(places.work, ignore_errors=True)
    places.work.mkdir(parents=True)
    check = Check(args, places, environment)
    try:
        check.report["machine"] = versions.read(programs["innerloop"], environment)
        doctor = check.report["machine"]["doctor"]
        if not doctor.get("gpu"):
            check.report["verdict"] = "failed: nothing was checked, there is no GPU"
            check.write()
            say(f"nothing can be checked: {doctor.get('gpu_reason')}")
            return 1
        say(f"{doctor['gpu']['name']}; {len(steps)} steps, at most {args.minutes:g} minutes")
        for step in steps:
            check.run_step(step)
        return check.finish()
    finally:
        shutil.rmtree(places.work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
