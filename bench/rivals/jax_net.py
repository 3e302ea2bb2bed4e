"""The network and the loss of the problems in JAX, in NHWC, and what its two rivals share."""
import jax
import jax.numpy as jnp
import numpy as np

from rivals.problem import Problem
from rivals.rival import Rival, Settings

LAYOUT = ("NHWC", "HWIO", "NHWC")


def query_loss_of(problem: Problem):
    def forward(params, x):
        for i in range(0, len(params) - 2, 3):
            x = jax.lax.conv_general_dilated(x, params[i], (problem.stride, problem.stride), [(1, 1), (1, 1)],
                                             dimension_numbers=LAYOUT)
            mean = x.mean((0, 1, 2))
            scale = jax.lax.rsqrt(((x - mean) ** 2).mean((0, 1, 2)) + problem.epsilon)
            x = jax.nn.relu((x - mean) * scale * params[i + 1] + params[i + 2])
            if problem.pooled:
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        x = x.reshape(x.shape[0], -1) if problem.flat else x.mean((1, 2))
        return x @ params[-2] + params[-1]

    def loss(params, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(params, x)), y[:, None], 1).mean()

    def query_loss(params, support_x, support_y, query_x, query_y):
        fast = params
        for _ in range(problem.steps):
            slope = jax.grad(loss)(fast, support_x, support_y)
            fast = [p - problem.rate * g for p, g in zip(fast, slope)]
        return loss(fast, query_x, query_y)

    return query_loss


def placed(problem: Problem, settings: Settings) -> list:
    """The parameters and the episodes of all tasks on the device, whose precision is set."""
    jax.config.update("jax_default_matmul_precision", None if settings.precision == "default" else "highest")
    device = jax.devices("cpu" if settings.device == "cpu" else "gpu")[0]
    return jax.device_put([problem.params, problem.support_x, problem.support_y.astype("i4"), problem.query_x,
                           problem.query_y.astype("i4")], device)


def rival(function, problem: Problem, settings: Settings) -> Rival:
    """`function`(params, *episode) returns the loss and the gradients; it is compiled here."""
    arguments = placed(problem, settings)
    compiled = jax.jit(function)
    return wrapped(lambda: compiled(*arguments), settings)


def wrapped(step, settings: Settings) -> Rival:
    """A rival of a `step` that returns the loss and the gradients."""

    def figures(result) -> tuple[float, float]:
        loss, gradients = result
        return float(loss), float(sum((np.asarray(g, "f8") ** 2).sum() for g in gradients)) ** 0.5

    means = "float32" if settings.device == "cpu" else \
        "jax_default_matmul_precision=highest" if settings.precision == "float32" else "TF32 where XLA likes it"
    return Rival("jax", jax.__version__, means, step, jax.block_until_ready, figures)
