"""How alike two sets of hadronic interactions are, observable by observable and all together.

Observables are those of the rest frame of projectile and nucleus with the projectile along z. Distances are
one-dimensional Wasserstein distances in units of the truth's standard deviation, multiplicities also by
Kolmogorov-Smirnov, everything together by a classifier that is asked to tell the sets apart (AUC 0.5: it cannot; Kansal
et al., arXiv:2211.10295, and Grossi et al., arXiv:2409.16336, compare such measures). Truth against truth is the floor
of each. What nature conserves is no observable: a classifier that saw it would tell any model from the truth by its
rounding; violations have rates of their own.

Conventions: GeV; x_F = pz / p_beam, p_beam the projectile's momentum in the same rest frame, so that a projectile that
passes has x_F = 1 on any nucleus (on hydrogen p_beam is sqrt(s) / 2 but for the masses; on lead sqrt(s) / 2 is half the
nucleus' mass, and x_F over that would stay near 0). The leading particle is that of the largest pz, of whatever kind
and sign of pz, nuclei and photons below 10 MeV left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.measured import Measured
from cloudchamber.simulators.hadronic.events import Events, incoming_numbers
from cloudchamber.simulators.hadronic.kinematics import to_rest
from cloudchamber.simulators.hadronic.particles import MIXED_KAONS, NUCLEUS, conserved, masses

Floats = NDArray[np.float64]

COUNTED = {
    "n_pi+": (211,), "n_pi-": (-211,), "n_pi0": (111,), "n_p": (2212,), "n_n": (2112,),
    "n_K": (321, -321, 130, 310, 311, -311),
}  # fmt: skip
"""Multiplicities of kinds by name."""

MULTIPLICITIES = ("n", "n_charged", *COUNTED)
RESAMPLES = 100
"""Bootstrap samples of a distance: its error is then known to 7 %."""

MOST_TRAINING = 50_000
"""Training events among which the nearest is looked for."""

GAMMA = 22


def observables(events: Events) -> dict[str, Floats]:
    """High-level observables (event,) by name: multiplicities, sums, the leading particle, the residual nucleus.

    Photons below 10 MeV are left out: they are what de-excitation leaves, and depend on nuclear levels (see
    ``simulators.hadronic.geant4_tables``). Nuclei count in ``residual_mass_number`` and ``n_fragments`` only.
    """
    owner = events.event_of
    whole, direction = events.incoming[owner], events.beam.direction[owner]
    p = to_rest(events.momentum, whole, direction)
    s = np.sqrt(events.incoming[:, 0] ** 2 - (events.incoming[:, 1:] ** 2).sum(axis=1))
    nucleus = np.abs(events.kind) >= NUCLEUS
    soft = (events.kind == GAMMA) & (events.momentum[:, 0] < 0.01)
    light = ~nucleus & ~soft
    charge = conserved(events.kind)[:, 0]
    transverse = np.hypot(p[:, 1], p[:, 2])
    mass = np.sqrt(np.maximum(p[:, 0] ** 2 - (p[:, 1:] ** 2).sum(axis=1), 0))
    rapidity = np.arcsinh(p[:, 3] / np.maximum(np.hypot(mass, transverse), 1e-9))

    def total(values: NDArray[np.generic]) -> Floats:
        return events.sums(np.where(light, values, 0))

    n = total(np.ones(len(p)))
    least = np.maximum(n, 1)
    found = {"n": n, "n_charged": total(charge != 0)}
    found |= {name: total(np.isin(events.kind, codes)) for name, codes in COUNTED.items()}
    found["transverse_momentum"] = total(transverse)
    found["mean_rapidity"] = total(rapidity) / least
    spread = total(rapidity**2) / least - found["mean_rapidity"] ** 2
    found["rapidity_spread"] = np.sqrt(np.maximum(spread, 0))
    found["forward_energy"] = total(np.where(p[:, 3] > 0, p[:, 0], 0)) / s
    found["photon_energy"] = total(np.where(np.isin(events.kind, (111, GAMMA)), p[:, 0], 0)) / s
    leading = _largest(events, np.where(light, p[:, 3], -np.inf))
    there = leading >= 0
    found["leading_x_F"] = np.where(there, p[leading, 3] / beam_momentum(events), 0)
    found["leading_transverse_momentum"] = np.where(there, transverse[leading], 0)
    found["leading_charge"] = np.where(there, charge[leading], 0).astype(np.float64)
    heaviest = _largest(events, np.where(nucleus, events.kind // 10 % 1000, -np.inf).astype(np.float64))
    residual = heaviest >= 0
    found["residual_mass_number"] = np.where(residual, events.kind[heaviest] // 10 % 1000, 0).astype(np.float64)
    found["n_fragments"] = events.sums(nucleus)
    return found


def beam_momentum(events: Events) -> Floats:
    """The projectile's momentum in GeV in the rest frame of projectile and nucleus (event,)."""
    momentum = events.incoming[:, 1:]
    energy = np.sqrt(masses(events.beam.projectile) ** 2 + (momentum**2).sum(axis=1))
    projectile = np.concatenate([energy[:, None], momentum], axis=1)
    return np.asarray(to_rest(projectile, events.incoming, events.beam.direction)[:, 3])


