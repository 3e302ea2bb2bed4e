"""Tests of bench/: the suite's arithmetic, its rounds with made-up contestants, its pages, and its script. Standard Python alone.

    python3 tests/tools/bench_suite_test.py [PROGRAM]    PROGRAM: an innerloop to run the smallest workload with
"""
import json
import math
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import make_problem  # noqa: E402
from suite import cases, charts, compare, environments, figures, markdown, page, report, rounds, stats, verdict  # noqa: E402
from suite.contestants import Clock, Failed, Loaded, RivalProcess, Setting  # noqa: E402
from suite.verdict import Figures  # noqa: E402

SETTING = Setting("cpu", 1, "float32")
EFFORT = rounds.Effort(rounds=3, repeats=2, turn_s=1, limit_s=5, budget_s=1000)
PROGRAM = None


def noise(median: float, count: int = 5, each: int = 4, seed: int = 1) -> stats.Rounds:
    rng = random.Random(seed)
    return [[median * rng.uniform(0.97, 1.03) for _ in range(each)] for _ in range(count)]


def result(who: str, samples, **more) -> dict:
    return {"who": who, "status": "measured", "note": "", "samples_s": samples, "first_s": 1.0, "loss": 1.5, "grad_norm": 0.5,
            "facts": {"peak_bytes": 5e6, "flops": 4e9, "bytes": 1e8} if who == "innerloop" else
            {"framework": who.split("_")[0], "version": "9", "rss_bytes": 7e8}, **more}


def bench(*case_list: dict, **more) -> dict:
    """Made up; no figure in it was measured."""
    return {"schema": report.SCHEMA, "started": "2000-01-01T00:00:00+00:00", "command": ["--built-here", "--out", "x", "--quick"], "quick": True,
            "device": "cpu", "threads": 2, "precision": "float32", "finished": True, "seconds": 9.0, "notes": [],
            "machine": {"cpu": "Made-up CPU", "cores": 2, "target": "avx2", "commit": "abc", "innerloop": "0", "load_before": 0.1},
            "unavailable": {}, "roofline": None, "cases": list(case_list), "curves": [], **more}


def case_of(name: str, *results: dict, steps: int = 1) -> dict:
    return {"name": name, "title": f"Title of {name}", "workload": "w1", "steps": steps, "tasks": 32, "shots": 1, "side": 28,
            "threads": None, "flops": 4_000_000_000, "every_rival": True, "results": list(results)}


class Statistics(unittest.TestCase):
    def test_a_summary_holds_the_quartiles(self):
        s = stats.summary([[1, 2, 3], [4, 5]])
        self.assertEqual((s.median, s.low, s.high, s.least, s.count), (3, 2, 4, 1, 5))

    def test_a_ratio_of_noise_shows_no_difference_and_one_of_a_change_does(self):
        self.assertFalse(stats.ratio(noise(1.0, seed=1), noise(1.0, seed=2)).shows_a_difference)
        changed = stats.ratio(noise(1.2, seed=1), noise(1.0, seed=2))
        self.assertTrue(changed.shows_a_difference)
        self.assertTrue(changed.low <= 1.2 <= changed.high and changed.low > 1.1)

    def test_rounds_that_differ_more_than_their_samples_widen_the_interval(self):
        steady = stats.ratio(noise(1.0), [[1.0] * 4] * 5)
        drifting = stats.ratio([[x * f for x in r] for r, f in zip(noise(1.0), (0.8, 0.9, 1.0, 1.1, 1.2))], [[1.0] * 4] * 5)
        self.assertGreater(drifting.high - drifting.low, 3 * (steady.high - steady.low))

    def test_few_rounds_give_no_verdict_and_the_same_samples_the_same_interval(self):
        few = stats.ratio([[2.0, 2.0]], [[1.0, 1.0]])
        self.assertFalse(few.enough or few.shows_a_difference)
        self.assertEqual(stats.ratio(noise(2), noise(1)), stats.ratio(noise(2), noise(1)))


