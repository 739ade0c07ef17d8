"""Settings of trainings, apart from the trainings themselves, so that reading a configuration imports no torch."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from cloudchamber.schema import Config


class TrainingOptions(Config):
    """How a network is trained; see ``learning.training``."""

    epochs: int = Field(
        40, ge=1, le=100_000, description="passes over the training records, each with a fresh augmented copy"
    )
    batch_size: int = Field(16, ge=2, le=65_536, description="records a step")
    learning_rate: float = Field(4e-3, gt=0, le=1, description="highest learning rate of the one-cycle schedule")
    warmup: float = Field(0.2, gt=0, lt=1, description="fraction of the steps in which the learning rate rises")
    weight_decay: float = Field(
        0.05, ge=0, le=10, description="decoupled weight decay (AdamW) of weights, not of biases and norms"
    )
    averaging: float = Field(
        0.98, ge=0, lt=1, description="decay a step of the exponential average of the weights that is used"
    )
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient; longer gradients are shortened to it")

    @classmethod
    def of(cls, config: Config) -> Self:
        """The settings that a study's configuration has by these names; those that it has not keep their defaults."""
        known = cls.model_fields.keys() & type(config).model_fields.keys()
        return cls().changed({name: getattr(config, name) for name in known})


class GANOptions(Config):
    """How a GAN is trained; see ``learning.gan``. In brackets what xju2/gan4hep has."""

    epochs: int = Field(60, ge=1, le=100_000, description="passes over the training events")
    batch_size: int = Field(128, ge=2, le=65_536, description="events a step [500]")
    generator_rate: float = Field(5e-4, gt=0, le=1, description="learning rate of the generator at the start [5e-5]")
    discriminator_rate: float = Field(1e-3, gt=0, le=1, description="and of the discriminator [2e-4]")
    decay: float = Field(0.98, gt=0, le=1, description="factor an epoch on both learning rates [0.98]")
    averaging: float = Field(
        0.999, ge=0, lt=1, description="decay a step of the average of the generator's weights [0]"
    )
    regularisation: float = Field(0.1, ge=0, description="factor gamma of the regulariser of the discriminator [1e-3]")
    every: int = Field(4, ge=1, le=1000, description="the regulariser is taken every so many steps, times that [1]")
    noise: int = Field(8, ge=1, le=4096, description="uniform random numbers a particle [8]")
    width: int = Field(128, ge=2, le=4096, multiple_of=2, description="of all layers of both networks [512]")
    temperature: float = Field(0.5, gt=0, le=10, description="of the Gumbel softmax of kinds")
