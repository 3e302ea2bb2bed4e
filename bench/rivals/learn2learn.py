"""learn2learn's MAML wrapper, task after task, as its examples use it."""
import importlib.metadata

import torch

from rivals import torch_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings


class Net(torch.nn.Module):
    """The network of torch_net with its parameters held as a module, which is what learn2learn clones."""

    def __init__(self, net: torch_net.TorchProblem):
        super().__init__()
        self.net = net
        self.weights = torch.nn.ParameterList([torch.nn.Parameter(w.clone()) for w in net.weights])

    def forward(self, x):
        return self.net.forward([self.weights[i] for i in range(len(self.weights))], x)


def build(problem: Problem, settings: Settings) -> Rival:
    from learn2learn.algorithms import MAML  # not at the top: this file has the library's own name

    net = torch_net.place(problem, settings)
    maml = MAML(Net(net).to(settings.device), lr=problem.rate, first_order=False)
    cross_entropy = torch.nn.functional.cross_entropy

    def step():
        maml.zero_grad(set_to_none=True)
        total = torch.zeros((), device=settings.device)
        for index in range(problem.tasks):
            support_x, support_y, query_x, query_y = net.task(index)
            learner = maml.clone()
            for _ in range(problem.steps):
                learner.adapt(cross_entropy(learner(support_x), support_y))
            loss = cross_entropy(learner(query_x), query_y) / problem.tasks
            loss.backward()
            total += loss.detach()
        return total, [p.grad for p in maml.parameters()]

    return torch_net.rival(step, settings, "learn2learn", importlib.metadata.version("learn2learn"))
