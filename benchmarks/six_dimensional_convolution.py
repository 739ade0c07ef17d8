"""Convolution in six-dimensional phase space against the three-dimensional one of the talk, on the same events.

    python benchmarks/six_dimensional_convolution.py EVENTS.h5 -o FILE.json [--seconds 300] [--seed 1]

EVENTS.h5 is a file of ``cloudchamber sim transport``, of at least 50 events; a fifth is held out. An event is one cloud
of particles for both: 500 for each nucleon of a fragment, at its centre, with the momenta of
``data.phase_space_histograms``, and the gas as it is. The one network sees (channel, abs(p), theta, r) in the cells of
that module; the other (x, y, z, p_x, p_y, p_z) in 8 cells an axis, whose edges share out the particles of the training
events evenly. Both are variational autoencoders of about as many parameters and learn for as much processor time, one
thread, by the multinomial likelihood and 0.01 of the Kullback-Leibler divergence.

Likeness, on held-out events reconstructed from the mean in latent space: W1 over sigma of abs(p), theta and distance r
to the nearest of the three largest fragments; "pooled" of all particles together, "events" the mean over events; and of
the number of nucleons within 5 fm of those fragments, with its root mean square error. "cells_alone" is what is left
when the network is perfect: the true cells, filled evenly (in six dimensions as densely as each axis is on average).
Memory: input and outputs of all layers in a forward pass.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from torch import nn

from cloudchamber.data.collisions import Collisions, Floats, collisions_of
from cloudchamber.data.files import write_text
from cloudchamber.data.phase_space_histograms import (
    DISTANCE_EDGES,
    MOMENTUM_EDGES,
    SHAPE,
    THETA_EDGES,
    channels_of,
    encode,
    width,
)
from cloudchamber.networks.phase_space_convolution import PhaseSpaceConvolution, SixDimensionalVAE
from cloudchamber.networks.phase_space_vae import HistogramVAE, VAEShape, deviance, divergence, drawn
from cloudchamber.schema import BadInput
from cloudchamber.sim.de_excitation import read_transport

CELLS = 8
"""Of the six axes."""
HIDDEN = 256
"""Width that makes the parameters of the six-dimensional network about as many."""
BATCH = 16
FINE = 32
"""Parts of a cell on an axis, for drawing within it."""
DRAWN = 100
"""Particles that are drawn from cells for a nucleon."""
NEAR = 5.0
"""fm"""
DIVERGENCE = 0.01
RATE = 2e-3
FEWEST = 50

Spectra = tuple[Floats, Floats, Floats]
"""abs(p) [MeV/c], theta and r [fm] of particles."""


@dataclass
class Side:
    """One of the two networks with its cells.

    Attributes:
        network: has ``encode`` and ``decode``.
        images: nucleons in the cells of events (event, ...).
        particles: (image, row, rng) to abs(p), theta, r of particles drawn from the cells of that event.
    """

    network: nn.Module
    images: NDArray[np.float32]
    particles: Callable[[NDArray[np.float32], int, np.random.Generator], Spectra]


def clouds(events: Collisions, rng: np.random.Generator) -> list[tuple[Floats, Floats, Floats]]:
    """Of each event positions and momenta (particle, 3) and nucleons (particle,) that they stand for."""
    simulated, found = events.simulated, []
    assert simulated is not None
    for event in range(len(simulated)):
        own, gas = (slice(*n[event : event + 2]) for n in (simulated.first_fragment, simulated.first_particle))
        number = np.rint(500 * simulated.A[own]).astype(int)
        mean = simulated.momentum[own] / simulated.A[own, None]
        modulus = np.linalg.norm(mean, axis=1)
        spread = width(simulated.excitation[own], simulated.A[own])
        stretch = 1 + np.repeat(spread / modulus, number) * rng.standard_normal(number.sum())
        position = np.concatenate([np.repeat(simulated.position[own], number, axis=0), simulated.gas_position[gas]])
        momentum = np.concatenate([np.repeat(mean, number, axis=0) * stretch[:, None], simulated.gas_momentum[gas]])
        weight = np.repeat([1 / 500, 1 / simulated.per_nucleon], [number.sum(), simulated.gas[event]])
        found.append((position, momentum, weight))
    return found


def spectra(position: Floats, momentum: Floats, centres: Floats) -> Spectra:
    """What is compared, of particles of an event with the centres of its largest fragments."""
    modulus = np.linalg.norm(momentum, axis=1)
    theta = np.arctan2(np.hypot(momentum[:, 0], momentum[:, 1]), momentum[:, 2])
    return modulus, theta, np.linalg.norm(position[:, None] - centres, axis=2).min(axis=1)


def systematic(weights: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cells of particles, DRAWN for each nucleon."""
    sums = np.cumsum(weights.ravel(), dtype=np.float64)
    number = max(round(sums[-1] * DRAWN), 1)
    chosen = np.searchsorted(sums, sums[-1] * (np.arange(number) + rng.random(number)) / number, side="right")
    return np.minimum(chosen, sums.size - 1)


