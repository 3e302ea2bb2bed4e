"""torch.func recorded once as a CUDA graph and replayed: no launches from Python."""
import torch

from rivals import torch_func, torch_net
from rivals.problem import Problem
from rivals.rival import Rival, Settings, Unavailable

WARM_UPS = 3  # PyTorch's documentation asks for a few runs on a side stream before it records


def build(problem: Problem, settings: Settings) -> Rival:
    if settings.device != "cuda":
        raise Unavailable("a CUDA graph needs --device cuda")
    net = torch_net.place(problem, settings)
    both = torch_func.meta_gradient(net)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            both(net.weights, *net.episode)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        gradients, loss = both(net.weights, *net.episode)

    def step():
        graph.replay()
        return loss, gradients

    return torch_net.rival(step, settings)
