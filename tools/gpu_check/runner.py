"""Runs one command under a time limit, and remembers what it said."""
import os
import signal
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Output:
    code: int | None  # None: it ran past its limit, or could not be started
    out: str
    err: str
    seconds: float
    note: str = ""  # why there is no code

    def tail(self, lines: int = 12) -> str:
        return "\n".join((self.out + self.err).strip().splitlines()[-lines:])


def stop(process: subprocess.Popen) -> None:
    """Ends the command and what it started: it leads a process group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(command: list[str], limit: float, environment: dict[str, str]) -> Output:
    started = time.monotonic()
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, errors="replace", start_new_session=True,
                                   env={**os.environ, **environment})
    except OSError as error:
        return Output(None, "", "", 0.0, f"could not be started: {error.strerror}")
    note = ""
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        stop(process)
        out, err = process.communicate()
        note = f"stopped after {limit:.0f} s"
    except BaseException:  # Ctrl-C: nothing may be left running
        stop(process)
        raise
    return Output(None if note else process.returncode, out, err, time.monotonic() - started, note)
