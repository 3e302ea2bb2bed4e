"""Python environments of the rivals, one a framework: their pins exclude each other, and one that cannot be installed costs no
other. They live in the cache folder, under a name that changes with the pins.
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
FRAMEWORK = {"torch_eager": "torch", "torch_func": "torch", "torch_compile": "torch", "torch_graph": "torch",
             "jax_vmap": "jax", "jax_map": "jax", "jax_tasks": "jax", "tensorflow": "tensorflow",
             "tensorflow_tasks": "tensorflow", "learn2learn": "learn2learn"}


class NoEnvironment(Exception):
    """One line that says why."""


def requirements(framework: str, device: str) -> Path:
    """Some frameworks are other packages for a GPU."""
    special = BENCH / f"requirements-{framework}-{device}.txt"
    return special if special.exists() else BENCH / f"requirements-{framework}.txt"


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "innerloop" / "bench"


def cause(text: str) -> str:
    """The first line of pip's that names an error, without its colours; what follows it tells of the consequences."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in text.splitlines() if line.strip()]
    errors = [line for word in ("fatal error:", "error:") for line in lines
              if word in line.lower() and "subprocess-exited-with-error" not in line]
    return (errors or lines or ["no message"])[0][:200]


def run(command: list[str], limit: float) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise NoEnvironment(f"not installed within {limit:.0f} s") from error
    if done.returncode != 0:
        raise NoEnvironment(cause(done.stdout + done.stderr))


def ensure(framework: str, device: str, tell: Callable[[str], None], cache: Path, limit: float = 1800) -> str:
    """The interpreter of a framework's environment, which is made if it is not there."""
    pins = requirements(framework, device)
    name = f"{pins.stem.removeprefix('requirements-')}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:10]}"
    folder, python = cache / name, cache / name / "bin" / "python"
    if (folder / "complete").exists():
        return str(python)
    tell(f"installing {framework} into {folder}")
    shutil.rmtree(folder, ignore_errors=True)  # a half-made one
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        run([sys.executable, "-m", "venv", str(folder)], limit)
        run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "-r", str(pins)], limit)
    except NoEnvironment:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / "complete").touch()
    return str(python)
