"""Tests of tools/gpu_check that need no GPU: its page from a made-up report, its judges, its plan, and its time limits."""
import json
import math
import struct
import sys
import tempfile
import time
import unittest
from array import array
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from gpu_check import judges, plan, render, runner, tensors  # noqa: E402
from gpu_check.runner import Output  # noqa: E402


def timing(label: str, math_: str, median: float, **more) -> dict:
    figures = {"label": label, "way": "own", "math": math_, "median_s": median, "min_s": median, "first_s": 1.0, "repeat": 9,
               "peak_bytes": 2_000_000_000, "graph_nodes": 321, "loss": 1.5, "grad_norm": 2.5, "tasks": 32}
    return {"part": "timing", "name": label, "commands": ["innerloop metagrad"], "seconds": 2.0, "status": "measured", "note": "",
            "figures": {**figures, **more}}


def rival(precision: str, median: float, **more) -> dict:
    return {"rival": "torch vmap", "framework": "torch", "version": "2", "precision": precision, "precision_means": "what it sets",
            "tasks": 32, "median_s": median, "min_s": median, "repeat": 5, "loss": 1.5, "grad_norm": 2.5, **more}


def check(part: str, name: str, status: str, note: str = "") -> dict:
    return {"part": part, "name": name, "commands": [f"run {name}"], "seconds": 1.25, "status": status, "note": note, "figures": {}}


def report(*steps: dict) -> dict:
    """Made up; no figure in it was measured."""
    return {"schema": 1, "started": "2000-01-01T00:00:00+00:00", "command": [], "parts": list(plan.PARTS), "quick": False,
            "machine": {"doctor": {"version": "0", "gpu": {"name": "Made-up GPU", "driver": "1.2"}}, "cudnn": "9.1.2",
                        "cublas": "13.1.0"},
            "steps": list(steps), "seconds": 60.0, "verdict": "unfinished"}


class Page(unittest.TestCase):
    def test_names_the_machine_the_checks_and_the_commands(self):
        page = render.markdown(report(check("tests", "test_x", "passed", "12 tests"), check("graph", "bytes", "failed", "a|b\nc")))
        for text in ("Made-up GPU", "| driver | 1.2 |", "| cudnn | 9.1.2 |", "| tests | test_x | passed | 12 tests | 1.2 |",
                     "| graph | bytes | failed | a\\|b c | 1.2 |", "run test_x"):
            self.assertIn(text, page)

    def test_holds_a_rival_against_ours_at_its_own_precision_alone(self):
        steps = (timing("W1 K5", "tf32", 0.002), timing("W1 K5", "tf32x3", 0.004),
                 {**check("rivals", "W1 K5", "measured"),
                  "figures": {"label": "W1 K5", "rivals": [rival("default", 0.1), rival("float32", 0.2)]}})
        page = render.markdown(report(*steps))
        self.assertIn("| W1 K5 | own | tf32x3 | 4 | 4 | 1.00 | 9 | 2.00 | 321 | 1.5 | 2.5 |", page)
        self.assertIn("default | 100 | 100 | 5 | 1.5 | 2.5 | tf32: 50x |", page)
        self.assertIn("float32 | 200 | 200 | 5 | 1.5 | 2.5 | tf32x3: 50x |", page)

    def test_says_when_a_rival_computes_something_else(self):
        ours = timing("W1 K5", "tf32x3", 0.004)
        for more, word in (({"loss": 1.6}, "loss differs"), ({"grad_norm": 3.0}, "norm differs"), ({"tasks": 2}, "other tasks"),
                           ({"loss": math.nan}, "loss differs")):
            theirs = rival("float32", 0.2, **more)
            self.assertIn(word, render.against(report(ours), "W1 K5", theirs)[0])
        self.assertNotIn("differs", render.against(report(ours), "W1 K5", rival("float32", 0.2))[0])

    def test_keeps_a_rival_that_failed_and_a_step_that_was_not_measured(self):
        broken = {**rival("default", 0), "error": "OutOfMemoryError: no memory"}
        page = render.markdown(report(
            {**timing("W2 K5", "tf32", 0), "status": "failed", "note": "exit code 1: no"},
            {**check("rivals", "W1 K5", "measured", "stopped after 60 s"), "figures": {"label": "W1 K5", "rivals": [broken]}}))
        self.assertIn("OutOfMemoryError", page)
        self.assertIn("stopped after 60 s", page)
        self.assertIn("| W2 K5 |  |  | failed | exit code 1: no |", page)

    def test_is_the_same_from_a_file(self):
        made = report(check("tests", "x", "passed"))
        self.assertEqual(render.markdown(json.loads(json.dumps(made))), render.markdown(made))


