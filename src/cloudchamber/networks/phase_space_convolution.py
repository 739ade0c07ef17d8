"""Convolution in six-dimensional phase space, the long-term plan of the talk, and an autoencoder made of it.

After "Emulating BLOB with Deep Learning" (C. Mancini-Terracciano, BLOB-ML meeting, 10 June 2021, slide 27). Torch has
convolutions of up to three dimensions. A kernel in six that is a sum of M products,

    k(dr, dp) = sum_m a_m(dr) b_m(dp),

is a convolution over momenta to M channels, the same at every place, and one over places, the same at every momentum.
With 3 cells an axis it has 27 (in + out) M weights instead of 729 in out, and any kernel is such a sum if M is large
enough.

Conventions: (event, channel, x, y, z, p_x, p_y, p_z).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cloudchamber.networks.phase_space_vae import FAINT, NARROWEST, WIDEST, drawn

HALVINGS = 2


class PhaseSpaceConvolution(nn.Module):
    """A convolution over places and momenta, kernel 3 on each axis; ``upward`` it is transposed.

    Args:
        before: channels that come in.
        after: channels that go out.
        rank: channels between the two steps, M in the module's docstring.
        stride: on each axis; 2 halves all axes, or doubles them upward.
        upward: whether transposed.
    """

    def __init__(self, before: int, after: int, rank: int, stride: int = 1, *, upward: bool = False) -> None:
        super().__init__()
        self.momenta: nn.Module
        self.places: nn.Module
        if upward:
            more = stride - 1
            self.places = nn.ConvTranspose3d(before, rank, 3, stride, padding=1, output_padding=more, bias=False)
            self.momenta = nn.ConvTranspose3d(rank, after, 3, stride, padding=1, output_padding=more)
        else:
            self.momenta = nn.Conv3d(before, rank, 3, stride, padding=1, bias=False)
            self.places = nn.Conv3d(rank, after, 3, stride, padding=1)
        self.upward = upward

    def forward(self, cells: Tensor) -> Tensor:
        """(event, after, x, y, z, p_x, p_y, p_z).

        Args:
            cells: (event, before, x, y, z, p_x, p_y, p_z).
        """
        if self.upward:
            return over_momenta(self.momenta, over_places(self.places, cells))
        return over_places(self.places, over_momenta(self.momenta, cells))


def over_momenta(step: nn.Module, cells: Tensor) -> Tensor:
    """A module of three dimensions on the momenta, at every place.

    Args:
        step: takes and gives (sample, channel, ., ., .).
        cells: (event, channel, x, y, z, p_x, p_y, p_z).
    """
    events, channels, *axes = cells.shape
    each = cells.permute(0, 2, 3, 4, 1, 5, 6, 7).reshape(-1, channels, *axes[3:])
    made = step(each)
    found: Tensor = made.reshape(events, *axes[:3], *made.shape[1:]).permute(0, 4, 1, 2, 3, 5, 6, 7)
    return found


def over_places(step: nn.Module, cells: Tensor) -> Tensor:
    """A module of three dimensions on the places, at every momentum.

    Args:
        step: takes and gives (sample, channel, ., ., .).
        cells: (event, channel, x, y, z, p_x, p_y, p_z).
    """
    events, channels, *axes = cells.shape
    each = cells.permute(0, 5, 6, 7, 1, 2, 3, 4).reshape(-1, channels, *axes[:3])
    made = step(each)
    found: Tensor = made.reshape(events, *axes[3:], *made.shape[1:]).permute(0, 4, 5, 6, 7, 1, 2, 3)
    return found


class SixDimensionalVAE(nn.Module):
    """A variational autoencoder of test particles in cells of phase space.

    It has the encoder, decoder and Gaussian of ``networks.phase_space_vae`` and no predictor.

    Args:
        cells: on each of the six axes, a multiple of 4.
        latent: dimensions of latent space.
        width: channels after the first convolution, twice as many after the second.
        hidden: width of the dense layers.
    """

    log_mean: Tensor

    def __init__(self, cells: int, latent: int, width: int, hidden: int) -> None:
        super().__init__()
        self.shape, self.latent = (cells,) * 6, latent
        self.register_buffer("log_mean", torch.zeros(self.shape))
        small = (2 * width, *(cells // 2**HALVINGS,) * 6)
        flat = 2 * width * small[1] ** 6
        self.encoder = nn.Sequential(
            PhaseSpaceConvolution(1, width, width, 2), nn.SiLU(),
            PhaseSpaceConvolution(width, 2 * width, 2 * width, 2), nn.SiLU(),
            nn.Flatten(), nn.Linear(flat, hidden), nn.SiLU(),
        )  # fmt: skip
        self.mean, self.log_variance = (nn.Linear(hidden, latent) for _ in range(2))
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, flat), nn.Unflatten(1, small), nn.SiLU(),
            PhaseSpaceConvolution(2 * width, width, 2 * width, 2, upward=True), nn.SiLU(),
            PhaseSpaceConvolution(width, 1, width, 2, upward=True),
        )  # fmt: skip

    def start_from(self, mean: Tensor) -> None:
        """Answer this until something is learned.

        Args:
            mean: cells of the training events, in any unit.
        """
        self.log_mean.copy_((mean / mean.sum()).clamp(min=FAINT).log())

    def encode(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance in latent space, each (event, latent).

        Args:
            cells: (event, x, y, z, p_x, p_y, p_z) in nucleons.
        """
        seen = self.encoder(cells.sqrt()[:, None])
        return self.mean(seen), self.log_variance(seen).clamp(NARROWEST, WIDEST)

    def decode(self, z: Tensor) -> Tensor:
        """Logarithms of the shares of nucleons that the cells have (event, x, y, z, p_x, p_y, p_z).

        Args:
            z: places in latent space (event, latent).
        """
        found: Tensor = (self.decoder(z)[:, 0] + self.log_mean).flatten(1).log_softmax(1)
        return found.reshape(-1, *self.shape)

    def forward(self, cells: Tensor, noise: Tensor) -> Tensor:
        """Logarithms of the shares of a reconstruction (event, x, y, z, p_x, p_y, p_z).

        Args:
            cells: (event, x, y, z, p_x, p_y, p_z) in nucleons.
            noise: standard normal (event, latent).
        """
        mean, log_variance = self.encode(cells)
        return self.decode(drawn(mean, log_variance, noise))


def tiny() -> tuple[SixDimensionalVAE, Callable[[int], tuple[Tensor, ...]]]:
    """A small one for tests of the contract, and inputs for so many events."""

    def inputs(n: int) -> tuple[Tensor, ...]:
        cells = torch.linspace(0, 1, n * 4**6).reshape(n, *(4,) * 6)
        return cells, torch.linspace(-1, 1, 2 * n).reshape(n, 2)

    return SixDimensionalVAE(4, 2, 2, 6), inputs
