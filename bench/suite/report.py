"""bench.json: written after every case, read by `report` and `compare`."""
import dataclasses
import json
import os
from pathlib import Path

from suite.cases import Case
from suite.rounds import Result

SCHEMA = 1


class BadReport(Exception):
    """One line: the file and what is wrong with it."""


def case_entry(case: Case, results: list[Result], flops: int, every_rival: bool) -> dict:
    work = case.work
    return {"name": case.name, "title": case.title, "workload": case.workload, "steps": case.steps, "tasks": work.tasks,
            "shots": work.support // work.ways, "side": work.side, "threads": case.threads, "flops": flops,
            "every_rival": every_rival, "results": [dataclasses.asdict(result) for result in results]}


def write(path: Path, report: dict) -> None:
    """Whole or not at all."""
    beside = path.with_suffix(".partial")
    beside.write_text(json.dumps(report, indent=1, allow_nan=True) + "\n", encoding="utf-8")
    os.replace(beside, path)


def read(path: Path) -> dict:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadReport(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BadReport(f"{path}: no JSON ({error}); name a bench.json of tools/bench.sh") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA or not isinstance(report.get("cases"), list):
        raise BadReport(f"{path}: no bench.json of this version; run tools/bench.sh to make one")
    return report


def measured(case: dict) -> dict[str, dict]:
    """The results of a case that have samples, by name."""
    return {r["who"]: r for r in case["results"] if r["status"] == "measured" and r["samples_s"]}


def case_named(report: dict, name: str) -> dict | None:
    return next((case for case in report["cases"] if case["name"] == name), None)
