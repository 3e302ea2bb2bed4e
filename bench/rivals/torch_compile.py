"""torch.func under torch.compile. (autograd.grad with create_graph inside a compiled function is not supported by PyTorch.)"""
import torch

from rivals import torch_func, torch_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings


def build(problem: Problem, settings: Settings) -> Rival:
    net = torch_net.place(problem, settings)
    compiled = torch.compile(torch_func.meta_gradient(net))

    def step():
        gradients, loss = compiled(net.weights, *net.episode)
        return loss, gradients

    return torch_net.rival(step, settings)
