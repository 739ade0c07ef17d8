"""Learning and using the graph variational autoencoder of collisions.

Four terms, as in the seed talk: reconstruction, Kullback-Leibler divergence, predictor of the impact parameter, and a
penalty on wrong numbers of nucleons in the heavy fragments. Kinds of particles are learned rank by rank, by cross
entropy (``networks.collision_graph_vae``). Momenta within a class are two sets, and their distance is the sliced
Wasserstein distance (Bonneel et al., J. Math. Imaging Vis. 51 (2015) 22): sorted projections, squared differences. One
sort of the particles with their class as leading digit does all classes at once, where Sinkhorn's algorithm would need
tens of passes over all pairs. What the fragments are decoded by, averages and spreads of a class, is added to it.

Every pass sees particles that are drawn anew, half of the events mirrored (y to -y), half with projectile and target
exchanged. A batch holds events of the same number of particles.

New events: of training events of the same nuclei, nearest in energy and impact parameter, one is chosen; a latent
vector is drawn about its mean with its sigma, exp(log_variance / 2), and decoded; then it is rounded to whole nuclei.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cloudchamber.data.collision_particles import (
    CLASSES,
    GAS,
    PER_NUCLEON,
    particles_of,
    simulated_of,
)
from cloudchamber.data.collisions import Collisions, Entrance, Floats, Integers, Simulated, joined, rounded
from cloudchamber.data.files import replacing
from cloudchamber.layers.edge_geometry import GEOMETRY
from cloudchamber.learning.collision_latents import (
    IMPACT,
    SIGNS,
    condition_of,
    decoded_particles,
    encoded,
    exchanged,
    largest,
    reconstructed,
    same_sizes,
    tensors_of,
)
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.training import AveragedTraining, Batch, Kept, train
from cloudchamber.learning.weights import read_weights, ready, restoring, seeded_start
from cloudchamber.networks.collision_graph_vae import (
    KINDS,
    GraphAutoencoder,
    points_of,
    seeds_of,
)
from cloudchamber.schema import BadInput

log = logging.getLogger(__name__)

PROJECTIONS = 8
"""Random directions of the sliced distance a batch."""
RANKS = 4.0
"""Weight of the cross entropy of kinds against the distance of momenta."""
MEAN, SPREAD = 0.1, 0.02
"""Errors of a class's average and spread of momenta that count as large, in units of ``MOMENTUM``."""
DIVERGENCE, PREDICTOR, HEAVY = 2e-3, 1.0, 0.05
"""Weights of the other three terms."""
NEAREST = 8
"""Training events among which one is chosen, each in four symmetric forms."""
NEAR_IMPACT, NEAR_ENERGY = 1.0, 0.1
"""Differences of impact parameter [fm] and of the logarithm of the energy that are equally far."""
TRIES = 50
"""How often an event that cannot be rounded is drawn again."""


STANDARD = TrainingOptions(epochs=40, batch_size=16, learning_rate=3e-3, weight_decay=0.01, averaging=0.98, clip=5.0)
"""Of the training: about 13 s of one core a pass over 2000 events."""


class GraphVAEShape(NamedTuple):
    """Sizes of the network."""

    latent: int = 8
    width: int = 64
    layers: int = 2
    neighbours: int = 8


SIZES = GraphVAEShape()
"""Of the standard network."""


@dataclass(frozen=True)
class Fresh:
    """Batches of one pass: momenta, kinds, condition, impact parameter, seed; particles are drawn when asked for.

    Attributes:
        events: what to learn from.
        rows: of each batch.
        seed: of what is random.
        varied: whether to use the symmetries.
    """

    events: Collisions
    rows: list[Integers]
    seed: tuple[int, ...]
    varied: bool

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Batch]:
        for number, rows in enumerate(self.rows):
            rng = np.random.default_rng((*self.seed, number))
            entrance, simulated = self.events.entrance.ordered(rows), self.events.simulated
            assert simulated is not None
            form = rng.integers(len(SIGNS) if self.varied else 1, size=len(rows))
            particles = particles_of(entrance, simulated.ordered(rows), rng)
            impact = torch.from_numpy((entrance.impact_parameter / IMPACT - 1).astype(np.float32))
            condition = condition_of(exchanged(entrance, form >= 2))
            yield *tensors_of(particles, SIGNS[form]), condition, impact, torch.tensor(rng.integers(2**62))


