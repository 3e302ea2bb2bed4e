"""What is measured: the cases, the curves that join some of them, and the arithmetic that a case needs whoever does it."""
from dataclasses import dataclass, field, replace

from make_problem import WORKLOADS, Workload, changed


@dataclass(frozen=True)
class Case:
    workload: str
    steps: int
    tasks: int | None = None  # None: the workload's own
    shots: int | None = None
    side: int | None = None
    threads: int | None = None  # None: as the whole run

    @property
    def work(self) -> Workload:
        return changed(WORKLOADS[self.workload], self.tasks, self.shots, self.side)

    @property
    def name(self) -> str:
        parts = [self.workload, f"k{self.steps}"]
        for letter, value in (("t", self.tasks), ("s", self.shots), ("side", self.side), ("threads", self.threads)):
            parts += [f"{letter}{value}"] if value is not None else []
        return "-".join(parts)

    @property
    def file(self) -> str:
        """Cases that differ in threads alone share their tensors."""
        return replace(self, threads=None).name + ".safetensors"

    @property
    def title(self) -> str:
        work = self.work
        return (f"{self.workload.upper()}: {work.side}x{work.side}x{work.channels}, {work.ways}-way, {work.support}+{work.query} "
                f"images, {work.tasks} tasks, {self.steps} step{'s' if self.steps > 1 else ''}")


@dataclass(frozen=True)
class Curve:
    axis: str  # the field of Case that grows
    label: str
    cases: list[Case]


@dataclass(frozen=True)
class Plan:
    cases: list[Case]  # with every rival
    curves: list[Curve] = field(default_factory=list)  # ours and the fastest rivals

    def all_cases(self) -> list[Case]:
        """Each once, the most telling first: a run that is cut short has those."""
        return list(dict.fromkeys([*self.cases, *(case for curve in self.curves for case in curve.cases)]))


CASES = {case.name: case for case in (
    Case("w1", 1), Case("w1", 5), Case("w1q75", 1), Case("w1q75", 5), Case("w2", 1), Case("w2", 5), Case("w3", 1), Case("w3", 5),
    Case("w3s5", 1), Case("w3r", 1), Case("w3r", 5), Case("w1", 1, tasks=2))}
QUICK = ("w1-k1", "w1-k5", "w3-k1")
FULL = ("w1-k1", "w1-k5", "w2-k5", "w3-k1", "w3r-k1", "w1q75-k1")


def curves(quick: bool, threads: int) -> list[Curve]:
    """`threads`: those of the run; fewer are measured, too."""
    fewer = [n for n in (1, 2, 4, 8, 16, 32, 64) if n < threads]
    if quick:
        return [Curve("steps", "inner steps", [Case("w1", k) for k in (1, 5, 10)]),
                Curve("threads", "threads", [*(Case("w1", 1, threads=n) for n in fewer), Case("w1", 1)])]
    return [Curve("steps", "inner steps", [Case("w1", k) for k in (1, 2, 5, 10, 20)]),
            Curve("tasks", "tasks", [*(Case("w1", 1, tasks=t) for t in (1, 4, 16)), Case("w1", 1), Case("w1", 1, tasks=64)]),
            Curve("shots", "images a class", [Case("w1", 1), *(Case("w1", 1, shots=s) for s in (2, 5, 10))]),
            Curve("side", "side of the image", [*(Case("w3", 1, tasks=2, side=s) for s in (28, 56, 112, 224)),
                                               Case("w3", 1, tasks=2, side=500)]),
            Curve("threads", "threads", [*(Case("w1", 1, threads=n) for n in fewer), Case("w1", 1)])]


def point(case: Case, axis: str, threads: int) -> int:
    """Where a case stands on the axis of a curve."""
    work = case.work
    return {"steps": case.steps, "tasks": work.tasks, "shots": work.support // work.ways, "side": work.side,
            "threads": case.threads or threads}[axis]


def flops(case: Case) -> int:
    """Floating-point operations that a second-order meta-step needs: those of its convolutions and its head, a multiply-add as
    two, without recomputation. Per image a gradient takes 3 F - c and a Hessian-vector product 6 F - 4 c on top, F being the
    forward pass and c its first layer, which needs no input gradient.
    """
    work = case.work
    stride = 1 if work.pooled else 2
    layers, fan = [], work.channels
    for width, side in zip(work.filters, work.sides):
        out = (side + stride - 1) // stride
        layers.append(2 * 9 * fan * width * out * out)
        fan = width
    forward, first = sum(layers) + 2 * work.features * work.ways, layers[0]
    gradient, product = 3 * forward - first, 6 * forward - 4 * first
    return work.tasks * (case.steps * work.support * (gradient + product) + work.query * gradient)
