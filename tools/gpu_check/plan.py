"""What the check runs: parts, each of them steps, each of them commands and a judge of what they said."""
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gpu_check import judges
from gpu_check.runner import Output

# Seconds that a part may take in all, so that a slow one does not cost the others; --minutes bounds their sum. In order.
PARTS = {"tests": 180, "check": 40, "metagrad": 80, "graph": 40, "micro": 20, "timing": 110, "rivals": 140, "sanitizer": 70}
ABOUT = {
    "tests": "the tests of every floor on the device",
    "check": "innerloop check: the truth checks",
    "metagrad": "meta-gradients on the GPU against PyTorch's in float64 and against the CPU's",
    "graph": "CUDA graph on against off, overlapping launches against launches in turn: the same bytes of a result and of a "
             "checkpoint after 20 steps",
    "micro": "ceilings: graph nodes, cluster barriers, copies, second-level cache, FFMA, mma.sync, wgmma",
    "timing": "a meta-step of each workload by each way to compute convolutions",
    "rivals": "PyTorch and JAX on the same tensors",
    "sanitizer": "compute-sanitizer: memcheck, racecheck, initcheck, synccheck",
}

TESTS = ("test_kernels_cuda", "test_conv_math_cuda", "test_cuda_runtime_cuda", "test_autograd_cuda", "test_nn_cuda",
         "test_meta_cuda")
LONG_TESTS = {"test_autograd_cuda": "*DerivativesOfOrders1To3*",  # minutes, so after all others
              "test_meta_cuda": "*EverySystemLearns*:SystemFit.GoesOn*:SystemFit.Covxnet*"}
VENDOR_TESTS = ("test_cuda_vendor", "test_cuda_joining")  # of these, what needs a device
PROGRAMS = ("innerloop", "gpu_micro", *TESTS, *VENDOR_TESTS)
GOLDEN = ("omniglot", "miniimagenet", "paper", "released")


@dataclass(frozen=True)
class Problem:
    """A file that bench/make_problem.py writes."""
    workload: str
    steps: int
    tasks: int | None = None

    @property
    def name(self) -> str:
        return f"{self.workload}_k{self.steps}" + (f"_t{self.tasks}" if self.tasks else "")


# Timed, in the order of what matters; the label is what check.md and docs/performance.md call it.
TIMED = {
    "W1 K5": Problem("w1", 5),
    "W2 K5": Problem("w2", 5),
    "W1 K1": Problem("w1", 1),
    "W3 3-way 5-shot K5": Problem("w3s5", 5),
    "W3r K5": Problem("w3r", 5),
}
# Libraries know two precisions: TF32 and float32.
WAYS = (("own", "tf32x3"), ("own", "tf32"), ("own", "fp32"), ("cudnn", "tf32"), ("cudnn", "fp32"), ("gemm", "tf32"),
        ("gemm", "fp32"))

# Before a command: its kernels start one after the other, where else each is brought to the device while the one before it ends.
IN_TURN = ("env", "IL_CUDA_OVERLAP=off")
# Before a command: a small norm has a launch of its own, where else it is a stage of its convolution's.
APART = ("env", "IL_CUDA_STAGES=off")
# Before a command: the two gradients of a large map have a launch each, where else one block makes what both read.
TWO_LAUNCHES = ("env", "IL_CUDA_ONE_BLOCK=off")

SMALL_TRAINING = ("--ways 3 --tasks 4 --iterations 20 --set model.filters=[8,8] --set data.size=32 --set eval.shots=1 "
                  "--set eval.queries=2 --set eval.episodes=4 --set eval.steps=2 --set inner.steps=2").split()


