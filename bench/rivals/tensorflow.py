"""TensorFlow: tf.function of one task's meta-gradient, task after task; the threads share each operation."""
from rivals import tensorflow_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings


def build(problem: Problem, settings: Settings) -> Rival:
    return tensorflow_net.rival(problem, settings, settings.threads, 1, map)
