"""JAX: jit of one task, which a thread a core calls for its share of the tasks. XLA sees ordinary convolutions and no loop."""
from concurrent.futures import ThreadPoolExecutor

import jax

from rivals import jax_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings


def build(problem: Problem, settings: Settings) -> Rival:
    params, *episodes = jax_net.placed(problem, settings)
    tasks = [[part[t] for part in episodes] for t in range(problem.tasks)]
    gradient = jax.jit(jax.value_and_grad(jax_net.query_loss_of(problem)))
    mean = jax.jit(lambda results: jax.tree.map(lambda *parts: sum(parts) / len(parts), *results))
    workers = ThreadPoolExecutor(settings.threads if settings.device == "cpu" else 1)

    def step():
        return mean(list(workers.map(lambda task: gradient(params, *task), tasks)))

    return jax_net.wrapped(step, settings)
