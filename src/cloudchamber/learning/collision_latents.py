"""Collisions through the graph autoencoder: events to latent vectors, and latent vectors to events.

Mirror images (y to -y) of an event, and the event with projectile and target exchanged (x to -x, z to -z, at the same
energy per nucleon), are as good as the event itself. Events of the same number of particles go through the network
together. Conventions: as in ``networks.collision_graph_vae``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cloudchamber.data.collision_particles import (
    GAS,
    PER_NUCLEON,
    CollisionParticles,
    numbers_of,
    particles_of,
    simulated_of,
)
from cloudchamber.data.collisions import Collisions, Entrance, Floats, Integers, Simulated
from cloudchamber.layers.edge_geometry import GEOMETRY
from cloudchamber.networks.collision_graph_vae import (
    MOMENTUM,
    GraphAutoencoder,
    drawn_kinds,
    points_of,
    seeds_of,
)

IMPACT = 4.0
"""Unit of the predicted impact parameter [fm], which is counted from there."""
REFERENCE = np.array([62.0, 12.0, 6.0, 12.0, 6.0])
"""Energy per nucleon, A and Z of projectile and target: conditions are relative to these."""
GROUP = 256
"""Events that are encoded or decoded at once."""
SIGNS = np.array([[1, 1, 1], [1, -1, 1], [-1, 1, -1], [-1, -1, -1]], np.float32)
"""What the symmetries do to momenta: none, mirror, exchange of the nuclei, both."""


def condition_of(entrance: Entrance) -> Tensor:
    """What the networks know of conditions (event, 5): energy and nuclei; the impact parameter is in the latent vector.

    Args:
        entrance: the conditions.
    """
    columns = np.column_stack([entrance.energy, entrance.projectile, entrance.target])
    return torch.from_numpy((columns / REFERENCE - 1).astype(np.float32))


def exchanged(entrance: Entrance, which: NDArray[np.bool_]) -> Entrance:
    """Conditions with projectile and target exchanged, at the same energy per nucleon.

    Args:
        entrance: the conditions.
        which: where to do it (event,).
    """
    projectile = np.where(which[:, None], entrance.target, entrance.projectile)
    return replace(
        entrance, projectile=projectile, target=np.where(which[:, None], entrance.projectile, entrance.target)
    )


def same_sizes(entrance: Entrance, size: int, order: Integers) -> list[Integers]:
    """Batches of at most ``size`` events that have the same number of particles.

    Args:
        entrance: the conditions.
        size: events a batch.
        order: rows of the events that are wanted.
    """
    number = numbers_of(entrance)[order]
    found: list[Integers] = []
    for one in np.unique(number):
        rows = order[number == one]
        found += np.array_split(rows, -(-len(rows) // size))
    return found


def tensors_of(particles: CollisionParticles, signs: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Scaled momenta (event, particle, 3) and kinds (event, particle) of events of one size.

    Args:
        particles: the events.
        signs: factors on the momenta (event, 3).
    """
    momentum = torch.from_numpy(particles.momentum * signs[:, None] / np.float32(MOMENTUM))
    return momentum, torch.from_numpy(2 * particles.kind + particles.proton)


def largest(simulated: Simulated) -> Floats:
    """Of events (event, 6): A, momentum, angle and excitation of the largest fragment; number of fragments; gas.

    Args:
        simulated: the events.
    """
    found = np.zeros((len(simulated), 6))
    some = simulated.fragments > 0
    first = simulated.first_fragment[:-1][some]
    momentum = simulated.momentum[first]
    size = np.linalg.norm(momentum, axis=1)
    angle = np.arccos(np.clip(momentum[:, 2] / np.maximum(size, 1e-9), -1, 1))
    found[some, :4] = np.column_stack([simulated.A[first], size, angle, simulated.excitation[first]])
    found[:, 4] = simulated.fragments
    found[:, 5] = simulated.gas / simulated.per_nucleon
    return found