class Verdict(unittest.TestCase):
    def test_agrees_within_the_precision_alone(self):
        ours = Figures(1.0, 2.0)
        self.assertEqual(verdict.why_wrong(ours, Figures(1.00001, 2.0001), "float32"), "")
        self.assertIn("loss", verdict.why_wrong(ours, Figures(1.001, 2.0), "float32"))
        self.assertIn("gradient norm", verdict.why_wrong(ours, Figures(1.0, 2.1), "float32"))
        self.assertEqual(verdict.why_wrong(ours, Figures(1.001, 2.1), "default"), "")
        self.assertIn("loss", verdict.why_wrong(ours, Figures(math.nan, 2.0), "float32"))


class Compare(unittest.TestCase):
    def text(self, a: dict, b: dict) -> str:
        return compare.text(a, b, Path("a.json"), Path("b.json"))

    def test_names_the_faster_and_says_when_nothing_is_shown(self):
        a = bench(case_of("one", result("innerloop", noise(2.0, seed=1))), case_of("two", result("innerloop", noise(1.0, seed=2))))
        b = bench(case_of("one", result("innerloop", noise(1.0, seed=3))), case_of("two", result("innerloop", noise(1.0, seed=4))))
        text = self.text(a, b)
        self.assertRegex(text, r"one .* (1\.9\d|2\.0\d)x faster")
        self.assertRegex(text, r"two .* no difference shown")
        self.assertIn("no rival was measured in both", text)

    def test_says_when_the_control_moved_as_much(self):
        def at(factor: float, seed: int) -> dict:
            return bench(case_of("one", result("innerloop", noise(factor, seed=seed)), result("tensorflow", noise(3 * factor, seed=9))))
        text = self.text(at(1.0, 1), at(1.3, 2))
        self.assertIn("took 1.30x", text)
        self.assertIn("slower, as the control", text)

    def test_warns_of_another_machine_and_leaves_out_what_one_lacks(self):
        a, b = bench(case_of("one", result("innerloop", noise(1)))), bench(case_of("two", result("innerloop", noise(1))))
        b["machine"]["cpu"] = "Another"
        text = self.text(a, b)
        self.assertIn("the CPU differ", text)
        self.assertIn("no case was measured in both", text)


class Arithmetic(unittest.TestCase):
    def test_counts_the_convolutions_of_w1(self):
        layers = [2 * 9 * i * 64 * side * side for i, side in ((1, 28), (64, 14), (64, 7), (64, 3))]
        forward = sum(layers) + 2 * 64 * 5
        expected = 32 * (5 * 5 * (9 * forward - 5 * layers[0]) + 5 * (3 * forward - layers[0]))
        self.assertEqual(cases.flops(cases.Case("w1", 5)), expected)

    def test_names_and_files_are_unique_and_threads_share_tensors(self):
        plan = cases.Plan([cases.CASES[name] for name in cases.FULL], cases.curves(False, 8))
        every = plan.all_cases()
        self.assertEqual(len({c.name for c in every}), len(every))
        self.assertEqual(cases.Case("w1", 1, threads=1).file, cases.Case("w1", 1).file)
        self.assertEqual([cases.point(c, "threads", 8) for c in plan.curves[-1].cases], [1, 2, 4, 8])
        for curve in plan.curves:
            points = [cases.point(c, curve.axis, 8) for c in curve.cases]
            self.assertEqual(points, sorted(set(points)), curve.axis)

    def test_a_problem_without_numpy_is_whole(self):
        work = make_problem.changed(make_problem.WORKLOADS["w1"], tasks=2, shots=3)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "p"
            tensors = make_problem.make_tensors(work, make_problem.PlainDraws(0))
            make_problem.write_safetensors(str(path), tensors, {"config": make_problem.config_text(work, 4)})
            data = path.read_bytes()
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8:8 + length])
        self.assertIn("steps = 4", header["__metadata__"]["config"])
        self.assertEqual(header["support_x"]["shape"], [2, 15, 28, 28, 1])
        self.assertEqual(max(e["data_offsets"][1] for n, e in header.items() if n != "__metadata__"), len(data) - 8 - length)