def _largest(events: Events, values: Floats) -> NDArray[np.int64]:
    """The particle of the largest value of each event (event,); -1 where all are -inf or none is there."""
    order = np.lexsort((values, events.event_of))
    last = order[np.maximum(events.offsets[1:] - 1, 0)] if len(order) else np.zeros(len(events), np.int64)
    there = (events.count > 0) & np.isfinite(values[last])
    return np.where(there, last, -1)


@dataclass(frozen=True)
class Distances:
    """How far a sample is from the truth in each observable.

    Attributes:
        wasserstein: over the truth's standard deviation, by observable; only of those that vary in the truth.
        kolmogorov_smirnov: largest difference of the distribution functions, by observable.
        mean: of ``wasserstein`` over the observables; its error knows that the same events stand behind all of them.
    """

    wasserstein: Mapping[str, Measured]
    kolmogorov_smirnov: Mapping[str, Measured]
    mean: Measured


def distances(truth: Mapping[str, Floats], model: Mapping[str, Floats], rng: np.random.Generator) -> Distances:
    """Distances (dimensionless) of two samples of observables (event,) with the bootstrap's errors.

    All observables are resampled with the same events, so that correlations are kept. Sorted once, a resampled event
    is a weight: 12 000 events of 20 observables take about a second.
    """
    n, m = len(next(iter(truth.values()))), len(next(iter(model.values())))
    weights = np.empty((1 + RESAMPLES, n + m))
    weights[0, :n], weights[0, n:] = 1 / n, -1 / m
    for row in weights[1:]:
        row[:n] = np.bincount(rng.integers(n, size=n), minlength=n) / n
        row[n:] = np.bincount(rng.integers(m, size=m), minlength=m) / -m
    found, largest = {}, {}
    for name, values in truth.items():
        sigma = float(values.std())
        distance, difference = _from_weights(np.concatenate([values, model[name]]), weights)
        if sigma > 1e-12 * float(np.abs(values).max(initial=0.0)):
            found[name] = distance / sigma
        largest[name] = difference
    mean = np.mean(list(found.values()), axis=0) if found else np.full(1 + RESAMPLES, np.nan)

    def measured(one: Floats) -> Measured:
        return Measured(float(one[0]), float(one[1:].std()), m)

    return Distances(
        {name: measured(one) for name, one in found.items()},
        {name: measured(one) for name, one in largest.items()},
        measured(mean),
    )