def encoded(
    model: GraphAutoencoder, events: Collisions, form: int, rng: np.random.Generator, device: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, log of the variance (event, latent) and predicted impact parameter (event,) of events.

    Args:
        model: trained.
        events: with ``simulated``.
        form: which of ``SIGNS``.
        rng: draws the particles.
        device: of the model.
    """
    assert events.simulated is not None
    mean, log_variance = (torch.zeros(len(events), model.latent) for _ in range(2))
    impact = torch.zeros(len(events))
    entrance = exchanged(events.entrance, np.full(len(events), form >= 2))
    for rows in same_sizes(events.entrance, GROUP, np.arange(len(events))):
        particles = particles_of(events.entrance.ordered(rows), events.simulated.ordered(rows), rng)
        momentum, kind = tensors_of(particles, np.tile(SIGNS[form], (len(rows), 1)))
        with torch.inference_mode():
            condition = condition_of(entrance.ordered(rows))
            known = points_of(momentum, kind).to(device), kind.to(device), condition.to(device)
            found = model.encode(*known)
            mean[rows], log_variance[rows] = found[0].cpu(), found[1].cpu()
            impact[rows] = IMPACT * (1 + model.impact_parameter(found[0]).cpu())
    return mean, log_variance, impact


def decoded_particles(
    model: GraphAutoencoder, z: Tensor, entrance: Entrance, rng: np.random.Generator, device: str
) -> CollisionParticles:
    """Particles of latent vectors (event, latent) of conditions; as many neutrons and protons as collide.

    Args:
        model: trained.
        z: the latent vectors.
        entrance: the conditions.
        rng: what is random.
        device: of the model.
    """
    number = numbers_of(entrance)
    protons = PER_NUCLEON * (entrance.projectile + entrance.target)[:, 1]
    most = int(number.max(initial=0))
    momentum = np.zeros((len(number), most, 3), np.float32)
    kind = np.full((len(number), most), 2 * GAS)
    for rows in same_sizes(entrance, GROUP, np.arange(len(number))):
        size = int(number[rows[0]])
        normal = torch.from_numpy(rng.standard_normal((len(rows), size, GEOMETRY - 1), dtype=np.float32))
        uniform = torch.from_numpy(rng.random(len(rows), dtype=np.float32))
        condition = condition_of(entrance.ordered(rows))
        with torch.inference_mode():
            known = z[rows].to(device), condition.to(device), seeds_of(normal).to(device)
            logits, momenta = model.decode(*known)
            drawn = with_protons(drawn_kinds(logits, uniform.to(device)), torch.from_numpy(protons[rows]).to(device))
            own = momenta.gather(2, (drawn // 2)[..., None, None].expand(-1, -1, 1, 3))[:, :, 0]
        momentum[rows, :size], kind[rows, :size] = MOMENTUM * own.cpu().numpy(), drawn.cpu().numpy()
    return CollisionParticles(number, momentum, kind // 2, kind % 2 == 1)


def with_protons(kind: Tensor, protons: Tensor) -> Tensor:
    """Kinds (event, particle) with ``protons`` (event,) protons: those too many, or too few, change, gas before others.

    Args:
        kind: in ascending order.
        protons: how many there shall be.
    """
    proton = kind % 2 == 1
    excess = (proton.sum(dim=1) - protons)[:, None]

    def last(which: Tensor, number: Tensor) -> Tensor:
        return which & (which.flip(1).cumsum(dim=1).flip(1) <= number)

    return kind - last(proton, excess).to(kind.dtype) + last(~proton, -excess).to(kind.dtype)


def reconstructed(model: GraphAutoencoder, events: Collisions, rng: np.random.Generator, device: str) -> Simulated:
    """Events through encoder and decoder.

    Args:
        model: trained.
        events: with ``simulated``.
        rng: what is random.
        device: of the model.
    """
    mean, log_variance, _ = encoded(model, events, 0, rng, device)
    noise = torch.from_numpy(rng.standard_normal(tuple(mean.shape), dtype=np.float32))
    z = mean + (log_variance / 2).exp() * noise
    return simulated_of(decoded_particles(model, z, events.entrance, rng, device))