class MadeUp:
    """A contestant that says what it was told to say."""

    def __init__(self, name: str, log: list, loss: float = 1.0, fails_at: int = -1):
        self.name, self.log, self.loss, self.fails_at, self.turns = name, log, loss, fails_at, 0

    def load(self, case, problem, setting, limit):
        if self.fails_at == 0:
            raise Failed("it broke")
        return Loaded(Figures(self.loss, 1.0), 0.1, {})

    def measure(self, repeats, seconds, limit):
        self.turns += 1
        self.log.append(self.name)
        if self.turns == self.fails_at:
            raise Failed("it broke later")
        return [0.5] * repeats

    def close(self):
        self.log.append(f"{self.name} closed")


class Rounds(unittest.TestCase):
    def play(self, *contestants, seconds: float = 100.0) -> list[rounds.Result]:
        results: list[rounds.Result] = []
        rounds.measure_case(cases.Case("w1", 1), Path("none"), list(contestants), SETTING, EFFORT, Clock(seconds), results,
                            lambda text: None)
        return results

    def test_they_take_turns_in_alternating_order(self):
        log: list[str] = []
        results = self.play(MadeUp("innerloop", log), MadeUp("b", log))
        self.assertEqual(log[:6], ["innerloop", "b", "b", "innerloop", "innerloop", "b"])
        self.assertEqual([len(r.samples_s) for r in results], [3, 3])

    def test_who_computed_something_else_is_wrong_and_not_timed(self):
        log: list[str] = []
        wrong = self.play(MadeUp("innerloop", log), MadeUp("b", log, loss=1.1))[1]
        self.assertEqual((wrong.status, wrong.samples_s), ("wrong", []))
        self.assertNotIn("b", log)

    def test_a_failure_costs_no_other_and_what_was_measured_stands(self):
        log: list[str] = []
        ours, early, late = self.play(MadeUp("innerloop", log), MadeUp("b", log, fails_at=0), MadeUp("c", log, fails_at=2))
        self.assertEqual((early.status, early.note), ("failed", "it broke"))
        self.assertEqual((late.status, len(late.samples_s)), ("measured", 1))
        self.assertIn("stopped after 1 rounds", late.note)
        self.assertEqual(len(ours.samples_s), 3)
        # Who failed is ended at once, lest it disturb the others; then all are.
        self.assertEqual(log.count("b closed") + log.count("c closed"), 4)
        self.assertLess(log.index("c closed"), len(log) - 1 - log[::-1].index("innerloop"))

    def test_an_interruption_keeps_what_was_measured_and_closes_all(self):
        class Interrupted(MadeUp):
            def measure(self, repeats, seconds, limit):
                raise KeyboardInterrupt
        log: list[str] = []
        results: list[rounds.Result] = []
        with self.assertRaises(KeyboardInterrupt):
            rounds.measure_case(cases.Case("w1", 1), Path("none"), [MadeUp("innerloop", log), Interrupted("b", log)], SETTING,
                                EFFORT, Clock(100), results, lambda text: None)
        self.assertEqual(results[0].samples_s, [[0.5, 0.5]])
        self.assertIn("b closed", log)
        self.assertEqual((results[1].status, results[1].note), ("slow", "the run ended before its turn"))

    def test_no_time_left_is_said(self):
        self.assertEqual({r.status for r in self.play(MadeUp("innerloop", []), seconds=0)}, {"slow"})


SERVER = """
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "load":
        what = request["problem"]
        if what == "sleep": time.sleep(60)
        if what == "die": os._exit(3)
        answer = {"unavailable": "no such thing"} if what == "absent" else {"error": "bad"} if what == "bad" else {
            "framework": "f", "version": "1", "precision_means": "float32", "rss_bytes": 1, "first_s": 1, "loss": 2, "grad_norm": 3}
    else:
        answer = {"samples_s": [0.25] * request["repeats"]}
    print(json.dumps(answer), flush=True)
"""