def evenly(edges: Floats, bins: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Values within bins."""
    return edges[bins] + rng.random(len(bins)) * (edges[bins + 1] - edges[bins])


def three_dimensional(events: Collisions, latent: int, rng: np.random.Generator) -> Side:
    """The talk's."""

    def particles(image: NDArray[np.float32], _row: int, own: np.random.Generator) -> Spectra:
        _, i, j, k = np.unravel_index(systematic(image, own), SHAPE)
        p, theta = evenly(MOMENTUM_EDGES, i, own), evenly(THETA_EDGES, j, own)
        # fragments are at r = 0
        r = np.where(k == 0, 0.0, evenly(DISTANCE_EDGES, k, own))
        return np.abs(p), np.where(p < 0, np.pi - theta, theta), r

    assert events.simulated is not None
    return Side(HistogramVAE(SHAPE, VAEShape(latent, 16, 128)), encode(events.simulated, rng), particles)


def six_dimensional(
    cloud: list[tuple[Floats, Floats, Floats]], learned: NDArray[np.int64], centres: list[Floats], latent: int
) -> Side:
    """The plan's: edges from the events ``learned``."""
    points = np.concatenate([np.column_stack(cloud[row][:2])[::20] for row in learned])
    # a fine table of each axis: its cells share out the particles, and within a cell they are as dense as on the axis
    fine = [
        axis + 1e-6 * np.arange(len(axis)) for axis in np.quantile(points, np.linspace(0, 1, CELLS * FINE + 1), 0).T
    ]
    edges = [table[::FINE] for table in fine]
    images = np.zeros((len(cloud), CELLS**6), np.float32)
    for row, (position, momentum, weight) in enumerate(cloud):
        columns = np.column_stack([position, momentum]).T
        bins = [
            np.clip(np.searchsorted(edge, column) - 1, 0, CELLS - 1)
            for edge, column in zip(edges, columns, strict=True)
        ]
        images[row] = np.bincount(np.ravel_multi_index(bins, (CELLS,) * 6), weight, CELLS**6)

    def particles(image: NDArray[np.float32], row: int, own: np.random.Generator) -> Spectra:
        bins = np.unravel_index(systematic(image, own), (CELLS,) * 6)
        within = [axis * FINE + own.integers(FINE, size=len(axis)) for axis in bins]
        at = np.column_stack([evenly(table, axis, own) for table, axis in zip(fine, within, strict=True)])
        return spectra(at[:, :3], at[:, 3:], centres[row])

    network = SixDimensionalVAE(CELLS, latent, 8, HIDDEN)
    return Side(network, images.reshape(-1, *(CELLS,) * 6), particles)


def memory(side: Side) -> dict[str, int]:
    """Bytes an event: the input, and the outputs of all layers of a forward pass."""
    sizes: list[int] = []
    leaves = [m for m in side.network.modules() if not list(m.children()) or isinstance(m, PhaseSpaceConvolution)]
    hooks = [m.register_forward_hook(lambda _m, _i, out: sizes.append(out.nbytes)) for m in leaves]
    images = torch.from_numpy(side.images[:2])
    with torch.no_grad():
        mean, _ = side.network.encode(images)
        sizes.append(side.network.decode(mean).nbytes)
    for hook in hooks:
        hook.remove()
    return {"input_bytes": images.nbytes // 2, "activation_bytes": sum(sizes) // 2}


def learn(side: Side, rows: NDArray[np.int64], seconds: float, rng: np.random.Generator) -> dict[str, float]:
    """Train for that much processor time; the learning rate falls to nothing meanwhile."""
    network, steps, start = side.network, 0, time.process_time()
    network.start_from(torch.from_numpy(side.images[rows].mean(axis=0)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE)
    while (spent := time.process_time() - start) < seconds:
        images = torch.from_numpy(side.images[rng.choice(rows, BATCH)])
        mean, log_variance = network.encode(images)
        noise = torch.from_numpy(rng.standard_normal(tuple(mean.shape), dtype=np.float32))
        log_shares = network.decode(drawn(mean, log_variance, noise))
        loss = (deviance(images, log_shares) + DIVERGENCE * divergence(mean, log_variance)).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.param_groups[0]["lr"] = RATE * (1 - spent / seconds)
        optimiser.step()
        steps += 1
    return {"steps": steps, "seconds_per_step": round((time.process_time() - start) / max(steps, 1), 4)}


def likeness(made: list[Spectra], true: list[Spectra]) -> dict[str, dict[str, float]]:
    """Distances of spectra and of the number of nucleons near the largest fragments."""
    found: dict[str, dict[str, float]] = {}
    for place, name in enumerate(("abs_p", "theta", "r")):
        one, other = ([spectrum[place] for spectrum in side] for side in (true, made))
        sigma = float(np.concatenate(one).std())
        each = [wasserstein_distance(a, b) / sigma for a, b in zip(one, other, strict=True)]
        pooled = wasserstein_distance(np.concatenate(one), np.concatenate(other)) / sigma
        found[name] = {"pooled": round(float(pooled), 4), "events": round(float(np.mean(each)), 4)}
    near_true, near_made = (
        np.array([(r < NEAR).sum() / per for (_, _, r), per in side])
        for side in (zip(true, [500] * len(true), strict=True), zip(made, [DRAWN] * len(made), strict=True))
    )
    found["nucleons_near_fragments"] = {
        "w1_over_sigma": round(float(wasserstein_distance(near_true, near_made) / near_true.std()), 4),
        "root_mean_square_error": round(float(np.sqrt(((near_true - near_made) ** 2).mean())), 3),
    }
    return found


def reconstructions(side: Side, rows: NDArray[np.int64], rng: np.random.Generator) -> list[Spectra]:
    """Particles of events, from the mean in latent space."""
    found = []
    for row in rows:
        image = torch.from_numpy(side.images[row : row + 1])
        with torch.no_grad():
            shares = side.network.decode(side.network.encode(image)[0])[0].exp()
        found.append(side.particles((shares * image.sum()).numpy(), int(row), rng))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=Path, help="file of `cloudchamber sim transport`")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file .json")
    parser.add_argument("--seconds", type=float, default=300.0, help="of processor time that each network learns")
    parser.add_argument("--latent", type=int, default=8, help="dimensions of latent space")
    parser.add_argument("--most", type=int, default=1000, help="events that are used; 1 MB each")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    rng = np.random.default_rng(given.seed)
    _, records = read_transport(given.events)
    read = records.read(np.arange(min(len(records), given.most)))
    events = collisions_of(read, given.seed)
    if len(events) < FEWEST:
        raise BadInput(f"{given.events} holds {len(events)} events: give at least {FEWEST}")
    assert events.simulated is not None
    cloud = clouds(events, rng)
    position = np.concatenate([events.simulated.position, np.full((1, 3), 1e6)])
    centres = list(position[channels_of(events.simulated)])
    held_out, learned = np.split(rng.permutation(len(events)), [len(events) // 5])
    true = [spectra(*cloud[row][:2], centres[row]) for row in held_out]
    result: dict[str, object] = {
        "benchmark": "six_dimensional_convolution", "seed": given.seed, "events_learned": len(learned),
        "events_held_out": len(held_out), "latent": given.latent, "processor_seconds": given.seconds,
    }  # fmt: skip
    sides = {
        "three_dimensional": three_dimensional(events, given.latent, rng),
        "six_dimensional": six_dimensional(cloud, learned, centres, given.latent),
    }
    for name, side in sides.items():
        parameters = [p for part, p in side.network.named_parameters() if not part.startswith("predictor")]
        trained = learn(side, learned, given.seconds, rng)
        cells = [side.particles(side.images[row], int(row), rng) for row in held_out]
        result[name] = {
            "cells": int(np.prod(side.images.shape[1:])), "parameters": sum(p.numel() for p in parameters),
            "memory_per_event": memory(side), **trained,
            "likeness": likeness(reconstructions(side, held_out, rng), true), "cells_alone": likeness(cells, true),
        }  # fmt: skip
    write_text(given.output, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
