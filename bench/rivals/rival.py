"""What a rival is: one meta-step of one framework, ready to be repeated, and a way to read its result.

A rival's file has `build(problem, settings) -> Rival`. Nothing of a framework is imported before that call.
"""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Settings:
    device: str = "cpu"  # cpu or cuda
    threads: int = 1  # on the CPU
    precision: str = "float32"  # float32 throughout, or default: what the framework does when nobody asks


@dataclass
class Rival:
    framework: str
    version: str
    precision_means: str  # what the precision set, in words
    step: Callable[[], Any]  # one meta-step; what it returns may not be computed yet
    wait: Callable[[Any], None]  # until the result of a step is there
    figures: Callable[[Any], tuple[float, float]]  # mean query loss, Euclidean norm of the meta-gradient


class Unavailable(Exception):
    """This rival cannot run here; the message says why, in one line."""


class ProblemError(Exception):
    """One line: the file, what is wrong with it, and the remedy."""


NAMES = {  # file name: what it is
    "torch_eager": "PyTorch, eager, task after task",
    "torch_func": "PyTorch, torch.func: grad under vmap over the tasks",
    "torch_compile": "PyTorch, the same under torch.compile (Inductor)",
    "torch_graph": "PyTorch, the same as one CUDA graph (GPU only)",
    "jax_vmap": "JAX, jit of vmap over the tasks",
    "jax_map": "JAX, jit of lax.map: task after task, no grouped convolutions",
    "jax_tasks": "JAX, jit of a task, a task a thread",
    "tensorflow": "TensorFlow, tf.function of a task, task after task",
    "tensorflow_tasks": "TensorFlow, the same, a task a thread",
    "learn2learn": "learn2learn's MAML on PyTorch",
}
