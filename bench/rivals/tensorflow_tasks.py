"""TensorFlow: the same, with a task a thread and no threads within an operation, which wait for each other least."""
from concurrent.futures import ThreadPoolExecutor

from rivals import tensorflow_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings


def build(problem: Problem, settings: Settings) -> Rival:
    return tensorflow_net.rival(problem, settings, 1, settings.threads, ThreadPoolExecutor(settings.threads).map)
