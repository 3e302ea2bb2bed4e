"""The network of the problems in PyTorch, as a function of a flat list of parameters, and what its rivals share."""
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from rivals.problem import Problem
from rivals.rival import Rival, Settings


@dataclass
class TorchProblem:
    weights: tuple[torch.Tensor, ...]
    episode: tuple[torch.Tensor, ...]  # support_x [T,S,C,H,W], support_y, query_x, query_y
    problem: Problem

    def forward(self, params, x):
        problem = self.problem
        for i in range(0, len(params) - 2, 3):
            x = F.conv2d(x, params[i], stride=problem.stride, padding=1)
            x = F.relu(F.batch_norm(x, None, None, params[i + 1], params[i + 2], True, 0.1, problem.epsilon))
            x = F.max_pool2d(x, 2) if problem.pooled else x
        x = x.permute(0, 2, 3, 1).flatten(1) if problem.flat else x.mean((2, 3))  # features in our order, H W C
        return x @ params[-2] + params[-1]

    def loss(self, params, x, y):
        return F.cross_entropy(self.forward(params, x), y)

    def task(self, index: int) -> list[torch.Tensor]:
        return [part[index] for part in self.episode]


def place(problem: Problem, settings: Settings) -> TorchProblem:
    """Tensors in PyTorch's own layout, NCHW, and the settings that hold for the whole process."""
    torch.set_num_threads(settings.threads)
    torch.backends.cudnn.allow_tf32 = settings.precision == "default"
    torch.backends.cuda.matmul.allow_tf32 = False  # PyTorch's default, too
    torch.backends.cudnn.benchmark = True  # it may look for its best convolution during the warm-up

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.tensor(np.ascontiguousarray(array), device=settings.device)

    weights = tuple(put(p.transpose(3, 2, 0, 1) if p.ndim == 4 else p) for p in problem.params)
    episode = (put(problem.support_x.transpose(0, 1, 4, 2, 3)), put(problem.support_y),
               put(problem.query_x.transpose(0, 1, 4, 2, 3)), put(problem.query_y))
    return TorchProblem(weights, episode, problem)


def rival(step, settings: Settings, framework: str = "torch", version: str = torch.__version__) -> Rival:
    """`step` returns the loss and the gradients."""
    def wait(_) -> None:
        if settings.device == "cuda":
            torch.cuda.synchronize()

    def figures(result) -> tuple[float, float]:
        loss, gradients = result
        return float(loss), float(sum((g.detach().double() ** 2).sum() for g in gradients)) ** 0.5

    means = "float32" if settings.device == "cpu" or settings.precision == "float32" else \
        "convolutions in TF32, products in float32"
    return Rival(framework, version, means, step, wait, figures)