@dataclass
class Step:
    part: str
    name: str
    commands: list[list[str]]
    limit: float
    judge: Callable[[list[Output]], judges.Judgement]
    problems: list[Problem] = field(default_factory=list)  # files that must be there first
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Places:
    root: Path  # holds bench/ and tests/golden/
    programs: dict[str, str]  # by name; what is missing is not in it
    work: Path
    python: str
    sanitizer: str | None

    def problem(self, problem: Problem) -> Path:
        return self.work / f"{problem.name}.safetensors"

    def make(self, problem: Problem) -> list[str]:
        tasks = ["--tasks", str(problem.tasks)] if problem.tasks else []
        return [self.python, str(self.root / "bench/make_problem.py"), "--workload", problem.workload, "--steps",
                str(problem.steps), *tasks, "--out", str(self.problem(problem))]

    def metagrad(self, problem: Path, out: Path, *more: str) -> list[str]:
        return [self.programs["innerloop"], "metagrad", str(problem), "--out", str(out), "--json", *more]


def tests(at: Places, quick: bool) -> list[Step]:
    names = ("test_kernels_cuda", "test_meta_cuda") if quick else TESTS
    steps = []
    for name in names:
        if name in at.programs:
            short = [f"--gtest_filter=-{LONG_TESTS[name]}"] if name in LONG_TESTS else []
            steps.append(Step("tests", name, [[at.programs[name], *short]], 90, judges.test))
    for name in () if quick else VENDOR_TESTS:
        if name in at.programs:
            steps.append(Step("tests", name, [[at.programs[name], "--gtest_filter=*OnDevice*"]], 60, judges.test))
    for name, long in () if quick else LONG_TESTS.items():
        if name in at.programs:
            steps.append(Step("tests", f"{name}, the long ones", [[at.programs[name], f"--gtest_filter={long}"]], 90, judges.test))
    return steps


def check(at: Places, quick: bool) -> list[Step]:
    del quick
    return [Step("check", "innerloop check", [[at.programs["innerloop"], "check", "--device", "cuda", "--json"]], 40,
                 judges.truth_checks)]


def metagrad(at: Places, quick: bool) -> list[Step]:
    steps = []
    for name in GOLDEN:
        file = at.root / f"tests/golden/{name}.safetensors"
        out = at.work / f"golden_{name}.safetensors"
        steps.append(Step("metagrad", f"{name}: float64 against PyTorch's",
                          [at.metagrad(file, out, "--device", "cuda", "--dtype", "f64")], 20,
                          judges.against_golden(out, file, bound=1e-9)))
    wide = [(Problem("w1", 1, 8), "f64"), (Problem("w1", 5), "f32")]
    if not quick:
        wide += [(Problem("w2", 1, 1), "f64"), (Problem("w3", 1, 1), "f64"), (Problem("w3r", 1, 1), "f64"),
                 (Problem("w2", 5), "f32"), (Problem("w3", 1), "f32"), (Problem("w3r", 1), "f32")]
    for problem, dtype in wide:
        outs = {device: at.work / f"{problem.name}_{dtype}_{device}.safetensors" for device in ("cpu", "cuda")}
        commands = [at.metagrad(at.problem(problem), out, "--device", device, "--dtype", dtype)
                    for device, out in outs.items()]
        # In float32 a few ReLUs and maxima decide otherwise on the two devices, and each moves the gradient.
        bound = {"f64": (1e-10, 1e-8), "f32": (1e-4, 5e-2)}[dtype]
        steps.append(Step("metagrad", f"{problem.name}: {'float64' if dtype == 'f64' else 'float32'} against the CPU's",
                          commands, 40, judges.against_cpu(outs["cuda"], outs["cpu"], *bound), [problem]))
    return steps


