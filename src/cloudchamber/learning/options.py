"""Settings of a training, apart from the training itself, so that reading a configuration imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cloudchamber.schema import Config

Progress = Literal["bar", "lines", "none"]
"""How a training shows that it gets on: a bar in a terminal, lines in the log, or not at all."""


class TrainingOptions(Config):
    """How a network is trained; see ``learning.supervised``."""

    epochs: int = Field(
        40, ge=1, le=100_000, description="passes over the training records, each with a fresh augmented copy"
    )
    batch_size: int = Field(16, ge=2, le=65_536, description="records a step")
    learning_rate: float = Field(4e-3, gt=0, le=1, description="highest learning rate of the one-cycle schedule")
    warmup: float = Field(0.2, gt=0, lt=1, description="fraction of the steps in which the learning rate rises")
    weight_decay: float = Field(
        0.05, ge=0, le=10, description="decoupled weight decay (AdamW) of weights, not of biases and norms"
    )
    beta: float = Field(
        0.5, ge=0, le=1, description="of the beta-NLL loss: 0 is the likelihood, 1 weighs like the squared error"
    )
    averaging: float = Field(
        0.98, ge=0, lt=1, description="decay a step of the exponential average of the weights that is used"
    )
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient; longer gradients are shortened to it")
