"""Whoever is measured: our engine through `innerloop metagrad`, a rival through its process (rivals/serve.py)."""
import json
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from suite.cases import Case
from suite.verdict import Figures

BENCH = Path(__file__).resolve().parents[1]
OURS = "innerloop"


class Failed(Exception):
    """It gave no answer; the message is one line. `status` is failed, unavailable or slow."""

    def __init__(self, message: str, status: str = "failed"):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Loaded:
    figures: Figures
    first_s: float  # of the first step, with whatever is compiled or allocated in it
    facts: dict  # for the report: framework, version, peak memory, ...


@dataclass(frozen=True)
class Setting:
    device: str
    threads: int
    precision: str


def child_environment(device: str) -> dict:
    environment = {**os.environ, "PYTHONPATH": str(BENCH), "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "2",
                   "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    if device == "cpu":
        environment |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    return environment


def cores_for(threads: int) -> list[int]:
    """The cores that a contestant with so many threads may use: the same for all, since some frameworks take what they see."""
    return sorted(os.sched_getaffinity(0))[:threads]


def start(command: list[str], setting: Setting, **streams) -> subprocess.Popen:
    """In a group of its own, so that Ctrl-C reaches us alone and stop() all that it started."""
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE if streams.pop("errors", False) else subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True, start_new_session=True,
                                   env=child_environment(setting.device), **streams)
    except OSError as error:
        raise Failed(f"{command[0]} cannot be started: {error.strerror}") from error
    os.sched_setaffinity(process.pid, cores_for(setting.threads))
    return process


def stop(process: subprocess.Popen) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


class Engine:
    """Ours. A round is a process: `metagrad --repeat`, whose first step is not timed."""
    name = OURS

    def __init__(self, command: str, folder: Path):
        self.command, self.folder = command, folder
        self.problem: Path | None = None
        self.setting = Setting("cpu", 1, "float32")
        self.step_s = 0.0

    def run(self, repeats: int, limit: float) -> dict:
        call = [self.command, "metagrad", str(self.problem), "--out", str(self.folder / "gradient.safetensors"), "--json",
                "--keep-steps", "--repeat", str(repeats), "--device", self.setting.device, "--threads", str(self.setting.threads)]
        if self.setting.device == "cuda":
            call += ["--conv-math", "tf32" if self.setting.precision == "default" else "tf32x3"]
        process = start(call, self.setting, errors=True)
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"no answer within {limit:.0f} s", "slow") from error
        finally:
            stop(process)
        if process.returncode != 0:
            lines = [line for line in err.splitlines() if line.strip()]
            raise Failed(lines[-1] if lines else f"exit code {process.returncode}")
        return json.loads(out)

    def load(self, case: Case, problem: Path, setting: Setting, limit: float) -> Loaded:
        self.problem, self.setting = problem, setting
        answer = self.run(0, limit)
        self.step_s = answer["first_s"]
        facts = {key: answer[key] for key in ("peak_bytes", "target", "flops", "bytes", "kernel_calls") if key in answer}
        return Loaded(Figures(answer["loss"], answer["grad_norm"]), answer["first_s"], facts)

    def measure(self, repeats: int, seconds: float, limit: float) -> list[float]:
        affordable = int(seconds / self.step_s) if self.step_s > 0 else repeats
        answer = self.run(max(1, min(repeats, affordable)), limit)
        self.step_s = answer["median_s"]
        return answer["samples_s"]

    def close(self) -> None:
        pass


class RivalProcess:
    """A rival, from load() to close() one process, which waits between its turns."""

    def __init__(self, name: str, python: str, serve: list[str] | None = None):
        self.name = name
        self.command = serve or [python, "-m", "rivals.serve", name]
        self.process: subprocess.Popen | None = None

    def ask(self, request: dict, limit: float) -> dict:
        assert self.process is not None and self.process.stdin is not None and self.process.stdout is not None
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
        except OSError:
            pass  # it is gone; reading says so
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(max(limit, 0)):
                raise Failed(f"no answer within {limit:.0f} s", "slow")
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise Failed("ended by signal 9: out of memory, most likely" if code == -9 else f"ended with exit code {code}")
        answer = json.loads(line)
        for status in ("unavailable", "error"):
            if status in answer:
                raise Failed(answer[status], "failed" if status == "error" else status)
        return answer

    def load(self, case: Case, problem: Path, setting: Setting, limit: float) -> Loaded:
        self.process = start(self.command, setting, stdin=subprocess.PIPE)
        answer = self.ask({"do": "load", "problem": str(problem), "device": setting.device, "threads": setting.threads,
                           "precision": setting.precision}, limit)
        facts = {key: answer[key] for key in ("framework", "version", "precision_means", "rss_bytes")}
        return Loaded(Figures(answer["loss"], answer["grad_norm"]), answer["first_s"], facts)

    def measure(self, repeats: int, seconds: float, limit: float) -> list[float]:
        return self.ask({"do": "measure", "repeats": repeats, "seconds": seconds}, limit)["samples_s"]

    def close(self) -> None:
        if self.process is not None:
            stop(self.process)
            self.process = None


class Clock:
    """The whole run's deadline, in seconds from now."""

    def __init__(self, seconds: float):
        self.started = time.monotonic()
        self.end = self.started + seconds

    def left(self) -> float:
        return self.end - time.monotonic()

    def elapsed(self) -> float:
        return time.monotonic() - self.started
