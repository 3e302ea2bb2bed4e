"""JAX: jit of the gradient of a vmap over the tasks."""
import jax

from rivals import jax_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings


def build(problem: Problem, settings: Settings) -> Rival:
    query_loss = jax_net.query_loss_of(problem)

    def meta_loss(params, *episode):
        return jax.vmap(query_loss, in_axes=(None, 0, 0, 0, 0))(params, *episode).mean()

    return jax_net.rival(jax.value_and_grad(meta_loss), problem, settings)