class Protocol(unittest.TestCase):
    def setUp(self):
        self.rival = RivalProcess("x", sys.executable, [sys.executable, "-c", SERVER])
        self.addCleanup(lambda: self.rival.close())

    def load(self, problem: str, limit: float = 20):
        return self.rival.load(cases.Case("w1", 1), problem, SETTING, limit)

    def test_loads_and_measures(self):
        self.assertEqual(self.load("fine").figures, Figures(2, 3))
        self.assertEqual(self.rival.measure(3, 1, 20), [0.25] * 3)

    def test_says_how_it_failed(self):
        for problem, status, words in (("absent", "unavailable", "no such thing"), ("bad", "failed", "bad"),
                                       ("die", "failed", "exit code 3")):
            with self.assertRaises(Failed) as raised:
                self.load(problem)
            self.assertEqual((raised.exception.status, words in str(raised.exception)), (status, True))
            self.rival.close()

    def test_a_time_limit_ends_it(self):
        with self.assertRaises(Failed) as raised:
            self.load("sleep", 0.2)
        self.assertEqual(raised.exception.status, "slow")
        process = self.rival.process
        self.rival.close()
        self.assertEqual(process.returncode, -9)

    def test_the_real_server_answers_what_it_does_not_know(self):
        done = subprocess.run([sys.executable, "-B", "-m", "rivals.serve", "torch_eager"], cwd=ROOT / "bench", text=True,
                              input='{"do":"sing"}\nnoise\n{"do":"measure","repeats":1,"seconds":1}\n{"do":"quit"}\n',
                              capture_output=True, timeout=60)
        answers = [json.loads(line)["error"] for line in done.stdout.splitlines()]
        self.assertEqual(done.returncode, 0)
        for answer, words in zip(answers, ("unknown request 'sing'", "no JSON object", "measure before load"), strict=True):
            self.assertIn(words, answer)


class Pages(unittest.TestCase):
    def made_up(self) -> dict:
        ours, rival = result("innerloop", noise(0.5)), result("torch_eager", noise(2.0))
        wrong = result("jax_map", [], status="wrong", note="loss 2 where ours is 1 <")
        made = bench(case_of("w1-k1", ours, rival, wrong), case_of("w1-k5", result("innerloop", noise(2)), steps=5))
        made["curves"] = [{"axis": "steps", "label": "inner steps", "cases": ["w1-k1", "w1-k5", "missing"]}]
        made["roofline"] = {"flops_per_s": 2e11, "memory_bytes_per_s": 2e10, "cache_bytes_per_s": 1e11, "cache_bytes": 1000}
        return made

    def test_charts_are_well_formed_and_follow_the_scheme(self):
        drawn = figures.charts_of(self.made_up())
        self.assertEqual(set(drawn), {"ratio_w1-k1", "curve_steps", "roofline"})
        for chart in drawn.values():
            ElementTree.fromstring(chart)
            self.assertIn("prefers-color-scheme: dark", chart)

    def test_tables_say_the_ratio_and_who_is_wrong(self):
        text = markdown.page(self.made_up(), {}, "charts")
        self.assertRegex(text, r"\| torch_eager \| (1.99|2.0)\d* \| .* \| (3\.9|4\.0)\d \(")
        self.assertIn("| 8.0 (4 %) |", text)
        self.assertIn("wrong: loss 2 where ours is 1 <", text)
        self.assertIn("| command | tools/bench.sh --quick |", text)

    def test_few_rounds_show_no_interval(self):
        few = case_of("w1-k1", result("innerloop", noise(1)), result("tensorflow", [[2.0]]))
        text = markdown.page(bench(few), {}, ".")
        self.assertRegex(text, r"\| tensorflow \| 2 \| n = 1 \| \d\.\d\d \(too few rounds\) \|")

    def test_the_page_needs_nothing_else_and_escapes(self):
        html = page.html({**self.made_up(), "finished": False})
        self.assertNotIn("http", html.replace('xmlns="http://www.w3.org/2000/svg"', ""))
        self.assertIn("ours is 1 &lt;", html)
        self.assertIn("stopped before its end", html)

    def test_a_run_of_ours_alone_is_shown_too(self):
        alone = bench(case_of("w1-k1", result("innerloop", noise(1))))
        self.assertEqual(figures.charts_of(alone), {})
        self.assertIn("| innerloop | 0.99", markdown.page(alone, {}, "."))

    def test_ticks_lie_within_the_axis(self):
        for low, high in ((1, 20), (0.003, 40), (28, 500)):
            self.assertTrue(all(low * 0.99 <= t <= high * 1.01 for t in charts.ticks(low, high)))
            self.assertGreater(len(charts.ticks(low, high)), 1)


