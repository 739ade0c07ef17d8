"""How alike two sets of collisions of nuclei are, observable by observable: hot nuclei and gas at freeze-out.

Observables have one value an event, spectra one value a nucleus of all events together. Distances are one-dimensional
Wasserstein distances in units of the truth's standard deviation (Kansal et al., arXiv:2211.10295, compare such
measures). What is conserved is no observable; violations have rates of their own.

Fragments have A >= 2, the gas is what has A = 1. "Forward" is the heaviest fragment with p_z > 0 (of several the
fastest): what is left of the projectile, where it passes. Where an event has no such fragment, its values are 0.

Conventions: common rest frame, the beam along +z, the projectile displaced to +x. Momenta are momenta per nucleon over
that of the projectile before the collision, so that energies can be compared: a spectator has 1. Energies MeV, angles
degrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.collisions import Collisions
from cloudchamber.metrics.measured import Measured

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OBSERVABLES: Mapping[str, tuple[str, str]] = {
    "fragments": ("fragments (A ≥ 2)", ""),
    "A_largest": ("A of the largest fragment", ""),
    "Z_largest": ("Z of the largest fragment", ""),
    "A_second": ("A of the second largest", ""),
    "Z_second": ("Z of the second largest", ""),
    "Z_bound": ("charge bound in fragments with Z ≥ 2", ""),
    "gas_nucleons": ("free nucleons", ""),
    "gas_protons": ("free protons", ""),
    "excitation": ("excitation energy of all fragments", "MeV"),
    "excitation_per_nucleon": ("excitation energy per bound nucleon", "MeV"),
    "largest_excitation_per_nucleon": ("E*/A of the largest fragment", "MeV"),
    "forward_A": ("A of the forward fragment", ""),
    "forward_momentum": ("p/A of the forward fragment over the beam's", ""),
    "forward_theta": ("polar angle of the forward fragment", "deg"),
    "forward_deflection": ("p_x/A of the forward fragment over the beam's", ""),
    "transverse_momentum": ("sum of the fragments' transverse momenta over the beam's", ""),
    "stopping": ("transverse over all kinetic energy", ""),
    "gas_energy": ("kinetic energy of the gas", "MeV"),
    "gas_asymmetry": ("mean p_z of the gas over the beam's", ""),
    "gas_flow": ("mean p_x sign(p_z) of the gas over the beam's", ""),
}
"""Title and unit of each observable (event,)."""

SPECTRA: Mapping[str, tuple[str, str]] = {
    "spectrum_A": ("A of fragments", ""),
    "spectrum_Z": ("Z of fragments", ""),
    "spectrum_momentum": ("p/A of fragments over the beam's", ""),
    "spectrum_theta": ("polar angle of fragments", "deg"),
    "spectrum_excitation": ("E*/A of fragments", "MeV"),
    "gas_spectrum_momentum": ("p of free nucleons over the beam's", ""),
    "gas_spectrum_theta": ("polar angle of free nucleons", "deg"),
}
"""Title and unit of each spectrum (nucleus,)."""

RESAMPLES = 100
"""Bootstrap samples of a distance: its error is then known to 7 %."""

FLIPS = 2000
"""Random exchanges of forward and backward of a permutation test."""


@dataclass(frozen=True)
class Pooled:
    """Values of all events together.

    Attributes:
        values: (value,).
        event: of each value (value,), 0 to the number of events - 1.
    """

    values: Floats
    event: Integers


# --- observables ------------------------------------------------------------------------------------------------------


def observables(events: Collisions) -> dict[str, Floats]:
    """``OBSERVABLES`` of each event (event,)."""
    A, Z, hot = events.A, events.Z, events.excitation
    p = relative_momentum(events)
    fragment, across = A >= 2, np.hypot(p[:, 0], p[:, 1])
    free = events.sums(~fragment)
    order = np.lexsort((-p[:, 2] / A, -A, events.event_of))
    largest = order[events.offsets[:-1]]
    second = order[np.minimum(events.offsets[:-1] + 1, events.offsets[1:] - 1)]
    bound = events.sums(np.where(fragment, A, 0))
    excitation = events.sums(np.where(fragment, hot, 0.0))
    found = {"fragments": events.sums(fragment)}
    for name, own, there in (
        ("largest", largest, fragment[largest]), ("second", second, fragment[second] & (second != largest))
    ):  # fmt: skip
        found |= {f"A_{name}": np.where(there, A[own], 0), f"Z_{name}": np.where(there, Z[own], 0)}
    found["Z_bound"] = events.sums(np.where(Z >= 2, Z, 0))
    found["gas_nucleons"], found["gas_protons"] = free, events.sums(np.where(fragment, 0, Z))
    found["excitation"] = excitation
    found["excitation_per_nucleon"] = excitation / np.maximum(bound, 1)
    found["largest_excitation_per_nucleon"] = np.where(fragment[largest], hot[largest] / A[largest], 0.0)
    ahead = heaviest(events, fragment & (p[:, 2] > 0))
    there = ahead >= 0
    found["forward_A"] = np.where(there, A[ahead], 0)
    found["forward_momentum"] = np.where(there, np.linalg.norm(p[ahead], axis=1) / A[ahead], 0.0)
    found["forward_theta"] = np.where(there, theta(p[ahead]), 0.0)
    found["forward_deflection"] = np.where(there, p[ahead, 0] / A[ahead], 0.0)
    found["transverse_momentum"] = events.sums(np.where(fragment, across, 0.0))
    square = (p**2).sum(axis=1) / A
    found["stopping"] = events.sums(across**2 / A) / np.maximum(events.sums(square), 1e-12)
    found["gas_energy"] = events.sums(np.where(fragment, 0.0, events.energy() - events.mass()))
    found["gas_asymmetry"] = events.sums(np.where(fragment, 0.0, p[:, 2])) / np.maximum(free, 1)
    found["gas_flow"] = events.sums(np.where(fragment, 0.0, p[:, 0] * np.sign(p[:, 2]))) / np.maximum(free, 1)
    return {name: found[name].astype(np.float64) for name in OBSERVABLES}


def spectra(events: Collisions) -> dict[str, Pooled]:
    """``SPECTRA`` of all events together."""
    p = relative_momentum(events)
    per_nucleon, angle = np.linalg.norm(p, axis=1) / events.A, theta(p)
    fragment = events.A >= 2
    found = {
        "spectrum_A": (events.A, fragment), "spectrum_Z": (events.Z, fragment),
        "spectrum_momentum": (per_nucleon, fragment), "spectrum_theta": (angle, fragment),
        "spectrum_excitation": (events.excitation / events.A, fragment),
        "gas_spectrum_momentum": (per_nucleon, ~fragment), "gas_spectrum_theta": (angle, ~fragment),
    }  # fmt: skip
    return {name: Pooled(values[own].astype(np.float64), events.event_of[own]) for name, (values, own) in found.items()}


def relative_momentum(events: Collisions) -> Floats:
    """Momenta (nucleus, 3) over the momentum per nucleon of the projectile."""
    beam = events.entrance.of_channel(lambda channel: channel.momentum / channel.projectile[0])
    return np.asarray(events.momentum / beam[events.event_of, None])


def theta(momentum: Floats) -> Floats:
    """Polar angle (nucleus,) [deg].

    Args:
        momentum: (nucleus, 3).
    """
    return np.asarray(np.degrees(np.arctan2(np.hypot(momentum[:, 0], momentum[:, 1]), momentum[:, 2])))


def heaviest(events: Collisions, chosen: NDArray[np.bool_]) -> Integers:
    """The chosen nucleus of the largest A of each event (event,), of several that of the largest abs(p_z); -1: none.

    Args:
        events: of the nuclei.
        chosen: (nucleus,).
    """
    rows = np.flatnonzero(chosen)
    order = np.lexsort((np.abs(events.momentum[rows, 2]), events.A[rows], events.event_of[rows]))
    found = np.full(len(events), -1, np.int64)
    found[events.event_of[rows[order]]] = rows[order]  # the last one of an event stays
    return found


# --- distances --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Distances:
    """How far a sample is from the truth.

    Attributes:
        each: W1 over sigma by observable or spectrum; only of those that vary in the truth.
        mean: of ``each``; its error knows that the same events stand behind all.
    """

    each: Mapping[str, Measured]
    mean: Measured


def are_twins(truth: Collisions, model: Collisions) -> bool:
    """Whether event i of the model has the very condition of true event i.

    Args:
        truth: true events.
        model: events of a model.
    """
    one, other = truth.entrance, model.entrance
    names = ("projectile", "target", "energy", "impact_parameter")
    return len(truth) == len(model) and all(np.array_equal(getattr(one, n), getattr(other, n)) for n in names)


def deviations(truth: Collisions) -> dict[str, float]:
    """Standard deviation of each observable and spectrum that varies."""
    found = {}
    for name, one in pooled(truth).items():
        sigma = float(one.values.std()) if len(one.values) else 0.0
        if sigma > 1e-9 * float(np.abs(one.values).max(initial=0.0)):
            found[name] = sigma
    return found


def distances(
    truth: Collisions, model: Collisions, rng: np.random.Generator, sigma: Mapping[str, float] | None = None
) -> Distances:
    """W1 of all observables and spectra, with the bootstrap's errors: events are resampled, twins together.

    Where events have twins (``are_twins``), what the choice of conditions does to both samples alike is no error.

    Args:
        truth: true events.
        model: events of the same conditions.
        rng: source of the bootstrap.
        sigma: the unit of each distance. None: ``deviations`` of the truth.
    """
    weights = [np.ones((1 + RESAMPLES, len(one))) for one in (truth, model)]
    twins = are_twins(truth, model)
    for row in range(1, 1 + RESAMPLES):
        for number, one in enumerate((truth, model)):
            weights[number][row] = np.bincount(rng.integers(len(one), size=len(one)), minlength=len(one))
        if twins:
            weights[1][row] = weights[0][row]
    true, made = (pooled(one) for one in (truth, model))
    unit = deviations(truth) if sigma is None else sigma
    found = {name: wasserstein(true[name], made[name], *weights) / one for name, one in unit.items()}
    # a part of a sample may have no gas at all
    found = {name: one for name, one in found.items() if np.isfinite(one[0])}
    mean = np.mean(list(found.values()), axis=0) if found else np.full(1 + RESAMPLES, np.nan)

    def measured(one: Floats) -> Measured:
        known = one[1:][np.isfinite(one[1:])]
        return Measured(float(one[0]), float(known.std()) if len(known) else float("nan"), len(model))

    return Distances({name: measured(one) for name, one in found.items()}, measured(mean))


def pooled(events: Collisions) -> dict[str, Pooled]:
    """All observables and spectra."""
    each = np.arange(len(events))
    return {name: Pooled(values, each) for name, values in observables(events).items()} | spectra(events)


def wasserstein(truth: Pooled, model: Pooled, true_weights: Floats, model_weights: Floats) -> Floats:
    """Wasserstein distance (resample,) in the unit of the values; nan where a sample has no values.

    Args:
        truth: one sample.
        model: the other.
        true_weights: of the events of ``truth`` (resample, event).
        model_weights: of the events of ``model`` (resample, event).

    Examples:
        >>> one, other = (Pooled(np.array([0.0, 1.0]) + shift, np.arange(2)) for shift in (0, 3))
        >>> wasserstein(one, other, np.ones((1, 2)), np.ones((1, 2)))
        array([3.])
    """
    order = np.argsort(np.concatenate([truth.values, model.values]), kind="stable")
    steps = np.diff(np.concatenate([truth.values, model.values])[order])
    ends = np.flatnonzero(steps > 0)  # equal values are one step of the distribution functions
    distance = np.full(len(true_weights), np.nan)
    for row, (first, second) in enumerate(zip(true_weights, model_weights, strict=True)):
        one, other = first[truth.event], second[model.event]
        if one.sum() > 0 and other.sum() > 0:
            between = np.cumsum(np.concatenate([one / one.sum(), -other / other.sum()])[order])
            distance[row] = np.abs(between[ends]) @ steps[ends]
    return distance


# --- conservation and symmetry ----------------------------------------------------------------------------------------


def violations(events: Collisions) -> dict[str, Floats]:
    """By how much each event breaks conservation (event,): A, Z, momentum [MeV/c] (its modulus), energy [MeV]."""
    total = events.entrance.projectile + events.entrance.target
    return {
        "A": np.abs(events.sums(events.A) - total[:, 0]),
        "Z": np.abs(events.sums(events.Z) - total[:, 1]),
        "momentum": np.linalg.norm(events.sums(events.momentum), axis=1),
        "energy": np.abs(events.sums(events.energy()) - events.entrance.available_energy()),
    }


def sides(events: Collisions) -> dict[str, Floats]:
    """What flies forward and what flies backward (event, 2), each as seen along its own beam: x, z -> -x, -z.

    In collisions of identical nuclei both are equal in distribution, and either may be called forward.

    Args:
        events: any.

    Returns:
        Of the heaviest fragment of each side ``A``, ``momentum``, ``deflection``, ``excitation`` (per nucleon), and of
        the gas ``nucleons``, ``energy`` (per free nucleon), ``flow``.
    """
    p = relative_momentum(events)
    found: dict[str, list[Floats]] = {}
    for sign in (1, -1):
        side = sign * p[:, 2] > 0
        own = heaviest(events, side & (events.A >= 2))
        there, gas = own >= 0, side & (events.A == 1)
        free = events.sums(gas)
        kinetic = events.sums(np.where(gas, events.energy() - events.mass(), 0.0))
        one: dict[str, NDArray[Any]] = {
            "A": np.where(there, events.A[own], 0),
            "momentum": np.where(there, np.linalg.norm(p[own], axis=1) / events.A[own], 0.0),
            "deflection": np.where(there, sign * p[own, 0] / events.A[own], 0.0),
            "excitation": np.where(there, events.excitation[own] / events.A[own], 0.0),
            "nucleons": free,
            "energy": kinetic / np.maximum(free, 1),
            "flow": events.sums(np.where(gas, sign * p[:, 0], 0.0)) / np.maximum(free, 1),
        }
        for name, values in one.items():
            found.setdefault(name, []).append(values.astype(np.float64))
    return {name: np.stack(values, axis=1) for name, values in found.items()}


def exchange_p_value(events: Collisions, rng: np.random.Generator) -> Measured:
    """Probability of sides that differ on average as much as these if forward and backward are alike.

    The exact permutation test: in each event both sides are exchanged at random, all observables of ``sides`` together;
    the statistic is the largest ``abs(sum of differences) / sqrt(sum of their squares)`` of any observable.

    Args:
        events: collisions of identical nuclei.
        rng: source of the exchanges.
    """
    differences = np.stack([values[:, 0] - values[:, 1] for values in sides(events).values()], axis=1)
    differences = differences[:, (differences != 0).any(axis=0)]
    if not differences.size:
        return Measured(float("nan"), float("nan"), len(events))
    scaled = differences / np.sqrt((differences**2).sum(axis=0))
    found = np.abs(scaled.sum(axis=0)).max()
    flipped = np.abs(rng.choice([-1.0, 1.0], (FLIPS, len(scaled))) @ scaled).max(axis=1)
    p = (1 + int((flipped >= found * (1 - 1e-12)).sum())) / (1 + FLIPS)
    return Measured(p, float("nan"), len(events))


def exchange_distance(events: Collisions, rng: np.random.Generator) -> Measured:
    """Mean over ``sides`` of W1 between forward and backward, over the standard deviation of both together.

    The error is the bootstrap's over events.

    Args:
        events: collisions of identical nuclei.
        rng: source of the bootstrap.
    """
    n = len(events)
    drawn = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(RESAMPLES))
    weights = np.stack([np.ones(n), *drawn])
    each = np.arange(n)
    found = [
        wasserstein(Pooled(values[:, 0], each), Pooled(values[:, 1], each), weights, weights) / values.std()
        for values in sides(events).values()
        if values.std() > 0
    ]
    if not found:
        return Measured(float("nan"), float("nan"), n)
    mean = np.mean(found, axis=0)
    return Measured(float(mean[0]), float(mean[1:].std()), n)