class Verdict(unittest.TestCase):
    def test_one_failed_check_fails(self):
        self.assertTrue(render.verdict(report(check("tests", "a", "passed"))).startswith("passed"))
        for part in ("tests", "check", "metagrad", "graph", "sanitizer", "timing"):
            bad = report(check("tests", "a", "passed"), check(part, "b", "failed"))
            self.assertTrue(render.verdict(bad).startswith("failed"), part)

    def test_a_rival_that_failed_is_not_our_failure(self):
        self.assertTrue(render.verdict(report(check("tests", "a", "passed"), check("rivals", "b", "failed"))).startswith("passed"))

    def test_nothing_checked_is_no_pass(self):
        self.assertTrue(render.verdict(report(check("tests", "a", "skipped"))).startswith("failed"))
        self.assertTrue(render.verdict(report()).startswith("failed"))


class Judges(unittest.TestCase):
    def test_of_a_test_program(self):
        good = Output(0, "[==========] 3 tests from 1 test suite ran.\n[  PASSED  ] 3 tests.\n", "", 1)
        self.assertEqual(judges.test([good]).status, "passed")
        self.assertEqual(judges.test([Output(77, "", "skipped: no GPU\n", 1)]).status, "skipped")
        self.assertEqual(judges.test([Output(0, "[  PASSED  ] 0 tests.\n", "", 1)]).status, "failed")
        self.assertEqual(judges.test([Output(-11, "", "", 1)]).status, "failed")
        self.assertEqual(judges.test([Output(None, "", "", 1, "stopped after 9 s")]).note, "stopped after 9 s")
        killed = Output(None, "[ RUN      ] A.First\n[       OK ] A.First (1 ms)\n[ RUN      ] A.Slow\n", "", 1, "stopped after 9 s")
        self.assertEqual(judges.test([killed]).note, "stopped after 9 s, in A.Slow")
        unlinked = Output(127, "", "error while loading shared libraries: libcublas.so.13: cannot open shared object file\n", 1)
        self.assertEqual(judges.test([unlinked]).status, "skipped")
        bad = judges.test([Output(1, "[==========] 3 tests from 1 test suite ran.\n[  PASSED  ] 2 tests.\n"
                                  "[  FAILED  ] Conv.Is/0, where x\n", "", 1)])
        self.assertEqual((bad.status, bad.figures["failed"]), ("failed", ["Conv.Is/0"]))

    def test_truth_checks_must_include_the_device(self):
        def said(name, passed, device="cuda"):
            return [Output(0, json.dumps({"device": device, "checks": [{"name": name, "pass": passed}]}), "", 1)]
        self.assertEqual(judges.truth_checks(said("w: cuda against portable", True)).status, "passed")
        self.assertEqual(judges.truth_checks(said("w: cuda against portable", False)).status, "failed")
        self.assertEqual(judges.truth_checks(said("w: mixed against reverse", True)).status, "failed")

    def test_of_the_sanitizer(self):
        self.assertEqual(judges.sanitizer([Output(0, "========= ERROR SUMMARY: 0 errors\n", "", 1)]).status, "passed")
        self.assertEqual(judges.sanitizer([Output(0, "", "", 1)]).status, "failed")
        self.assertEqual(judges.sanitizer([Output(9, "========= ERROR SUMMARY: 2 errors\n", "", 1)]).status, "failed")
        self.assertEqual(judges.sanitizer([Output(None, "", "", 35, "stopped after 35 s")]).status, "failed")

    def test_a_measurement_that_failed_costs_no_other(self):
        some = judges.micro([Output(1, '{"copy_tb_s": 1, "failed": "wgmma: no such instruction"}\n', "", 1)])
        self.assertEqual((some.status, some.note, some.figures), ("failed", "wgmma: no such instruction", {"copy_tb_s": 1}))
        self.assertEqual(judges.micro([Output(1, "", "no GPU", 1)]).status, "failed")

    def test_of_a_timing(self):
        said = {"median_s": 0.1, "min_s": 0.1, "first_s": 1, "repeat": 3, "peak_bytes": 5, "graph_nodes": 7, "loss": 1.0,
                "grad_norm": 2.0, "tasks": 4}
        judge = judges.timing("W1", "own", "tf32")
        good = judge([Output(0, json.dumps(said) + "\n", "", 1)])
        self.assertEqual((good.status, good.figures["median_s"], good.figures["math"]), ("measured", 0.1, "tf32"))
        self.assertEqual(judge([Output(1, "", "no", 1)]).status, "failed")
        self.assertEqual(judge([Output(1, "", f"cudnn does not serve it: {judges.NO_LIBRARY}", 1)]).status, "skipped")

    def test_of_rivals_that_were_cut_short(self):
        line = json.dumps(rival("default", 0.1))
        j = judges.rivals("W1")([Output(None, line + "\n", "", 60, "stopped after 60 s")])
        self.assertEqual((j.status, len(j.figures["rivals"]), j.note), ("measured", 1, "stopped after 60 s"))
        self.assertEqual(judges.rivals("W1")([Output(1, "", "no", 1)]).status, "failed")


