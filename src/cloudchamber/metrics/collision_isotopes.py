"""Isotopes of made collisions after de-excitation, beside those of the simulator and those that were measured.

Measured are angular distributions of ten isotopes of 12C on carbon at 62 MeV per nucleon (``measured_fragments``);
of events only those of this channel count. ``fragment_cross_sections`` says how events become cross sections. Hot
nuclei decay several times each.

Conventions: products are in the laboratory, the beam along z; MeV, MeV/c, mb, b/sr.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.collisions import Collisions
from cloudchamber.data.measured_fragments import AngularDistribution, MeasuredFragments, carbon_62mev
from cloudchamber.metrics.fragment_cross_sections import (
    ALL,
    Products,
    agreement,
    angular_limit,
    angular_shares,
    kinetic_energy,
    resampled,
    uniform_weights,
)
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.rows import Row, row
from cloudchamber.simulators.transport.de_excitation import de_excite
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.levels import WITH_RESONANCES
from cloudchamber.simulators.transport.masses import mass_or_estimate

Floats = NDArray[np.float64]

DECAYS = 20
"""Of each hot event."""
LEAST_EVENTS = 20
"""Of the measured channel that a sample needs for rows."""


def isotope_rows(
    sample: str,
    truth: Collisions,
    made: Mapping[str, Collisions],
    rng: np.random.Generator,
    *,
    largest_impact_parameter: float = 8.0,
) -> list[Row]:
    """Isotopes of each generator and of the truth against data, and of the generator against the truth.

    Targets are isotopes ("He4") and "all", over all their points. ``mean_abs_log_ratio`` and ``reduced_chi2`` are those
    of the generator against the data, ``truth_mean_abs_log_ratio`` and ``truth_reduced_chi2`` those of the true events,
    ``mean_abs_log_ratio_to_truth`` is of the generator against the true events (``log_ratio_to``). No rows without
    LEAST_EVENTS events of the measured channel.

    Args:
        sample: its name.
        truth: events of the simulator, impact parameters uniform.
        made: events of the same conditions, by generator.
        rng: decays and bootstrap.
        largest_impact_parameter: to which impact parameters are uniform from 0 [fm].
    """
    data = carbon_62mev()
    true = truth.ordered(of_measured_channel(truth, data))
    if len(true) < LEAST_EVENTS:
        return []
    known = cold_products(true, largest_impact_parameter, rng)
    of_truth = agreement(known, data.angular, rng)
    rows: list[Row] = []
    for name, events in made.items():
        own = events.ordered(of_measured_channel(events, data))
        if len(own) < LEAST_EVENTS:
            continue
        products = cold_products(own, largest_impact_parameter, rng)
        nearness = log_ratio_to(known, products, data.angular, rng)
        for isotope, one in agreement(products, data.angular, rng).items():
            rows += [
                row(name, isotope, "mean_abs_log_ratio", one.absolute_log_ratio),
                row(name, isotope, "reduced_chi2", one.reduced_chi2),
                row(name, isotope, "truth_mean_abs_log_ratio", of_truth[isotope].absolute_log_ratio),
                row(name, isotope, "truth_reduced_chi2", of_truth[isotope].reduced_chi2),
                row(name, isotope, "mean_abs_log_ratio_to_truth", nearness[isotope]),
            ]
    return [one | {"sample": sample} for one in rows]


def of_measured_channel(events: Collisions, data: MeasuredFragments) -> NDArray[np.bool_]:
    """Which events (event,) are of the channel that was measured.

    Args:
        events: of any channels.
        data: the measurement.
    """
    entrance = events.entrance
    nuclei = (entrance.projectile == data.projectile).all(axis=1) & (entrance.target == data.target).all(axis=1)
    return np.asarray(nuclei & (entrance.energy == data.energy))


def cold_products(
    events: Collisions, largest_impact_parameter: float, rng: np.random.Generator, decays: int = DECAYS
) -> Products:
    """Cold nuclei and nucleons of events of one channel in the laboratory; photons are left out.

    Args:
        events: hot, impact parameters uniform.
        largest_impact_parameter: to which they are uniform from 0 [fm].
        rng: of the decays.
        decays: of each event.
    """
    (channel,), _ = events.entrance.channels
    A, Z, excitation = (np.tile(one, decays) for one in (events.A, events.Z, events.excitation))
    momentum = np.tile(events.momentum, (decays, 1))
    seed = int(rng.integers(2**31))
    cold = de_excite(A, Z, momentum, np.maximum(excitation, 0.0), seed, levels=WITH_RESONANCES)
    massive = cold.A > 0
    A, Z, parent = cold.A[massive], cold.Z[massive], cold.parent[massive]
    boosted = in_the_laboratory(channel, cold.momentum[massive], cold.energy[massive])
    weight = uniform_weights(events.entrance.impact_parameter, 0.0, largest_impact_parameter)
    kinetic = kinetic_energy(boosted, mass_or_estimate(Z, A))
    return Products(A, Z, boosted, kinetic, np.tile(events.event_of, decays)[parent], weight, decays)


def in_the_laboratory(channel: EntranceChannel, momentum: Floats, energy: Floats) -> Floats:
    """Momenta (particle, 3) [MeV/c] in the laboratory.

    Args:
        channel: which nuclei collided.
        momentum: (particle, 3) in the common frame [MeV/c].
        energy: (particle,) in the common frame, with rest mass [MeV].
    """
    beta = channel.boost
    moved = momentum.copy()
    moved[:, 2] = (momentum[:, 2] + beta * energy) / np.sqrt(1 - beta**2)
    return moved


def log_ratio_to(
    truth: Products, model: Products, measured: Mapping[str, AngularDistribution], rng: np.random.Generator
) -> dict[str, Measured]:
    """Mean of ``abs(ln(model / truth))`` over the points of each isotope, and of all under ``ALL``.

    Where one of both is 0, its upper limit of 68 % takes the place, unless the other is below it: then the ratio is 1.
    The error is the bootstrap's over the events of both; it does not know that their conditions may be the same.

    Args:
        truth: products of the simulator.
        model: those of the generator.
        measured: angles and thresholds, by isotope.
        rng: source of the bootstrap.
    """
    samples, limits = [], []
    for products in (truth, model):
        shares = np.concatenate([angular_shares(products, one) for one in measured.values()], axis=1)
        samples.append(np.stack([shares.sum(axis=0), *resampled(shares, rng)]))
        limits.append(np.concatenate([angular_limit(products, one) for one in measured.values()]))
    true, made = samples
    filled = np.where(true > 0, true, np.minimum(limits[0], np.where(made > 0, made, limits[0])))
    said = np.where(made > 0, made, np.minimum(limits[1], filled))
    ratio = np.abs(np.log(said / filled))
    ends = np.cumsum([0, *(len(one.angle) for one in measured.values())])
    parts = {name: slice(ends[i], ends[i + 1]) for i, name in enumerate(measured)} | {ALL: slice(None)}
    found = {}
    for name, part in parts.items():
        means = ratio[:, part].mean(axis=1)
        found[name] = Measured(float(means[0]), float(means[1:].std(ddof=1)), ratio[:, part].shape[1])
    return found
