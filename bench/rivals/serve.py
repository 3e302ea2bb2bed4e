"""One rival in a process of its own, driven by JSON lines.

    python -m rivals.serve torch_eager      (with bench/ on PYTHONPATH; the suite starts these)

Requests come one a line on stdin, each is answered by one line on stdout:
    {"do": "load", "problem": F, "device": "cpu", "threads": 2, "precision": "float32"}
        -> {"framework", "version", "precision_means", "first_s", "loss", "grad_norm", "rss_bytes"}: it has built the rival
           and run one step, whose time holds whatever the framework compiles
    {"do": "measure", "repeats": 5, "seconds": 2}
        -> {"samples_s": [...], "rss_bytes"}: after one step that is not timed, steps until one of the limits; one at least
    {"do": "quit"}  ends the process, as does the end of stdin
A request that fails is answered by {"error": one line}; {"unavailable": one line} says that the rival cannot run here.
What frameworks print goes to stderr.
"""
import ctypes
import importlib
import json
import os
import resource
import sys
import time

from rivals.rival import NAMES, ProblemError, Rival, Settings, Unavailable


def one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def timed(rival: Rival):
    begin = time.perf_counter()
    result = rival.step()
    rival.wait(result)
    return time.perf_counter() - begin, result


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Server:
    def __init__(self, name: str):
        self.name = name
        self.rival: Rival | None = None

    def load(self, problem: str, device: str = "cpu", threads: int = 1, precision: str = "float32") -> dict:
        from rivals.problem import read_problem  # needs numpy; without it, that is the answer

        settings = Settings(device, threads, precision)
        self.rival = importlib.import_module(f"rivals.{self.name}").build(read_problem(problem), settings)
        seconds, result = timed(self.rival)
        loss, norm = self.rival.figures(result)
        return {"framework": self.rival.framework, "version": self.rival.version,
                "precision_means": self.rival.precision_means, "first_s": seconds, "loss": loss, "grad_norm": norm,
                "rss_bytes": peak_bytes()}

    def measure(self, repeats: int, seconds: float) -> dict:
        if self.rival is None:
            raise RuntimeError("measure before load")
        timed(self.rival)
        samples, begin = [], time.perf_counter()
        while not samples or (len(samples) < repeats and time.perf_counter() - begin < seconds):
            samples.append(timed(self.rival)[0])
        give_memory_back()
        return {"samples_s": samples, "rss_bytes": peak_bytes()}

    def answer(self, request: dict) -> dict:
        known = {"load": self.load, "measure": self.measure}
        try:
            do = request.pop("do", None)
            if do not in known:
                return {"error": f"unknown request {do!r}; known: {', '.join(known)}, quit"}
            return known[do](**request)
        except Unavailable as error:
            return {"unavailable": str(error)}
        except ImportError as error:
            return {"unavailable": one_line(error)}
        except ProblemError as error:
            return {"error": str(error)}
        except Exception as error:  # whatever a framework throws is its own answer
            return {"error": one_line(error)}


def give_memory_back() -> None:
    """Rivals wait for their next turn side by side: what malloc keeps for later would add up."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        pass  # another C library; then it stays


def die_first() -> None:
    """Should memory run out, the kernel is to end this process rather than what measures it."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1] not in NAMES:
        print(f"usage: python -m rivals.serve {'|'.join(NAMES)}", file=sys.stderr)
        return 2
    die_first()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # frameworks print; the protocol's stdout is ours alone
    server = Server(sys.argv[1])
    for line in sys.stdin:
        try:
            request = json.loads(line)
            if request.get("do") == "quit":
                return 0
            answer = server.answer(request)
        except (ValueError, AttributeError):
            answer = {"error": f"no JSON object: {line.strip()[:80]!r}"}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
