"""The talk's variational autoencoder of phase-space histograms: convolutions in three dimensions, and a predictor of b.

After "Emulating BLOB with Deep Learning" (C. Mancini-Terracciano, BLOB-ML meeting, 10 June 2021) and Ciardiello et al.,
Phys. Med. 73 (2020). The encoder (Kingma and Welling, arXiv:1312.6114) halves each axis three times and ends in mean
and log variance of a Gaussian in latent space; the decoder mirrors it with transposed convolutions; a predictor of the
impact parameter on the mean, trained with both, orders the latent space (Gomez-Bombarelli et al., arXiv:1610.02415).

Not as in the prototype (GitHub carlomt/BLOBvae): sigma is exp(log variance / 2), not exp(log variance); the answer is a
softmax over all cells, shares of an event's nucleons, so that their number is conserved, and starts from the mean of
the training events.

Conventions: images (event, channel, momentum, theta, distance) in nucleons, as ``data.phase_space_histograms``; fm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

HALVINGS = 3
FAINT = 1e-8
"""Share that a cell at least has in the mean of the training events."""
NARROWEST, WIDEST = -12.0, 6.0
"""Limits of the log variance."""


class VAEShape(NamedTuple):
    """Sizes of the network.

    Attributes:
        latent: dimensions of latent space; the talk has 2.
        width: channels after the first convolution, twice as many after each further one.
        hidden: width of the dense layers.
    """

    latent: int = 8
    width: int = 16
    hidden: int = 128


class HistogramVAE(nn.Module):
    """Encoder, decoder and predictor; ``forward`` reconstructs.

    Args:
        shape: of an image (channel, momentum, theta, distance); all but the first are multiples of 8.
        sizes: of the network.
    """

    log_mean: Tensor

    def __init__(self, shape: Sequence[int], sizes: VAEShape) -> None:
        super().__init__()
        channels, *axes = shape
        if len(axes) != 3 or any(length % 2**HALVINGS for length in axes):
            raise ValueError(f"{tuple(shape)}: need channels and three axes that are multiples of {2**HALVINGS}")
        self.shape, self.latent = tuple(shape), sizes.latent
        self.register_buffer("log_mean", torch.zeros(self.shape))
        widths = [channels, *(sizes.width * 2**n for n in range(HALVINGS))]
        self.small = (widths[-1], *(length // 2**HALVINGS for length in axes))
        flat = math.prod(self.small)
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for before, after in pairwise(widths):
            down += [nn.Conv3d(before, after, 3, stride=2, padding=1), nn.SiLU()]
            up = [nn.SiLU(), nn.ConvTranspose3d(after, before, 3, stride=2, padding=1, output_padding=1), *up]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, sizes.hidden), nn.SiLU())
        self.mean, self.log_variance = (nn.Linear(sizes.hidden, sizes.latent) for _ in range(2))
        self.decoder = nn.Sequential(
            nn.Linear(sizes.latent, sizes.hidden), nn.SiLU(), nn.Linear(sizes.hidden, sizes.hidden), nn.SiLU(),
            nn.Linear(sizes.hidden, flat), nn.Unflatten(1, self.small), *up,
        )  # fmt: skip
        self.predictor = nn.Sequential(nn.Linear(sizes.latent, 32), nn.SiLU(), nn.Linear(32, 1))

    def start_from(self, mean: Tensor) -> None:
        """Answer this until something is learned.

        Args:
            mean: image of the training events, in any unit.
        """
        self.log_mean.copy_((mean / mean.sum()).clamp(min=FAINT).log())

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance in latent space, each (event, latent).

        Args:
            images: (event, channel, momentum, theta, distance) in nucleons.
        """
        # counts of particles vary like their square root, which then varies the same everywhere
        seen = self.encoder(images.sqrt())
        return self.mean(seen), self.log_variance(seen).clamp(NARROWEST, WIDEST)

    def decode(self, z: Tensor) -> Tensor:
        """Logarithms of the shares of nucleons that the cells have (event, channel, momentum, theta, distance).

        Args:
            z: places in latent space (event, latent).
        """
        found: Tensor = (self.decoder(z) + self.log_mean).flatten(1).log_softmax(1)
        return found.reshape(-1, *self.shape)

    def predict(self, mean: Tensor) -> Tensor:
        """Impact parameter (event,) [fm].

        Args:
            mean: places in latent space (event, latent).
        """
        b: Tensor = 4 + 4 * self.predictor(mean)[:, 0]
        return b

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logarithms of shares, mean and log variance in latent space, impact parameter.

        Args:
            images: (event, channel, momentum, theta, distance) in nucleons.
            noise: standard normal (event, latent).
        """
        mean, log_variance = self.encode(images)
        return self.decode(drawn(mean, log_variance, noise)), mean, log_variance, self.predict(mean)


def drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Places in latent space (event, latent).

    Args:
        mean: of the Gaussians.
        log_variance: of the Gaussians.
        noise: standard normal.
    """
    return mean + (0.5 * log_variance).exp() * noise


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the Gaussians from the standard normal one (event,) [nats].

    Args:
        mean: (event, latent).
        log_variance: (event, latent).
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


def deviance(images: Tensor, log_shares: Tensor) -> Tensor:
    """What it costs to expect ``log_shares`` where ``images`` are (event,) [nats of independent nucleons].

    The multinomial negative log likelihood of an event's nucleons, less what no answer can go below.

    Args:
        images: (event, ...) in nucleons.
        log_shares: (event, ...).
    """
    number = images.flatten(1).sum(1)
    shares = images.flatten(1) / number[:, None]
    found: Tensor = number * (torch.special.xlogy(shares, shares) - shares * log_shares.flatten(1)).sum(1)
    return found


def tiny() -> tuple[HistogramVAE, tuple[int, ...]]:
    """A small one for tests, with the shape of one image."""
    return HistogramVAE((3, 16, 8, 8), VAEShape(2, 2, 8)), (3, 16, 8, 8)
