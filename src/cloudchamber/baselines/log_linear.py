"""Smooth functions of the condition of an interaction: regressions with a ridge, linear and log-linear.

A mean that is never negative is exp(features . coefficients), fitted by Poisson quasi-likelihood (McCullagh and Nelder,
Generalized Linear Models, 2nd ed. (1989), ch. 9); anything else is linear. Features are polynomials in the logarithm of
the kinetic energy, the target's size A^(1/3), and what each projectile and target adds to that. The ridge lets rare
conditions lean on the common ones, so that a target which nobody trained on lies on a smooth curve.

Conventions: kinetic energy in GeV; the first feature is 1.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.hadronic.events import Beam
from cloudchamber.simulators.hadronic.particles import ISOTOPES, TARGETS

Floats = NDArray[np.float64]

MASS_NUMBERS = {charge: ISOTOPES[name] for name, charge in TARGETS.items()}

RIDGE = 1.0
"""Penalty of a coefficient, in events: what fewer events than this say is not believed."""

STEPS = 40
"""At most, of Newton's method; it stops where the logarithm of no mean moves by more than 0.001."""

LARGEST = 30.0
"""Of a logarithm of a mean."""


def describe(beam: Beam) -> Arrays:
    """What ``features`` must know of the training's beam: projectiles, targets, range of log kinetic energy."""
    energy = np.log(beam.kinetic_energy)
    return {
        "projectiles": np.unique(beam.projectile), "targets": np.unique(beam.target),
        "range": np.array([energy.min(), energy.max()]),
    }  # fmt: skip


def features(beam: Beam, about: Arrays, degree: int) -> Floats:
    """Features of the conditions (event, feature).

    Args:
        beam: conditions.
        about: by ``describe``.
        degree: of the polynomials in log energy; what is particular to a projectile has this degree too, what is to a
            target one less, what is to a pair of them is constant.

    Raises:
        BadInput: a projectile or a range of energies that was not trained on.
    """
    unknown = sorted(set(np.unique(beam.projectile).tolist()) - set(about["projectiles"].tolist()))
    if unknown:
        known = ", ".join(map(str, about["projectiles"]))
        raise BadInput(f"no training event with projectile {unknown[0]}: there are those of {known}")
    low, high = about["range"]
    place = (2 * np.log(beam.kinetic_energy) - low - high) / (high - low if high > low else 1.0)
    powers = legendre.legvander(np.clip(place, -1.5, 1.5), degree if high > low else 0)
    baryons = np.vectorize(lambda charge: MASS_NUMBERS[int(charge)], otypes=[float])(beam.target)
    size = np.cbrt(baryons) - 4
    sizes = np.stack([np.ones(len(beam)), baryons == 1, size, size**2], axis=1)
    sizes = sizes[:, : min(len(about["targets"]), 4)]  # with one target it is a constant
    projectile = np.equal.outer(beam.projectile, about["projectiles"]).astype(np.float64)
    target = np.equal.outer(beam.target, about["targets"]).astype(np.float64)
    parts = [_times(sizes, powers)]
    if len(about["projectiles"]) > 1:
        parts.append(_times(projectile, powers))
    if len(about["targets"]) > 1:
        parts.append(_times(target, powers[:, :degree]))
    if len(parts) == 3:
        parts.append(_times(_times(projectile, target), powers[:, :1]))
    return np.concatenate(parts, axis=1)


def _times(first: Floats, second: Floats) -> Floats:
    return np.asarray((first[:, :, None] * second[:, None, :]).reshape(len(first), first.shape[1] * second.shape[1]))


def linear(table: Floats, values: Floats) -> Floats:
    """Coefficients (feature,) or (feature, value) of the least-squares fit of ``values`` (event, ...)."""
    return np.asarray(np.linalg.solve(table.T @ table + _ridge(table), table.T @ values))


def log_linear(table: Floats, values: Floats, weights: Floats | None = None, start: Floats | None = None) -> Floats:
    """Coefficients (feature,) such that exp(table @ coefficients) is the mean of ``values``.

    Args:
        table: features (event, feature).
        values: (event,), not below 0.
        weights: of the events (event,).
        start: coefficients near the solution, if some are known.
    """
    weights = np.ones(len(values)) if weights is None else weights
    ridge = _ridge(table)
    coefficients = np.zeros(table.shape[1])
    coefficients[0] = np.log(max(float(np.average(values, weights=weights)), 1e-6))
    coefficients = coefficients if start is None else start.copy()
    for _ in range(STEPS):
        mean = weights * mean_of(table, coefficients)
        slope = table.T @ (weights * values - mean) - ridge @ coefficients
        step = np.linalg.solve(table.T @ (mean[:, None] * table) + ridge, slope)
        largest = float(np.abs(table @ step).max())
        coefficients += step * min(1.0, 1.5 / max(largest, 1e-12))
        if largest < 1e-3:
            break
    return coefficients


def mean_of(table: Floats, coefficients: Floats) -> Floats:
    """exp(table @ coefficients)."""
    return np.asarray(np.exp(np.clip(table @ coefficients, -LARGEST, LARGEST)))


def _ridge(table: Floats) -> Floats:
    ridge = np.full(table.shape[1], RIDGE)
    ridge[0] = 1e-6
    return np.diag(ridge)