class Environments(unittest.TestCase):
    def test_every_rival_has_pinned_requirements(self):
        for framework in set(environments.FRAMEWORK.values()):
            for device in ("cpu", "cuda"):
                pins = environments.requirements(framework, device).read_text().splitlines()
                pins = [line for line in pins if line and not line.startswith("#")]
                self.assertTrue(pins and all("==" in line for line in pins), framework)

    def test_one_that_cannot_be_made_says_why_and_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            def broken(command, limit):
                raise environments.NoEnvironment("no network")
            real, environments.run = environments.run, broken
            try:
                with self.assertRaisesRegex(environments.NoEnvironment, "no network"):
                    environments.ensure("jax", "cpu", lambda text: None, Path(folder))
            finally:
                environments.run = real
            self.assertEqual(list(Path(folder).iterdir()), [])


class Script(unittest.TestCase):
    def call(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([str(ROOT / "tools/bench.sh"), *arguments], capture_output=True, text=True, timeout=120)

    def test_help_teaches_every_option_workload_and_rival(self):
        done = self.call("--help")
        self.assertEqual(done.returncode, 0)
        from rivals.rival import NAMES
        for word in [*NAMES, *(n for n in cases.CASES if n != "w1-k1-t2"), "--quick", "--minutes", "compare", "report", "Ctrl-C"]:
            self.assertIn(word, done.stdout)

    def test_what_cannot_be_meant_is_refused_before_anything_is_built(self):
        for arguments in (["--nope"], ["--rivals", "x"], ["--workloads", "w9"], ["--minutes", "0"], ["--threads", "0"],
                          ["--python", "torch=/no/such"], ["compare", "a"], ["frob"]):
            done = self.call(*arguments)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
            self.assertIn("--help", done.stderr)

    def test_compare_and_report_read_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.json"
            report.write(path, bench(case_of("w1-k1", result("innerloop", noise(1)), result("tensorflow", noise(2)))))
            self.assertIn("no difference shown", self.call("compare", str(path), str(path)).stdout)
            charts_folder = Path(folder) / "svg"
            done = self.call("report", str(path), "--markdown", str(Path(folder) / "a.md"), "--charts", str(charts_folder))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("svg/ratio_w1-k1.svg", (Path(folder) / "a.md").read_text())
            self.assertTrue((charts_folder / "ratio_w1-k1.svg").exists())
            path.write_text("{}")
            done = self.call("compare", str(path), str(path))
            self.assertEqual(done.returncode, 1)
            self.assertIn("no bench.json", done.stderr)

    def test_measures_ours_alone(self):
        if PROGRAM is None:
            self.skipTest("no program was named")
        with tempfile.TemporaryDirectory() as folder:
            done = self.call("--innerloop", PROGRAM, "--quick", "--no-curves", "--rivals", "none", "--workloads", "w1-k1-t2", "--out",
                             folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            made = report.read(Path(folder) / "bench.json")
            ours = made["cases"][0]["results"][0]
            self.assertEqual((ours["status"], len(ours["samples_s"])), ("measured", 3))
            self.assertGreater(ours["facts"]["flops"], 0.8 * cases.flops(cases.Case("w1", 1, tasks=2)))
            self.assertGreater(made["roofline"]["flops_per_s"], 1e9)
            self.assertIn("<table>", (Path(folder) / "bench.html").read_text())


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        PROGRAM = sys.argv.pop(1)
    unittest.main()