def momentum_distance(found: Tensor, wanted: Tensor, group: Tensor, directions: Tensor) -> Tensor:
    """Squared sliced Wasserstein distance of momenta within the classes, and of the classes' averages and spreads.

    Args:
        found: (event, particle, 3).
        wanted: (event, particle, 3).
        group: class of each particle, of both (event, particle).
        directions: unit vectors (3, projection).
    """
    digit = 1e3 * group[..., None].to(found.dtype)  # classes apart: far more than any momentum
    one, two = ((values @ directions + digit).sort(dim=1).values for values in (found, wanted))
    sliced = 3 * (one - two).square().mean()
    member = nn.functional.one_hot(group, CLASSES).to(found.dtype)
    count = member.sum(dim=1)
    share = member.transpose(1, 2) / count.clamp(min=1)[..., None]
    weight = count / found.shape[1]

    def spread(values: Tensor, average: Tensor) -> Tensor:
        return ((share @ values.square()).sum(dim=2) - average.square().sum(dim=2)).clamp(min=1e-4).sqrt()

    means = share @ found, share @ wanted
    spreads = spread(found, means[0]) - spread(wanted, means[1])
    # as for Student's t: what is far off at the start does not drown the kinds
    off = torch.log1p((means[0] - means[1]).square().sum(dim=2) / MEAN**2) + torch.log1p((spreads / SPREAD).square())
    return sliced + (weight * off).sum(dim=1).mean()


class GraphVAETraining(AveragedTraining):
    """The way of learning of ``GraphAutoencoder``.

    Args:
        network: what is trained.
        options: settings.
        train_events: to learn from.
        validation: whose reconstruction selects the weights.
        seed: of order, particles and noise.
    """

    def __init__(
        self,
        network: GraphAutoencoder,
        options: TrainingOptions,
        train_events: Collisions,
        validation: Collisions,
        seed: int,
    ) -> None:
        super().__init__(network, options, Kept([(torch.zeros(1),)]), ["reconstruction", *TERMS])
        self.network = network
        self.train_events, self.validation_events, self.seed = train_events, validation, seed
        self._terms: list[Tensor] = []

    def epoch_batches(self, epoch: int) -> Fresh:
        """Every training event once."""
        rng = np.random.default_rng((self.seed, epoch))
        entrance = self.train_events.entrance
        rows = same_sizes(entrance, self.options.batch_size, rng.permutation(len(entrance)))
        return Fresh(self.train_events, [rows[place] for place in rng.permutation(len(rows))], (self.seed, epoch), True)

    def loss(self, batch: Batch) -> Tensor:
        """The sum of the four terms."""
        terms = four_terms(self.network, batch)
        self._terms.append(terms.detach())
        return terms.sum()

    def validation_step(self, batch: Batch, number: int) -> None:
        """Everything is done in ``scores``."""

    def scores(self) -> list[float]:
        """Mean error of the reconstruction over the spread, and the mean terms of the training loss."""
        terms = torch.stack(self._terms).mean(dim=0).tolist()
        self._terms.clear()
        model = self.averaged.module
        assert isinstance(model, GraphAutoencoder)
        rng = np.random.default_rng(self.seed)
        found = largest(reconstructed(model, self.validation_events, rng, str(self.device)))
        assert self.validation_events.simulated is not None
        truth = largest(self.validation_events.simulated)
        spread = np.maximum(truth.std(axis=0), 1e-6)
        return [float((np.abs(found - truth).mean(axis=0) / spread).mean()), *terms]


