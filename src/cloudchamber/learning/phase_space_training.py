"""How ``networks.phase_space_vae`` learns: the four terms of the talk, and the weights that reconstruct best.

Loss of an event, in nats: multinomial reconstruction of its nucleons among the cells (the talk's cross entropy of
single cells knows no total), Kullback-Leibler divergence of its Gaussian in latent space, squared error of the
predicted impact parameter [fm^2], and the penalty that makes heavy fragments be learned: squared error of the number of
nucleons within 1 fm in each channel, and of their excitation energy. The latter is not in the talk; without it, what
the network leaves open of a fragment's momentum is read as warmth.

Every pass draws the Gaussians of the fragments anew, and exchanges projectile and target in half of the events. Weights
are selected by the mean Wasserstein distance over sigma of the fragments of reconstructed validation events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from torch import Tensor

from cloudchamber.data.collisions import Collisions, Floats, Simulated
from cloudchamber.data.phase_space_histograms import (
    LEAST_NUCLEONS,
    MOMENTUM_CENTRES,
    encode,
    exchanged,
    fragment_histograms,
    gas_histograms,
    read_fragments,
)
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.training import AveragedTraining, Batch, Kept
from cloudchamber.networks.phase_space_vae import HistogramVAE, deviance, divergence
from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS

MOST = 400
"""Validation events that are reconstructed after a pass."""
TOGETHER = 100
"""Of them at a time."""
WARMTH = 4.0
"""MeV, see ``heavy_error``."""


class LossWeights(NamedTuple):
    """Factors on the terms of the loss beside the reconstruction.

    Attributes:
        divergence: below 1, since the 500 particles of a nucleon tell more of an event than one draw of it would.
        predictor: for each fm^2.
        penalty: for each squared nucleon of error, see ``heavy_error``.
    """

    divergence: float = 0.01
    predictor: float = 1.0
    penalty: float = 1.0


def simulated_of(events: Collisions, what: str) -> Simulated:
    """What the events were rounded from.

    Args:
        events: the events.
        what: they are, for the error.

    Raises:
        BadInput: there are no events, or they were made whole.
    """
    if events.simulated is None or not len(events):
        raise BadInput(f"the {what} events have no final states of the simulator: give events of transport records")
    return events.simulated


class Images:
    """One pass over histograms with fresh Gaussians: images, impact parameters, noise.

    Args:
        gas: (event, channel, momentum, theta, distance), without the fragments.
        simulated: the events.
        impact_parameter: (event,).
        latent: dimensions of the noise.
        batch_size: events at once.
        rng: what is random.
    """

    def __init__(
        self, gas: NDArray[np.float32], simulated: Simulated, impact_parameter: Floats, latent: int, batch_size: int,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.gas, self.impact_parameter, self.latent, self.rng = gas, impact_parameter.astype(np.float32), latent, rng
        self.fragments = fragment_histograms(simulated, rng)
        self.turned = rng.random(len(gas)) < 0.5
        self.rows = np.array_split(rng.permutation(len(gas)), max(len(gas) // batch_size, 1))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        for rows in self.rows:
            images = self.gas[rows]
            images[..., 0] += self.fragments[rows]
            turned = self.turned[rows]
            images[turned] = exchanged(images[turned])
            noise = self.rng.standard_normal((len(rows), self.latent), dtype=np.float32)
            yield tuple(torch.from_numpy(one) for one in (images, self.impact_parameter[rows], noise))


class PhaseSpaceTraining(AveragedTraining):
    """The way of learning of ``HistogramVAE``.

    Args:
        network: what is trained; it is given the mean of the training events.
        options: settings.
        weights: of the terms of the loss.
        train: events to learn from.
        validation: events that select the weights.
        seed: of order, Gaussians and noise.

    Raises:
        BadInput: events that are not from the simulator, or none.
    """

    def __init__(
        self, network: HistogramVAE, options: TrainingOptions, weights: LossWeights, train: Collisions,
        validation: Collisions, seed: int,
    ) -> None:  # fmt: skip
        self.simulated = simulated_of(train, "training")
        rng = np.random.default_rng((seed, 21))
        gas = gas_histograms(self.simulated, rng)
        mean = gas.mean(axis=0)
        mean[..., 0] += fragment_histograms(self.simulated, rng).mean(axis=0)
        network.start_from(torch.from_numpy(mean + exchanged(mean[None])[0]))
        chosen = simulated_of(validation, "validation").ordered(np.arange(min(MOST, len(validation))))
        images, b = encode(chosen, rng), validation.entrance.impact_parameter[: len(chosen)].astype(np.float32)
        noise = rng.standard_normal((len(chosen), network.latent), dtype=np.float32)
        whole = [torch.split(torch.from_numpy(one), TOGETHER) for one in (images, b, noise)]
        super().__init__(network, options, Kept(list(zip(*whole, strict=True))), ["w1_over_sigma", "nats", "b_error"])
        self.network, self.weights, self.seed = network, weights, seed
        self.gas, self.impact_parameter = gas, train.entrance.impact_parameter
        self.truth = fragment_columns(images)
        self._made: list[tuple[dict[str, Floats], Tensor, Tensor]] = []

    def epoch_batches(self, epoch: int) -> Images:
        """Every training event once."""
        rng = np.random.default_rng((self.seed, 22, epoch))
        return Images(
            self.gas, self.simulated, self.impact_parameter, self.network.latent, self.options.batch_size, rng
        )

    def loss(self, batch: Batch) -> Tensor:
        """The four terms, a mean over events."""
        images, b, noise = batch
        log_shares, mean, log_variance, predicted = self.network(images, noise)
        total: Tensor = (
            deviance(images, log_shares)
            + self.weights.divergence * divergence(mean, log_variance)
            + self.weights.predictor * (predicted - b).square()
            + self.weights.penalty * heavy_error(images, log_shares)
        )
        return total.mean()

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """Reconstruct a batch with the averaged weights."""
        images, b, noise = batch
        log_shares, _, _, predicted = self.averaged.module(images, noise)
        made = log_shares.exp() * images.sum((1, 2, 3, 4), keepdim=True)
        columns = fragment_columns(made.cpu().numpy())
        self._made.append((columns, deviance(images, log_shares), (predicted - b).square()))

    def scores(self) -> list[float]:
        """Mean W1 over sigma of fragments, nats of the reconstruction, error of the predicted impact parameter."""
        columns, nats, square = zip(*self._made, strict=True)
        self._made = []
        made = {name: np.concatenate([one[name] for one in columns]) for name in self.truth}
        return [mean_distance(self.truth, made), float(torch.cat(nats).mean()), float(torch.cat(square).mean().sqrt())]


def heavy_error(images: Tensor, log_shares: Tensor) -> Tensor:
    """How wrong the fragments are, summed over channels (event,): squared errors of nucleons and excitation energies.

    An error of WARMTH counts as one nucleon.

    Args:
        images: (event, channel, momentum, theta, distance) in nucleons.
        log_shares: the same, logarithms of shares.
    """
    number = images.sum((1, 2, 3, 4))
    true = images[..., 0].sum(3)
    made = log_shares[..., 0].exp().sum(3) * number[:, None, None]
    nucleons = made.sum(2) - true.sum(2)
    # what is as warm as the image, but for as many nucleons as that has
    warmth = true.sum(2) * (_variance(made) - _variance(true)) * 3 / (2 * NUCLEON_MASS)
    return (nucleons.square() + (warmth / WARMTH).square()).sum(1)


def _variance(of_momentum: Tensor) -> Tensor:
    """Of the momentum per nucleon (..., momentum) [(MeV/c)^2]."""
    centres = torch.from_numpy(MOMENTUM_CENTRES).to(of_momentum)
    share = of_momentum / of_momentum.sum(-1, keepdim=True).clamp(min=1e-6)
    return (share * (centres - (share @ centres)[..., None]).square()).sum(-1)


def fragment_columns(histograms: NDArray[np.float32]) -> dict[str, Floats]:
    """What is compared of the fragments in histograms, one number an event; nan where a channel has none.

    Args:
        histograms: (event, channel, momentum, theta, distance) in nucleons.
    """
    reading = read_fragments(histograms)
    there = reading.A >= LEAST_NUCLEONS
    found = {"fragments": there.sum(axis=1).astype(np.float64)}
    for channel in range(there.shape[1]):
        found[f"A{channel}"] = reading.A[:, channel]
        for name in ("momentum", "theta", "excitation") if channel < 2 else ():
            found[f"{name}{channel}"] = np.where(there[:, channel], getattr(reading, name)[:, channel], np.nan)
    return found


def mean_distance(truth: dict[str, Floats], made: dict[str, Floats]) -> float:
    """Mean over columns of the Wasserstein distance over the true spread; columns that do not vary are left out.

    Args:
        truth: columns (event,), nan: no number.
        made: the same columns.
    """
    distances = []
    for name, values in truth.items():
        one, other = values[np.isfinite(values)], made[name][np.isfinite(made[name])]
        if len(one) and one.std() > 0:
            # a network that makes no such fragment at all is as bad as one that is wide of the mark
            distances.append(wasserstein_distance(one, other) / one.std() if len(other) else 1.0)
    return float(np.mean(distances)) if distances else 0.0
