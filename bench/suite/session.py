"""A whole run: environments, cases, reports after each."""
import datetime
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from suite import cases, environments, machine, report, rounds
from suite.contestants import BENCH, OURS, Clock, Engine, RivalProcess, Setting
from suite.progress import Progress, words

EFFORT = {"quick": rounds.Effort(rounds=3, repeats=3, turn_s=1.0, limit_s=45, budget_s=20),
          "full": rounds.Effort(rounds=5, repeats=5, turn_s=3.0, limit_s=180, budget_s=120)}
SLOW = 8.0  # a rival so many times slower than the fastest one is left out of the curves


@dataclass(frozen=True)
class Request:
    command: str  # of our engine
    out: Path
    cases: list[str]  # empty: those of quick or full
    rivals: list[str]
    interpreters: dict[str, str]  # framework: Python that has it
    setting: Setting
    quick: bool
    curves: bool
    minutes: float
    cache: Path
    built_here: bool  # our engine, from these sources


def find_interpreters(request: Request, progress: Progress) -> tuple[dict[str, str], dict[str, str]]:
    """Python of each rival, and why there is none of others."""
    pythons, reasons, known = {}, {}, dict(request.interpreters)
    failed: dict[str, str] = {}
    for rival in request.rivals:
        framework = environments.FRAMEWORK[rival]
        if rival == "torch_graph" and request.setting.device != "cuda":
            reasons[rival] = "a CUDA graph needs --device cuda"
            continue
        if framework not in known and framework not in failed:
            try:
                known[framework] = environments.ensure(framework, request.setting.device, progress.line, request.cache)
            except environments.NoEnvironment as error:
                failed[framework] = str(error)
                progress.line(f"{framework} cannot be installed: {error}")
        if framework in known:
            pythons[rival] = known[framework]
        else:
            reasons[rival] = f"cannot be installed: {failed[framework]}"
    return pythons, reasons


def make_problem(case: cases.Case, folder: Path, python: str) -> Path:
    path = folder / case.file
    if not path.exists():
        options = [("--tasks", case.tasks), ("--shots", case.shots), ("--side", case.side)]
        extra = [word for option, value in options if value is not None for word in (option, str(value))]
        subprocess.run([python, "-B", str(BENCH / "make_problem.py"), "--workload", case.workload, "--steps", str(case.steps),
                        "--out", str(path), *extra], check=True, stdin=subprocess.DEVNULL)
    return path


class Session:
    def __init__(self, request: Request, progress: Progress):
        self.request, self.progress = request, progress
        names = request.cases or (cases.QUICK if request.quick else cases.FULL)
        curves = cases.curves(request.quick, request.setting.threads) if request.curves else []
        self.plan = cases.Plan([cases.CASES[name] for name in names], curves)
        self.report = {
            "schema": report.SCHEMA, "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "command": sys.argv[1:], "quick": request.quick, "device": request.setting.device,
            "threads": request.setting.threads, "precision": request.setting.precision, "finished": False, "seconds": 0.0,
            "notes": [], "machine": machine.describe(request.command, request.built_here), "unavailable": {}, "roofline": None, "cases": [],
            "curves": [{"axis": c.axis, "label": c.label, "cases": [case.name for case in c.cases]} for c in curves]}

    def run(self, folder: Path) -> None:
        """Everything that was measured is in self.report, also when this is interrupted."""
        pythons, reasons = find_interpreters(self.request, self.progress)
        self.report["unavailable"] = reasons
        if self.request.rivals and not pythons:
            self.note("no rival could be had, so Innerloop was measured alone")
        if self.report["machine"]["load_before"] > 0.5 * self.report["machine"]["cores"]:
            self.note(f"other programs were running: the load was {self.report['machine']['load_before']:.1f} on "
                      f"{self.report['machine']['cores']} cores at the start")
        self.report["roofline"] = machine.roofline(self.request.command, self.request.setting.device, self.request.setting.threads)
        clock = Clock(60 * self.request.minutes)
        todo = self.plan.all_cases()
        for index, case in enumerate(todo):
            if clock.left() <= 0:
                self.note(f"the time was up: {len(todo) - index} cases were left out")
                break
            self.progress.line(f"{index + 1} of {len(todo)}: {case.title}{self.time_left(clock, index, len(todo))}")
            self.one_case(case, folder, pythons, clock)
        else:
            self.report["finished"] = True
        self.report["seconds"] = round(clock.elapsed(), 1)

    def time_left(self, clock: Clock, done: int, total: int) -> str:
        guess = clock.elapsed() / done * (total - done) if done else clock.left()
        return f", at most {words(clock.left())} left" if not done else f", about {words(min(guess, clock.left()))} left"

    def one_case(self, case: cases.Case, folder: Path, pythons: dict[str, str], clock: Clock) -> None:
        request = self.request
        setting = Setting(request.setting.device, case.threads or request.setting.threads, request.setting.precision)
        contestants = [Engine(request.command, folder)]
        chosen = pythons if case in self.plan.cases else self.fast_ones(pythons)
        contestants += [RivalProcess(rival, python) for rival, python in chosen.items()]
        problem = make_problem(case, folder, next(iter(pythons.values()), sys.executable))
        results: list[rounds.Result] = []
        try:
            rounds.measure_case(case, problem, contestants, setting, EFFORT["quick" if request.quick else "full"], clock,
                                results, self.progress.step)
        finally:
            self.report["cases"].append(report.case_entry(case, results, cases.flops(case), case in self.plan.cases))
            self.report["seconds"] = round(clock.elapsed(), 1)
            report.write(request.out / "bench.json", self.report)

    def fast_ones(self, pythons: dict[str, str]) -> dict[str, str]:
        """The rivals that were near the fastest in a full case: the others would take the curves' time."""
        near = set()
        for case in self.report["cases"][:len(self.plan.cases)]:
            medians = {who: min(sum(r["samples_s"], [])) for who, r in report.measured(case).items() if who != OURS}
            near |= {who for who, median in medians.items() if median <= SLOW * min(medians.values())}
        return {rival: python for rival, python in pythons.items() if rival in near and not self.request.quick}

    def note(self, text: str) -> None:
        self.report["notes"].append(text)
        self.progress.line(text)
