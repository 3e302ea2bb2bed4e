"""JAX: jit of lax.map, one task after another. XLA then sees ordinary convolutions instead of grouped ones."""
import jax

from rivals import jax_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings


def build(problem: Problem, settings: Settings) -> Rival:
    query_loss = jax_net.query_loss_of(problem)

    def mapped(params, *episode):
        both = jax.value_and_grad(query_loss)
        losses, gradients = jax.lax.map(lambda task: both(params, *task), episode)
        return losses.mean(), jax.tree.map(lambda g: g.mean(0), gradients)

    return jax_net.rival(mapped, problem, settings)
