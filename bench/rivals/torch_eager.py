"""PyTorch as most MAML code is written: task after task, autograd.grad(create_graph=True) in the inner loop."""
import torch

from rivals import torch_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings


def build(problem: Problem, settings: Settings) -> Rival:
    net = torch_net.place(problem, settings)
    leaves = [w.requires_grad_() for w in net.weights]

    def step():
        total, sums = torch.zeros((), device=settings.device), [torch.zeros_like(w) for w in leaves]
        for index in range(problem.tasks):
            support_x, support_y, query_x, query_y = net.task(index)
            fast = leaves
            for _ in range(problem.steps):
                slope = torch.autograd.grad(net.loss(fast, support_x, support_y), fast, create_graph=True)
                fast = [p - problem.rate * g for p, g in zip(fast, slope)]
            loss = net.loss(fast, query_x, query_y)
            for sum_, g in zip(sums, torch.autograd.grad(loss, leaves)):
                sum_ += g / problem.tasks
            total += loss.detach() / problem.tasks
        return total, sums

    return torch_net.rival(step, settings)
