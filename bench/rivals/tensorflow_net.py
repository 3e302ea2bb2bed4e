"""What the TensorFlow rivals share: tf.function of one task's meta-gradient, and the mean over the tasks."""
from collections.abc import Callable, Iterable

import numpy as np

from rivals.problem import Problem
from rivals.rival import Rival, Settings, Unavailable


def rival(problem: Problem, settings: Settings, threads_in_op: int, workers: int,
          each: Callable[[Callable, Iterable], Iterable]) -> Rival:
    """`each`(function, workers) calls the function, which does a worker's share of the tasks, for every worker."""
    import tensorflow as tf  # not at the top: a file beside this one has the library's own name

    tf.config.threading.set_intra_op_parallelism_threads(threads_in_op)
    tf.config.threading.set_inter_op_parallelism_threads(settings.threads)
    tf.config.experimental.enable_tensor_float_32_execution(settings.precision == "default")
    if settings.device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif not tf.config.list_physical_devices("GPU"):
        raise Unavailable("this TensorFlow sees no GPU")
    weights = [tf.Variable(p) for p in problem.params]
    tasks = [tuple(tf.constant(part[t]) for part in (problem.support_x, problem.support_y, problem.query_x, problem.query_y))
             for t in range(problem.tasks)]

    def forward(params, x):
        for i in range(0, len(params) - 2, 3):
            padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
            x = tf.nn.conv2d(padded, params[i], problem.stride, "VALID")
            mean, variance = tf.nn.moments(x, [0, 1, 2])
            x = tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, params[i + 2], params[i + 1], problem.epsilon))
            x = tf.nn.max_pool2d(x, 2, 2, "VALID") if problem.pooled else x
        x = tf.reshape(x, [x.shape[0], -1]) if problem.flat else tf.reduce_mean(x, [1, 2])
        return x @ params[-2] + params[-1]

    def loss_of(params, x, y):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, forward(params, x)))

    def task_gradient(support_x, support_y, query_x, query_y):
        with tf.GradientTape() as outer:
            fast = [tf.identity(w) for w in weights]
            for _ in range(problem.steps):
                with tf.GradientTape() as inner:
                    inner.watch(fast)
                    loss = loss_of(fast, support_x, support_y)
                fast = [p - problem.rate * g for p, g in zip(fast, inner.gradient(loss, fast))]
            query = loss_of(fast, query_x, query_y)
        return query, outer.gradient(query, weights)

    def named(worker: int):
        @tf.function
        def function(*task):
            with tf.name_scope(f"worker{worker}"):  # the optimizer's temporary variables are one a name, whoever runs
                return task_gradient(*task)
        return function

    functions = [named(worker) for worker in range(workers)]

    @tf.function
    def mean(losses, gradients):
        return tf.add_n(losses) / len(losses), [tf.add_n(g) / len(losses) for g in gradients]

    def step():
        shares = each(lambda worker: [functions[worker](*task) for task in tasks[worker::workers]], range(workers))
        losses, gradients = zip(*(result for share in shares for result in share))
        return mean(list(losses), [list(g) for g in zip(*gradients)])

    def wait(result) -> None:
        for part in (result[0], *result[1]):
            part.numpy()

    def figures(result) -> tuple[float, float]:
        loss, gradients = result
        return float(loss), float(sum((g.numpy().astype(np.float64) ** 2).sum() for g in gradients)) ** 0.5

    means = "TF32 where TensorFlow likes it" if (settings.device, settings.precision) == ("cuda", "default") else "float32"
    return Rival("tensorflow", tf.__version__, means, step, wait, figures)