TERMS = ["kinds_and_momenta", "divergence", "impact_parameter", "heavy"]
"""Of the loss."""


def four_terms(network: GraphAutoencoder, batch: Batch) -> Tensor:
    """Reconstruction, divergence, predictor and penalty of heavy fragments (4,), weighted.

    Args:
        network: to learn.
        batch: as of ``Fresh``.
    """
    momentum, kind, condition, impact, seed = batch
    generator = torch.Generator().manual_seed(int(seed))
    noise = torch.randn(len(kind), network.latent, generator=generator).to(momentum.device)
    normal = torch.randn(*kind.shape, GEOMETRY - 1, generator=generator).to(momentum.device)
    directions = nn.functional.normalize(torch.randn(3, PROJECTIONS, generator=generator), dim=0).to(momentum.device)
    mean, log_variance = network.encode(points_of(momentum, kind), kind, condition)
    z = mean + (log_variance / 2).exp() * noise
    logits, momenta = network.decode(z, condition, seeds_of(normal))
    group = kind // 2
    chosen = momenta.gather(2, group[..., None, None].expand(-1, -1, 1, 3))[:, :, 0]
    kinds = nn.functional.cross_entropy(logits.reshape(-1, KINDS), kind.reshape(-1))
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
    predictor = (network.impact_parameter(mean) - impact).square().mean()
    expected = torch.softmax(logits, dim=2).reshape(*logits.shape[:2], CLASSES, 2).sum(dim=(1, 3))
    nucleons = (expected - nn.functional.one_hot(group, CLASSES).sum(dim=1)) / PER_NUCLEON
    heavy = nucleons[:, :GAS].square().sum(dim=1).mean()
    distance = momentum_distance(chosen, momentum, group, directions)
    return torch.stack([RANKS * kinds + distance, DIVERGENCE * divergence, PREDICTOR * predictor, HEAVY * heavy])


@dataclass(frozen=True)
class Library:
    """Latent vectors of the training events in their four symmetric forms.

    Attributes:
        entrance: conditions (event,).
        mean, log_variance: (event, latent).
    """

    entrance: Entrance
    mean: Tensor
    log_variance: Tensor

    def chosen(self, condition: Entrance, rng: np.random.Generator) -> Integers:
        """One event for every entry: of the same or the most similar nuclei, near in energy and impact parameter.

        Args:
            condition: what is wanted.
            rng: chooses among the nearest.
        """
        own = np.column_stack([self.entrance.projectile, self.entrance.target])
        wanted = np.column_stack([condition.projectile, condition.target])
        found = np.zeros(len(condition), np.int64)
        for nuclei in np.unique(wanted, axis=0):
            away = np.abs(own - nuclei).sum(axis=1)
            of_kind = np.flatnonzero(away == away.min())
            impact, energy = self.entrance.impact_parameter[of_kind], np.log(self.entrance.energy[of_kind])
            number = min(NEAREST * len(SIGNS), len(of_kind))
            for entry in np.flatnonzero((wanted == nuclei).all(axis=1)):
                far = np.abs(impact - condition.impact_parameter[entry]) / NEAR_IMPACT
                far += np.abs(energy - np.log(condition.energy[entry])) / NEAR_ENERGY
                found[entry] = of_kind[np.argpartition(far, number - 1)[:number][rng.integers(number)]]
        return found


