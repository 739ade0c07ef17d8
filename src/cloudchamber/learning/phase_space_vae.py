"""The talk's variational autoencoder as a generator of collisions: fit, restore, sample.

See ``data.phase_space_histograms`` for what the network sees and ``networks.phase_space_vae`` for the network. An event
is generated as in the talk from the place in latent space of an event: for a condition one of the NEIGHBOURS training
events next to it is drawn, a place from its Gaussian, the histogram there, fragments and gas from it, and whole nuclei
and nucleons from those (``data.collisions.rounded``). So the network needs no condition of its own, and says nothing of
nuclei that it has not seen. Where the neighbour had another energy, momenta are stretched like the square root of it.
Azimuths are turned to that of the neighbour's first fragment: the side to which nuclei scatter, which histograms lack.

Every training event serves twice, the second time with projectile and target exchanged.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cloudchamber.data.collisions import Collisions, Entrance, Floats, Integers, Simulated, joined, rounded
from cloudchamber.data.files import replacing
from cloudchamber.data.phase_space_histograms import SHAPE, azimuth_of, decode, encode, exchanged
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.weights import read_weights, ready, restoring, seeded_start
from cloudchamber.networks.phase_space_vae import HistogramVAE, VAEShape, drawn
from cloudchamber.schema import BadInput

log = logging.getLogger(__name__)

NEIGHBOURS = 8
"""Training events among which one is drawn."""
ENERGY_SCALE, IMPACT_SCALE, NUCLEUS_SCALE = 3.0, 0.25, 0.02
"""What counts as a distance of one: MeV per nucleon, fm, and nucleons or protons of a nucleus."""
TOGETHER = 64
"""Events that go through the network at once."""
TRIES = 20
"""How often an event without a solution of the rounding is drawn again."""
DONORS = "donors.pt"
SIZES = VAEShape()
OPTIONS = TrainingOptions(epochs=40, batch_size=16, learning_rate=3e-3, weight_decay=0.01)
"""For 2000 events about five minutes of processor time, by the 3.8 ms an event and pass that 408 events took."""


@dataclass(frozen=True)
class Donors:
    """Training events as generation needs them, each followed by its exchanged copy.

    Attributes:
        entrance: conditions (event,).
        azimuth: of the first fragment (event,).
        mean, log_variance: in latent space (event, latent).
    """

    entrance: Entrance
    azimuth: Floats
    mean: Tensor
    log_variance: Tensor


@dataclass(eq=False)
class PhaseSpaceVAE:
    """Collisions by the talk's network; a ``study.Generator`` of ``Collisions`` for an ``Entrance``.

    Its directory holds ``weights.pt``, ``history.csv`` and ``donors.pt``.

    Args:
        seed: of start, order and noise of the training.
        sizes: of the network.
        options: of the training.
        loss: factors (divergence, predictor, penalty) on the terms of the loss beside the reconstruction, see
            ``learning.phase_space_training.LossWeights``.
        gas_particles: drawn from a histogram for each nucleon of the gas.
        device: "cpu" or "cuda".
    """

    seed: int
    sizes: VAEShape = SIZES
    options: TrainingOptions = OPTIONS
    loss: tuple[float, float, float] = (0.01, 1.0, 1.0)
    gas_particles: int = 50
    device: str = "cpu"
    network: HistogramVAE | None = field(init=False, default=None)
    donors: Donors | None = field(init=False, default=None)

    title = "variational autoencoder of histograms"
    kind = "network"

    def fit(self, train: Collisions, validation: Collisions, directory: Path) -> None:
        """Train, or go on training.

        Raises:
            BadInput: events that are not from the simulator, or none.
        """
        # Lightning takes seconds to import and is not needed to sample
        from cloudchamber.learning.phase_space_training import LossWeights, PhaseSpaceTraining, simulated_of
        from cloudchamber.learning.training import train as run_training

        directory.mkdir(parents=True, exist_ok=True)
        with seeded_start(self.seed):
            network = HistogramVAE(SHAPE, self.sizes)
        task = PhaseSpaceTraining(network, self.options, LossWeights(*self.loss), train, validation, self.seed)
        run_training(task, directory, device=self.device, title=self.title)
        self.network = ready(network, self.device)
        self.donors = self._donors_of(train.entrance, simulated_of(train, "training"))
        with replacing(directory / DONORS) as temporary:
            torch.save(_tensors(self.donors), temporary)

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold such a network.
        """
        with restoring(directory):
            network = HistogramVAE(SHAPE, self.sizes)
            network.load_state_dict(read_weights(directory / "weights.pt"))
            self.donors = _donors(read_weights(directory / DONORS), self.sizes.latent)
        self.network = ready(network, self.device)

    def sample(self, condition: Entrance, rng: np.random.Generator) -> Collisions:
        """One event for every entry of ``condition``; one that cannot be made whole is drawn again.

        Raises:
            BadInput: an event that could not be made whole in TRIES draws.
        """
        left, parts, rows = np.arange(len(condition)), [], []
        for _ in range(TRIES):
            made = self.decoded(condition.ordered(left), rng)
            # rounding does not look at the impact parameter: in its place, it carries which events come through
            marked = dataclasses.replace(condition.ordered(left), impact_parameter=left.astype(np.float64))
            try:
                whole = rounded(marked, made, rng)
            except BadInput:  # none came through
                continue
            parts.append(whole)
            rows.append(whole.entrance.impact_parameter.astype(np.int64))
            left = np.setdiff1d(left, rows[-1])
            if not len(left):
                found = joined(parts).ordered(np.argsort(np.concatenate(rows)))
                return dataclasses.replace(found, entrance=condition)
        raise BadInput(
            f"{len(left)} of {len(condition)} events could not be made whole in {TRIES} draws: their energy is too low"
            " for what the network learned, train it with such events"
        )

    def decoded(self, condition: Entrance, rng: np.random.Generator) -> Simulated:
        """Real-valued fragments and gas of one event for every entry of ``condition``: what the network says."""
        assert self.donors is not None, "fit or restore first"
        donors = self.donors
        chosen = neighbours(condition, donors.entrance, rng)
        noise = torch.from_numpy(rng.standard_normal((len(condition), self.sizes.latent), dtype=np.float32))
        z = drawn(donors.mean[chosen], donors.log_variance[chosen], noise)
        made = self._events(z, condition, rng, donors.azimuth[chosen])
        stretch = np.sqrt(condition.energy / donors.entrance.energy[chosen])
        of_fragment, of_particle = np.repeat(stretch, made.fragments), np.repeat(stretch, made.gas)
        return dataclasses.replace(
            made,
            momentum=made.momentum * of_fragment[:, None],
            gas_momentum=made.gas_momentum * of_particle[:, None].astype(np.float32),
        )

    def latents(self, events: Collisions) -> tuple[Floats, Floats, Floats]:
        """Mean and log variance in latent space (event, latent) and predicted impact parameter (event,) [fm].

        Raises:
            BadInput: events that are not from the simulator.
        """
        assert self.network is not None, "fit or restore first"
        mean, log_variance = self._encoded(_simulated(events), turned=False)
        with torch.inference_mode():
            b = self.network.predict(mean.to(self.device)).cpu()
        return mean.double().numpy(), log_variance.double().numpy(), b.double().numpy()

    def reconstruct(self, events: Collisions, rng: np.random.Generator) -> Simulated:
        """What the decoder makes of the places (means) of events in latent space.

        Args:
            events: from the simulator.
            rng: what is random in the decoding.

        Raises:
            BadInput: events that are not from the simulator.
        """
        simulated = _simulated(events)
        mean, _ = self._encoded(simulated, turned=False)
        return self._events(mean, events.entrance, rng, azimuth_of(simulated))

    def _events(self, z: Tensor, entrance: Entrance, rng: np.random.Generator, azimuth: Floats) -> Simulated:
        """Decode places in latent space, some at a time: an event's histogram is 150 kB."""
        assert self.network is not None, "fit or restore first"
        nucleons = (entrance.projectile + entrance.target)[:, 0].astype(np.float32)
        parts = []
        for first in range(0, len(z), TOGETHER):
            rows = np.arange(first, min(first + TOGETHER, len(z)))
            with torch.inference_mode():
                shares = self.network.decode(z[rows].to(self.device)).exp().cpu().numpy()
            histograms = shares * nucleons[rows, None, None, None, None]
            parts.append(decode(histograms, entrance.ordered(rows), rng, azimuth[rows], self.gas_particles))
        columns = [f.name for f in dataclasses.fields(Simulated) if f.name != "per_nucleon"]
        return Simulated(
            **{name: np.concatenate([getattr(one, name) for one in parts]) for name in columns},
            per_nucleon=self.gas_particles,
        )

    def _encoded(self, simulated: Simulated, *, turned: bool) -> tuple[Tensor, Tensor]:
        """Mean and log variance of events, or of events with projectile and target exchanged."""
        assert self.network is not None
        rng, parts = np.random.default_rng((self.seed, 23)), []
        for first in range(0, len(simulated), TOGETHER):
            images = encode(simulated.ordered(np.arange(first, min(first + TOGETHER, len(simulated)))), rng)
            seen = torch.from_numpy(np.ascontiguousarray(exchanged(images) if turned else images))
            with torch.inference_mode():
                parts.append(tuple(one.cpu() for one in self.network.encode(seen.to(self.device))))
        mean, log_variance = zip(*parts, strict=True)
        return torch.cat(mean), torch.cat(log_variance)

    def _donors_of(self, entrance: Entrance, simulated: Simulated) -> Donors:
        straight, turned = (self._encoded(simulated, turned=turned) for turned in (False, True))
        azimuth = azimuth_of(simulated)
        # x -> -x, and the fragment in the first channel is now the other one, on the other side
        both = Entrance(
            np.concatenate([entrance.projectile, entrance.target]),
            np.concatenate([entrance.target, entrance.projectile]),
            np.tile(entrance.energy, 2), np.tile(entrance.impact_parameter, 2),
        )  # fmt: skip
        return Donors(
            both, np.concatenate([azimuth, -azimuth]), torch.cat([straight[0], turned[0]]),
            torch.cat([straight[1], turned[1]]),
        )  # fmt: skip


