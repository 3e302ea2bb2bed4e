"""What lies between two reports: for each case the ratio of the medians of our times, and whether noise explains it.

The rivals are the control: where their versions are the same in both reports, their times should not have moved. If they have,
the machine has.
"""
import statistics
from pathlib import Path

from suite import report, stats
from suite.contestants import OURS


def common_cases(a: dict, b: dict):
    for case in a["cases"]:
        other = report.case_named(b, case["name"])
        if other is not None:
            yield case, other


def verdict(r: stats.Ratio) -> str:
    if not r.enough:
        return f"fewer than {stats.ROUNDS_NEEDED} rounds: no verdict"
    if not r.shows_a_difference:
        return "no difference shown"
    return f"{r.value:.2f}x slower" if r.value > 1 else f"{1 / r.value:.2f}x faster"


def rows(a: dict, b: dict, who: str = OURS) -> list[tuple[str, float, float, stats.Ratio]]:
    """Case, median in a and in b, b over a."""
    found = []
    for one, other in common_cases(a, b):
        mine, theirs = report.measured(one).get(who), report.measured(other).get(who)
        if mine and theirs:
            r = stats.ratio(theirs["samples_s"], mine["samples_s"])
            found.append((one["name"], stats.summary(mine["samples_s"]).median, stats.summary(theirs["samples_s"]).median, r))
    return found


def drift(a: dict, b: dict) -> float | None:
    """The median over rivals of the same version of how their times moved; None without such a rival."""
    moved = []
    for one, other in common_cases(a, b):
        mine, theirs = report.measured(one), report.measured(other)
        for who in sorted((mine.keys() & theirs.keys()) - {OURS}):
            if mine[who]["facts"].get("version") == theirs[who]["facts"].get("version"):
                moved.append(stats.ratio(theirs[who]["samples_s"], mine[who]["samples_s"]).value)
    return statistics.median(moved) if moved else None


def differences(a: dict, b: dict) -> list[str]:
    """What makes two reports hard to compare."""
    found = []
    for key, words in (("cpu", "CPU"), ("cores", "cores"), ("target", "kernels"), ("compiler", "compiler")):
        one, other = a["machine"].get(key), b["machine"].get(key)
        if one != other:
            found.append(f"the {words} differ: {one} and {other}")
    for key in ("threads", "device", "precision"):
        if a.get(key) != b.get(key):
            found.append(f"{key} differs: {a.get(key)} and {b.get(key)}")
    return found


def text(a: dict, b: dict, path_a: Path, path_b: Path) -> str:
    lines = [f"A {path_a}: {a['machine'].get('commit') or 'unknown commit'}, {a['started']}",
             f"B {path_b}: {b['machine'].get('commit') or 'unknown commit'}, {b['started']}"]
    lines += [f"careful: {line}" for line in differences(a, b)]
    moved = drift(a, b)
    if moved is None:
        lines.append("control: no rival was measured in both; what the machine itself did between the two is unknown")
    else:
        lines.append(f"control: rivals of the same version took {moved:.2f}x their time of A in B")
    compared = rows(a, b)
    if not compared:
        return "\n".join([*lines, "no case was measured in both"])
    width = max(len(name) for name, *_ in compared)
    lines += ["", f"{'case':<{width}}  {'A, s':>9}  {'B, s':>9}  {'B/A':>6}  {'95 %':>13}  verdict"]
    for name, one, other, r in compared:
        said = verdict(r)
        if r.shows_a_difference and moved is not None and (r.value - 1) * (moved - 1) > 0 and r.low <= moved <= r.high:
            said += ", as the control"
        lines.append(f"{name:<{width}}  {one:9.4f}  {other:9.4f}  {r.value:6.3f}  {r.low:5.3f} - {r.high:5.3f}  {said}")
    return "\n".join(lines)
