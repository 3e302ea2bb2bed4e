"""Measures one case: everybody computes it once and is compared, then they take turns, round by round.

What another process does to this machine, or a hot CPU, then strikes all alike, and ratios stay.
"""
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from suite.cases import Case
from suite.contestants import OURS, Clock, Failed, Setting
from suite.verdict import Figures, why_wrong


@dataclass(frozen=True)
class Effort:
    rounds: int
    repeats: int  # steps a round at most
    turn_s: float  # seconds of timed steps a round, one step at least
    limit_s: float  # to compile and compute the first step
    budget_s: float  # of one contestant in one case: who has used it up sits out the remaining rounds


@dataclass
class Result:
    who: str
    status: str = "measured"  # or wrong, failed, unavailable, slow
    note: str = ""
    samples_s: list[list[float]] = field(default_factory=list)
    first_s: float | None = None
    loss: float | None = None
    grad_norm: float | None = None
    facts: dict = field(default_factory=dict)

    def failed(self, error: Failed) -> None:
        if self.samples_s:  # what was measured before stands
            self.note = f"stopped after {len(self.samples_s)} rounds: {error}"
        else:
            self.status, self.note = error.status, str(error)


def measure_case(case: Case, problem: Path, contestants: list, setting: Setting, effort: Effort, clock: Clock,
                 results: list[Result], tell: Callable[[str], None]) -> None:
    """Fills `results` as it goes, so that whoever interrupts it has what was measured. The first contestant is ours."""
    results.extend(Result(contestant.name) for contestant in contestants)
    playing = []
    try:
        for contestant, result in zip(contestants, results):
            tell(f"{contestant.name}: first step")
            load(case, problem, contestant, result, results[0], setting, min(effort.limit_s, clock.left()))
            if result.status == "measured":
                playing.append((contestant, result))
            else:
                contestant.close()
            if result.who == OURS and result.status != "measured":
                break  # nothing to compare with
        take_turns(playing, effort, clock, tell)
    finally:
        for contestant in contestants:
            contestant.close()
        for result in results:
            if result.status == "measured" and not result.samples_s:
                result.status, result.note = "slow", result.note or "the run ended before its turn"


def load(case: Case, problem: Path, contestant, result: Result, ours: Result, setting: Setting, limit: float) -> None:
    if limit <= 0:
        result.status, result.note = "slow", "no time was left for it"
        return
    try:
        loaded = contestant.load(case, problem, setting, limit)
    except Failed as error:
        result.failed(error)
        return
    result.first_s, result.facts = loaded.first_s, loaded.facts
    result.loss, result.grad_norm = loaded.figures.loss, loaded.figures.grad_norm
    if result is not ours:
        result.note = why_wrong(Figures(ours.loss, ours.grad_norm), loaded.figures, setting.precision)
        result.status = "wrong" if result.note else "measured"


def take_turns(playing: list, effort: Effort, clock: Clock, tell: Callable[[str], None]) -> None:
    used = {result.who: 0.0 for _, result in playing}
    for turn in range(effort.rounds):
        # Now one begins and now the other, so that no one always follows the same neighbour.
        for contestant, result in playing if turn % 2 == 0 else playing[::-1]:
            expected = used[result.who] / turn if turn else 0.0
            if used[result.who] + expected > effort.budget_s or clock.left() <= expected or result.note:
                continue
            tell(f"{contestant.name}: round {turn + 1} of {effort.rounds}")
            begin = clock.elapsed()
            try:
                limit = max(1.0, min(effort.limit_s, clock.left()))
                result.samples_s.append(contestant.measure(effort.repeats, effort.turn_s, limit))
            except Failed as error:
                result.failed(error)
                contestant.close()  # it may still be computing, and would disturb the others
            used[result.who] += clock.elapsed() - begin
