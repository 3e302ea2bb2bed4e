"""torch.func: the meta-loss as a function, grad of grad, vmap over the tasks."""
from torch.func import grad, grad_and_value, vmap

from rivals import torch_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings


def meta_gradient(net: torch_net.TorchProblem):
    """(params, *episode) -> (gradients, loss), free of side effects, so that it can be compiled or recorded."""
    problem = net.problem

    def query_loss(params, support_x, support_y, query_x, query_y):
        fast = params
        for _ in range(problem.steps):
            slope = grad(net.loss)(fast, support_x, support_y)
            fast = tuple(p - problem.rate * g for p, g in zip(fast, slope))
        return net.loss(fast, query_x, query_y)

    def meta_loss(params, *episode):
        return vmap(query_loss, in_dims=(None, 0, 0, 0, 0))(params, *episode).mean()

    return grad_and_value(meta_loss)


def build(problem: Problem, settings: Settings) -> Rival:
    net = torch_net.place(problem, settings)
    both = meta_gradient(net)

    def step():
        gradients, loss = both(net.weights, *net.episode)
        return loss, gradients

    return torch_net.rival(step, settings)