def _from_weights(values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Wasserstein distance, and largest difference of the distribution functions, (resample,) of weighted values.

    Args:
        values: of truth and model, one after the other (value,).
        weights: (resample, value): of the truth's values, summing to 1, and minus those of the model's.
    """
    order = np.argsort(values)
    steps = np.diff(values[order])
    ends = np.flatnonzero(steps > 0)  # equal values are one step of the distribution functions
    distance, difference = np.zeros(len(weights)), np.zeros(len(weights))
    if len(ends):
        steps = steps[ends]
        for row, one in enumerate(weights):
            between = np.abs(np.cumsum(one[order])[ends])
            distance[row], difference[row] = between @ steps, between.max()
    return distance, difference


def correlation_difference(
    truth: Mapping[str, Floats], model: Mapping[str, Floats], rng: np.random.Generator
) -> Measured:
    """Largest difference of the correlation coefficients of any two observables (event,) that vary in both samples.

    The error is the bootstrap's.
    """
    names = [name for name in truth if truth[name].std() > 0 and model[name].std() > 0]
    one, two = (np.stack([sample[name] for name in names]) for sample in (truth, model))
    value = np.abs(np.corrcoef(one) - np.corrcoef(two)).max()
    samples = []
    for _ in range(RESAMPLES):
        first, second = (_resampled_correlations(each, rng) for each in (one, two))
        samples.append(np.nanmax(np.abs(first - second)))
    return Measured(float(value), float(np.std(samples)), two.shape[1])


def _resampled_correlations(values: Floats, rng: np.random.Generator) -> Floats:
    """Correlation coefficients of the rows of (observable, event) for resampled events; nan for constants."""
    drawn = rng.integers(values.shape[1], size=(values.shape[1],))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.corrcoef(values[:, drawn]))


def violations(events: Events) -> dict[str, Floats]:
    """By how much each event breaks conservation (event,): charge, baryon number, strangeness, energy and momentum.

    Strangeness may be off by what its K0S and K0L leave open; energy_momentum is the largest component in GeV.
    """
    off = np.abs(events.sums(conserved(events.kind)) - incoming_numbers(events))
    open_ended = events.sums(np.isin(events.kind, MIXED_KAONS)) + np.isin(events.beam.projectile, MIXED_KAONS)
    strangeness = np.maximum(off[:, 2] - open_ended, (off[:, 2] + open_ended) % 2)
    return {
        "charge": off[:, 0], "baryon_number": off[:, 1], "strangeness": np.maximum(strangeness, 0),
        "energy_momentum": np.abs(events.sums(events.momentum) - events.incoming).max(axis=1),
    }  # fmt: skip


def nearest_neighbour_ratio(
    generated: Mapping[str, Floats], train: Mapping[str, Floats], test: Mapping[str, Floats], rng: np.random.Generator
) -> Measured:
    """How much nearer generated events are to the training events than new true events are.

    1 without memory, near 0 for copies, above 1 where a model leaves the region of the truth.

    Args:
        generated: observables (event,) by name.
        train: those of the training events.
        test: those of new true events of the conditions of the generated ones.
        rng: source of the bootstrap, and of the choice where there are more than MOST_TRAINING training events.

    Returns:
        Ratio of the medians of the distances to the nearest training event, in observables over the training's
        standard deviations; n generated events.
    """
    from sklearn.neighbors import NearestNeighbors

    names = [name for name in train if train[name].std() > 0]
    rows = [np.stack([sample[name] for name in names], axis=1) for sample in (train, generated, test)]
    center, scale = rows[0].mean(axis=0), rows[0].std(axis=0)
    learned, made, new = ((one - center) / scale for one in rows)
    if len(learned) > MOST_TRAINING:
        learned = rng.permutation(learned)[:MOST_TRAINING]
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(learned)
    near, far = (search.kneighbors(one)[0][:, 0] for one in (made, new))
    samples = [
        np.median(rng.choice(near, len(near))) / max(np.median(rng.choice(far, len(far))), 1e-12)
        for _ in range(RESAMPLES)
    ]
    value = np.median(near) / max(np.median(far), 1e-12)
    return Measured(float(value), float(np.std(samples)), len(near))