@dataclass(eq=False)
class CollisionGraphGenerator:
    """Collisions by the graph variational autoencoder; a ``study.Generator`` of ``Collisions`` for ``Entrance``.

    Args:
        shape: sizes of the network.
        options: of the training.
        seed: of start, order and noise of the training.
        device: "cpu" or "cuda".
    """

    shape: GraphVAEShape = SIZES
    options: TrainingOptions = STANDARD
    seed: int = 0
    device: str = "cpu"
    model: GraphAutoencoder | None = field(init=False, default=None)
    library: Library | None = field(init=False, default=None)

    title = "graph variational autoencoder"
    kind = "network"

    def fit(self, train_events: Collisions, validation: Collisions, directory: Path) -> None:
        """Train, or go on training, and keep where the training events are in the latent space.

        Raises:
            BadInput: events without what they were rounded from.
        """
        if train_events.simulated is None or validation.simulated is None:
            raise BadInput("events of whole nuclei: the graph network learns from real-valued fragments and gas")
        with seeded_start(self.seed):
            model = GraphAutoencoder(*self.shape)
        task = GraphVAETraining(model, self.options, train_events, validation, self.seed)
        train(task, directory, device=self.device, title=self.title)
        self.model = ready(model, self.device)
        rng = np.random.default_rng((self.seed, 1))
        forms = [encoded(self.model, train_events, form, rng, self.device) for form in range(len(SIGNS))]
        entrance = [
            exchanged(train_events.entrance, np.full(len(train_events), form >= 2)) for form in range(len(SIGNS))
        ]
        kept = {
            name: torch.from_numpy(np.concatenate([getattr(one, name) for one in entrance])) for name in CONDITION
        } | {"mean": torch.cat([one[0] for one in forms]), "log_variance": torch.cat([one[1] for one in forms])}
        with replacing(directory / "latent.pt") as temporary:
            torch.save(kept, temporary)
        self.library = _library(kept)

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold such a model.
        """
        with restoring(directory):
            model = GraphAutoencoder(*self.shape)
            model.load_state_dict(read_weights(directory / "weights.pt"))
            self.library = _library(read_weights(directory / "latent.pt"))
        self.model = ready(model, self.device)

    def latents(self, events: Collisions) -> tuple[Floats, Floats, Floats]:
        """Mean and log of the variance (event, latent), and predicted impact parameter (event,) [fm], of events."""
        assert self.model is not None
        mean, log_variance, impact = encoded(self.model, events, 0, np.random.default_rng(self.seed), self.device)
        return mean.double().numpy(), log_variance.double().numpy(), impact.double().numpy()

    def reconstruct(self, events: Collisions, rng: np.random.Generator) -> Simulated:
        """Simulated events through encoder and decoder."""
        assert self.model is not None
        return reconstructed(self.model, events, rng, self.device)

    def decoded(self, condition: Entrance, rng: np.random.Generator) -> Simulated:
        """One event for every entry, before rounding; momentum and energy need not add up."""
        assert self.model is not None
        assert self.library is not None
        chosen = self.library.chosen(condition, rng)
        noise = torch.from_numpy(rng.standard_normal((len(condition), self.model.latent), dtype=np.float32))
        z = self.library.mean[chosen] + (self.library.log_variance[chosen] / 2).exp() * noise
        return simulated_of(decoded_particles(self.model, z, condition, rng, self.device))

    def sample(self, condition: Entrance, rng: np.random.Generator) -> Collisions:
        """One event of whole nuclei for every entry; events that cannot be rounded are drawn again.

        Raises:
            BadInput: events that cannot be rounded after ``TRIES``.
        """
        left, parts, rows = np.arange(len(condition)), [], []
        for _ in range(TRIES):
            wanted = condition.ordered(left)
            # rounding does not ask for the impact parameter, which here tells the events apart
            numbered = replace(wanted, impact_parameter=left.astype(np.float64))
            try:
                events = rounded(numbered, self.decoded(wanted, rng), rng)
            except BadInput:
                continue
            parts.append(events)
            rows.append(events.entrance.impact_parameter.astype(np.int64))
            left = np.setdiff1d(left, rows[-1])
            if not len(left):
                break
        else:
            raise BadInput(f"{len(left)} of {len(condition)} events could not be rounded: train longer")
        events = joined(parts).ordered(np.argsort(np.concatenate(rows)))
        return replace(events, entrance=condition)


CONDITION = ("projectile", "target", "energy", "impact_parameter")


def _library(kept: dict[str, Tensor]) -> Library:
    return Library(Entrance(*(kept[name].numpy() for name in CONDITION)), kept["mean"], kept["log_variance"])