def write_tensors(path: Path, tensors_: dict[str, list[float]]) -> Path:
    header, data = {}, b""
    for name, values in tensors_.items():
        begin, data = len(data), data + array("d", values).tobytes()
        header[name] = {"dtype": "F64", "shape": [len(values)], "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


class Distances(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def result(self, name: str, gradient: list[float], loss: float = 2.0) -> Path:
        return write_tensors(self.folder / name, {"head.bias": gradient, "query_loss": [loss], "support_loss": [9.0]})

    def test_of_two_results(self):
        a, b = self.result("a", [3.0, 4.0]), self.result("b", [3.0, 4.5], 2.2)
        errors = tensors.compare(tensors.read(b), tensors.read(a))
        self.assertAlmostEqual(errors["gradient_error"], 0.1)
        self.assertAlmostEqual(errors["loss_error"], 0.1)

    def test_bounds_pass_neither_what_is_far_nor_nan_nor_other_tensors(self):
        a = self.result("a", [3.0, 4.0])
        for gradient, status in (([3.0, 4.0], "passed"), ([3.0, 4.5], "failed"), ([3.0, math.nan], "failed")):
            judged = judges.against_cpu(self.result("b", gradient), a, 1e-3, 1e-3)([Output(0, "", "", 1)])
            self.assertEqual(judged.status, status, gradient)
        with self.assertRaises(ValueError):
            tensors.compare(tensors.read(a), tensors.read(write_tensors(self.folder / "c", {"query_loss": [2.0]})))
        with self.assertRaises(ValueError):
            tensors.compare(tensors.read(a), tensors.read(self.result("d", [3.0])))

    def test_bytes(self):
        a, b, c = (self.result(n, g) for n, g in (("a", [1.0]), ("b", [1.0]), ("c", [2.0])))
        done = [Output(0, "", "", 1)]
        self.assertEqual(judges.same_bytes([a, b])(done).status, "passed")
        self.assertEqual(judges.same_bytes([a, c])(done).status, "failed")
        self.assertEqual(judges.same_bytes([a, b])([Output(1, "", "no", 1)]).status, "failed")

    def test_golden_files_hold_their_answers(self):
        for name in plan.GOLDEN:
            problem = tensors.read(ROOT / f"tests/golden/{name}.safetensors")
            answer = tensors.golden_answer(problem)
            self.assertEqual(tensors.compare(answer, answer)["gradient_error"], 0)
            self.assertIn("query_loss", answer)


class Plan(unittest.TestCase):
    def steps(self, quick: bool) -> list[plan.Step]:
        at = plan.Places(ROOT, {name: f"/p/{name}" for name in plan.PROGRAMS}, Path("/w"), "python3", "compute-sanitizer")
        return plan.steps_of(list(plan.PARTS), at, quick)

    def test_has_every_part_and_runs_every_test_program(self):
        steps = self.steps(False)
        self.assertEqual({s.part for s in steps}, set(plan.PARTS))
        programs = {s.commands[0][0] for s in steps if s.part == "tests"}
        self.assertEqual(programs, {f"/p/{name}" for name in (*plan.TESTS, *plan.VENDOR_TESTS)})
        self.assertEqual({s.commands[0][2] for s in steps if s.part == "sanitizer"},
                         {"memcheck", "racecheck", "initcheck", "synccheck"})
        self.assertTrue(all(s.limit <= plan.PARTS[s.part] for s in steps))
        filters = [c for s in steps for c in s.commands[0][1:] if s.part == "tests" and c.startswith("--gtest_filter=")]
        for long in plan.LONG_TESTS.values():  # left out of the first round, and run behind it
            self.assertLess(filters.index(f"--gtest_filter=-{long}"), filters.index(f"--gtest_filter={long}"))
        self.assertEqual(len({(s.part, s.name) for s in steps if s.part != "rivals"}), sum(s.part != "rivals" for s in steps))
        self.assertLess(len(self.steps(True)), len(steps))

    def test_says_the_same_workloads_to_us_and_to_the_rivals(self):
        steps = self.steps(False)
        self.assertEqual({s.name for s in steps if s.part == "rivals"}, set(plan.TIMED))
        files = {part: {(s.name.split(",")[0], tuple(s.problems)) for s in steps if s.part == part} for part in ("timing", "rivals")}
        self.assertEqual(files["timing"], files["rivals"])


class Runner(unittest.TestCase):
    def test_stops_what_runs_too_long_and_what_it_started(self):
        began = time.monotonic()
        out = runner.run(["bash", "-c", "echo said; sleep 60 & wait"], 0.5, {})
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual((out.code, out.out, out.note), (None, "said\n", "stopped after 0 s"))

    def test_says_what_it_could_not_start(self):
        self.assertIn("could not be started", runner.run(["/no/such/program"], 5, {}).note)


class WholeRun(unittest.TestCase):
    """The program itself, with scripts in the place of ours."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)

    def innerloop(self, doctor: dict, holds: bool = True) -> None:
        checks = {"device": "cuda", "checks": [{"name": "w: cuda against portable", "pass": holds}]}
        self.program("innerloop", f"case $1 in\ndoctor) echo '{json.dumps(doctor)}' ;;\ncheck) echo '{json.dumps(checks)}' ;;\n"
                                  "*) exit 1 ;;\nesac\n")

    def run_check(self, *options: str) -> Output:
        return runner.run([sys.executable, "-B", "-m", "gpu_check", "--programs", str(self.folder / "bin"), "--out",
                           str(self.folder / "out"), *options], 120, {"PYTHONPATH": str(ROOT / "tools")})

    def report(self) -> dict:
        return json.loads((self.folder / "out/check.json").read_text())

    def test_passes_and_leaves_only_its_two_files(self):
        self.innerloop({"gpu": {"name": "Made-up GPU"}})
        out = self.run_check("--parts", "check")
        self.assertEqual(out.code, 0, out.err)
        self.assertEqual(self.report()["verdict"], "passed: 1 checks")
        self.assertEqual(sorted(p.name for p in (self.folder / "out").iterdir()), ["check.json", "check.md"])

    def test_one_failed_part_costs_no_other_and_the_exit_code_tells(self):
        self.innerloop({"gpu": {"name": "Made-up GPU"}}, holds=False)
        self.program("gpu_micro", "echo '{\"copy_tb_s\": 1}'\n")
        out = self.run_check("--parts", "check,micro")
        self.assertEqual(out.code, 1, out.err)
        self.assertEqual([s["status"] for s in self.report()["steps"]], ["failed", "measured"])
        self.assertIn("| copy_tb_s | 1 |", (self.folder / "out/check.md").read_text())

    def test_says_why_there_is_no_gpu(self):
        self.innerloop({"gpu": None, "gpu_reason": "device cuda: none was found"})
        out = self.run_check("--parts", "check")
        self.assertEqual(out.code, 1)
        self.assertIn("none was found", out.err)
        self.assertEqual(self.report()["steps"], [])

    def test_a_dry_run_names_every_part_and_does_nothing(self):
        out = self.run_check("--dry-run")
        self.assertEqual(out.code, 0, out.err)
        for part in plan.PARTS:
            self.assertIn(f"# {part}: ", out.out)
        self.assertFalse((self.folder / "out").exists())

    def test_refuses_an_unknown_part(self):
        self.assertEqual(self.run_check("--parts", "tests,nonsense").code, 2)


if __name__ == "__main__":
    unittest.main()
