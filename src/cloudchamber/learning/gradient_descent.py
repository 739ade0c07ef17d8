"""Three ways to go downhill: plain gradient descent, momentum, and Adam, each in the few lines that it is.

With the gradient g of the loss at the parameters θ, and the learning rate r:

* gradient descent (Cauchy 1847): θ ← θ − r g;
* momentum (Polyak, doi:10.1016/0041-5553(64)90137-5): v ← 0.9 v + g, θ ← θ − r v;
* Adam (Kingma, Ba, arXiv:1412.6980, algorithm 1): m ← 0.9 m + 0.1 g, v ← 0.999 v + 0.001 g²,
  θ ← θ − r m' / (sqrt(v') + 1e-8), where m' = m / (1 − 0.9^t) and v' = v / (1 − 0.999^t) at step t.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

OptimiserName = Literal["gradient descent", "momentum", "adam"]
OPTIMISERS: tuple[OptimiserName, ...] = get_args(OptimiserName)
MOMENTUM, SECOND, EPSILON = 0.9, 0.999, 1e-8


class Optimiser:
    """Moves parameters in place, step by step.

    Args:
        name: which of the three.
        parameters: (n,), changed by ``step``.
        rate: learning rate, one for all or (n,) one for each parameter.
    """

    def __init__(self, name: OptimiserName, parameters: Tensor, rate: float | Tensor) -> None:
        self.name = name
        self.parameters = parameters
        self.rate = torch.as_tensor(rate, dtype=parameters.dtype)
        self.steps = 0
        self.first = torch.zeros_like(parameters)
        self.second = torch.zeros_like(parameters)

    def step(self, gradient: Tensor) -> None:
        """Go one step downhill.

        Args:
            gradient: (n,), of the loss at the parameters.
        """
        self.steps += 1
        if self.name == "gradient descent":
            self.parameters.addcmul_(self.rate, gradient, value=-1)
        elif self.name == "momentum":
            self.first.mul_(MOMENTUM).add_(gradient)
            self.parameters.addcmul_(self.rate, self.first, value=-1)
        else:
            self.first.lerp_(gradient, 1 - MOMENTUM)
            self.second.mul_(SECOND).addcmul_(gradient, gradient, value=1 - SECOND)
            width = self.second.sqrt().div_((1 - SECOND**self.steps) ** 0.5).add_(EPSILON)
            self.parameters.addcdiv_(self.rate * self.first, width, value=-1 / (1 - MOMENTUM**self.steps))