def graph(at: Places, quick: bool) -> list[Step]:
    problem = Problem("w1", 1)
    outs = [at.work / f"graph_{name}.safetensors" for name in ("on", "off", "in_turn")]
    commands = [[*before, *at.metagrad(at.problem(problem), out, "--device", "cuda", "--repeat", "2", "--graph", choice)]
                for out, choice, before in zip(outs, ("on", "off", "on"), ((), (), IN_TURN))]
    steps = [Step("graph", "metagrad: on, off, and on with launches in turn", commands, 40, judges.same_bytes(outs), [problem])]
    runs = [(at.work / f"run_{name}", choice) for name, choice in (("on", "on"), ("off", "off"), ("again", "on"))]
    commands = [[at.programs["innerloop"], "train", "--data", "synthetic", "--out", str(run), "--device", "cuda", "--graph",
                 choice, *SMALL_TRAINING] for run, choice in (runs[:2] if quick else runs)]
    checkpoints = [run / "checkpoint.safetensors" for run, _ in runs[:len(commands)]]
    steps.append(Step("graph", "checkpoint of 20 steps: on, off, and on again", commands, 40, judges.same_bytes(checkpoints)))
    return steps


def micro(at: Places, quick: bool) -> list[Step]:
    if "gpu_micro" not in at.programs:
        return []
    return [Step("micro", "gpu_micro", [[at.programs["gpu_micro"], *(["--quick"] if quick else [])]], 20, judges.micro)]


def without(workload: str, way: str, math: str) -> tuple[tuple[tuple[str, str], str], ...]:
    """What to put before a command, and its name, to time it without one thing that our own convolutions do: what that thing gives."""
    if workload == "w1" and (way, math) == WAYS[0]:  # where kernels are short
        return (IN_TURN, "launches in turn"), (APART, "norms apart")
    if workload in ("w2", "w3s5") and (way, math) in WAYS[:2]:  # where maps are large
        return ((TWO_LAUNCHES, "gradients apart"),)
    return ()


def timing(at: Places, quick: bool) -> list[Step]:
    steps = []
    for label, problem in list(TIMED.items())[:1 if quick else None]:
        for way, math in WAYS[:2] if quick else WAYS:
            if way == "gemm" and problem.workload.startswith("w3"):
                continue  # its patches are nine times the images: gigabytes that nobody would use
            out = at.work / "timing.safetensors"
            repeat = "50" if problem.workload.startswith("w1") else "15"
            command = at.metagrad(at.problem(problem), out, "--device", "cuda", "--repeat", repeat, "--keep-steps", "--conv",
                                  way, "--conv-math", math)
            steps.append(Step("timing", f"{label}, {way} {math}", [command], 30, judges.timing(label, way, math), [problem]))
            for before, what in without(problem.workload, way, math):
                steps.append(Step("timing", f"{label}, {way} {math}, {what}", [[*before, *command]], 30,
                                  judges.timing(label, f"{way}, {what}", math), [problem]))
    return steps


def rivals(at: Places, quick: bool) -> list[Step]:
    steps = []
    for label, problem in list(TIMED.items())[:1 if quick else None]:
        for framework in ("torch", "jax"):
            command = [at.python, str(at.root / "bench/rivals_gpu.py"), str(at.problem(problem)), "--framework", framework,
                       "--seconds", "2"]
            steps.append(Step("rivals", label, [command], 60, judges.rivals(label), [problem],
                              {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}))
    return steps


def sanitizer(at: Places, quick: bool) -> list[Step]:
    if at.sanitizer is None or quick:
        return []
    steps = []
    for tool in ("memcheck", "racecheck", "initcheck", "synccheck"):
        for name in ("paper", "released"):
            command = at.metagrad(at.root / f"tests/golden/{name}.safetensors", at.work / "sanitizer.safetensors", "--device",
                                  "cuda", "--conv", "own")
            steps.append(Step("sanitizer", f"{tool}: metagrad {name}",
                              [[at.sanitizer, "--tool", tool, "--error-exitcode", "9", *command]], 35, judges.sanitizer, [],
                              {"IL_CUDA_OVERLAP": "off"}))  # what it says is then of one kernel
    return steps


MAKERS = {"tests": tests, "check": check, "metagrad": metagrad, "graph": graph, "micro": micro, "timing": timing,
          "rivals": rivals, "sanitizer": sanitizer}


def steps_of(parts: list[str], at: Places, quick: bool) -> list[Step]:
    return [step for part in parts for step in MAKERS[part](at, quick)]