def neighbours(condition: Entrance, known: Entrance, rng: np.random.Generator) -> Integers:
    """For each condition, one of the NEIGHBOURS events next to it (event,).

    Args:
        condition: what is asked.
        known: conditions of the events among which to choose.
        rng: of the choice.
    """
    there, few = _coordinates(known), min(NEIGHBOURS, len(known))
    chosen = np.zeros(len(condition), np.int64)
    pick = rng.integers(few, size=len(condition))
    for row, place in enumerate(_coordinates(condition)):
        square = ((there - place) ** 2).sum(axis=1)
        chosen[row] = np.argpartition(square, few - 1)[:few][pick[row]]
    return chosen


def _coordinates(entrance: Entrance) -> Floats:
    """Conditions in units of what counts as a distance of one (event, 6)."""
    return np.column_stack([
        entrance.projectile / NUCLEUS_SCALE, entrance.target / NUCLEUS_SCALE, entrance.energy / ENERGY_SCALE,
        entrance.impact_parameter / IMPACT_SCALE,
    ])  # fmt: skip


def _simulated(events: Collisions) -> Simulated:
    if events.simulated is None:
        raise BadInput("the events have no final states of the simulator: give events of transport records")
    return events.simulated


def _tensors(donors: Donors) -> dict[str, Tensor]:
    plain: dict[str, NDArray[np.number]] = {name: getattr(donors.entrance, name) for name in _CONDITIONS}
    return {name: torch.from_numpy(values) for name, values in plain.items()} | {
        "azimuth": torch.from_numpy(donors.azimuth), "mean": donors.mean, "log_variance": donors.log_variance,
    }  # fmt: skip


def _donors(tensors: dict[str, Tensor], latent: int) -> Donors:
    if tensors["mean"].shape != tensors["log_variance"].shape or tensors["mean"].shape[1] != latent:
        raise ValueError(f"latent space of {DONORS} has other dimensions than {latent}")
    entrance = Entrance(*(tensors[name].numpy() for name in _CONDITIONS))
    return Donors(entrance, tensors["azimuth"].numpy(), tensors["mean"], tensors["log_variance"])


_CONDITIONS = ("projectile", "target", "energy", "impact_parameter")
