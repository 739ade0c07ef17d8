"""Cross sections of fragments as a detector measures them, from simulated products, and how well they agree with data.

Events are simulated at impact parameters b drawn uniformly; event e stands for ``w_e = 2 pi b_e (b_max - b_min) / N``
of cross section. Each may be de-excited R times. A bin of solid angle Omega (and energy width) then has
``sum_e w_e n_e / (R Omega)``, n_e its products of event e. The azimuth is integrated over, since no direction across
the beam is special: a detector at an angle is a ring of its acceptance. Rings that overlap share products.

Errors know that the products of an event, and its de-excitations, belong together: the event is what is left out (jack-
knife; for a sum this is ``sqrt(N / (N - 1) sum_e (x_e - mean x)^2)``) or drawn again (bootstrap).

Where nothing was simulated the cross section is 0 and its error is not: ``CrossSection.limit`` is the upper limit of
68 %, -ln(0.32) = 1.14 products of the heaviest weight over R. It is the error of an empty point in chi2; in log ratios
it takes the place of the 0 unless it is above what was measured, where the ratio is 1. So scores with empty points are
finite and never worse than what is known; ``Agreement.empty`` says how many there are.

Conventions: laboratory frame, the beam along z; angles in degrees, momenta MeV/c, energies MeV, weights mb, angular
cross sections b/sr, spectra mb/(sr MeV), integrals mb.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.measured_fragments import AngularDistribution, Spectrum
from cloudchamber.metrics.measured import RESAMPLES, Measured
from cloudchamber.schema import BadInput

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]

EMPTY = -math.log(0.32)
"""Products that are expected at most, with 68 % confidence, where none is found."""

ALL = "all"
"""The name under which the points of all isotopes are scored together."""


@dataclass(frozen=True)
class Products:
    """Cold products of simulated collisions.

    Attributes:
        mass_number, charge: A and Z (product,).
        momentum: px, py, pz (product, 3) [MeV/c].
        kinetic_energy: (product,) [MeV], see ``kinetic_energy``.
        event: the event that it comes from (product,), 0 to N - 1.
        weight: of each event (event,) [mb], see ``uniform_weights``; events without products are there, too.
        repetitions: how often each event was de-excited.
    """

    mass_number: Integers
    charge: Integers
    momentum: Floats
    kinetic_energy: Floats
    event: Integers
    weight: Floats
    repetitions: int = 1

    def __post_init__(self) -> None:
        n, events = len(self.mass_number), len(self.weight)
        shapes = {"charge": (n,), "momentum": (n, 3), "kinetic_energy": (n,), "event": (n,)}
        for name, shape in shapes.items():
            if (found := getattr(self, name)).shape != shape:
                raise BadInput(f"{name} of products: expected shape {shape}, found {found.shape}")
        if events < 2:
            raise BadInput(f"{events} events: the error of a cross section needs at least 2")
        if n and not 0 <= self.event.min() <= self.event.max() < events:
            raise BadInput(f"events {self.event.min()} to {self.event.max()} of products: expected 0 to {events - 1}")
        if self.repetitions < 1:
            raise BadInput(f"{self.repetitions} repetitions: expected 1 or more")
        for name in ("momentum", "kinetic_energy", "weight"):
            if not np.isfinite(getattr(self, name)).all():
                raise BadInput(f"{name} of products: found numbers that are not finite; leave those events out")


@dataclass(frozen=True)
class CrossSection:
    """Simulated cross sections of the points of a measurement.

    Attributes:
        value: (point,), 0 where nothing was found.
        error: standard error (point,), 0 where nothing was found.
        limit: upper limit of 68 % if nothing is found (point,).
    """

    value: Floats
    error: Floats
    limit: Floats


@dataclass(frozen=True)
class Agreement:
    """How well simulated cross sections agree with measured ones.

    Errors are those of the simulated events; those of the log ratios also have the measured errors, as if independent.

    Attributes:
        reduced_chi2: mean of ``(simulated - measured)^2 / (their errors squared)``; n points.
        log_ratio: mean of ``ln(simulated / measured)``: 0.1 is 10 % too much on average.
        absolute_log_ratio: mean of its absolute value: 0.1 is off by 10 % on average.
        empty: number of points in which nothing was simulated.
    """

    reduced_chi2: Measured
    log_ratio: Measured
    absolute_log_ratio: Measured
    empty: int


def uniform_weights(impact_parameter: Floats, low: float, high: float) -> Floats:
    """Cross section [mb] that each event stands for if impact parameters are uniform from ``low`` to ``high``.

    ``2 pi b (high - low) / N``; the sum over all events is near ``pi (high^2 - low^2)``.

    Args:
        impact_parameter: (event,) [fm].
        low: smallest impact parameter that could have been drawn [fm].
        high: largest one [fm].

    Raises:
        BadInput: no events, bounds that are none, or impact parameters beyond them.

    Examples:
        >>> uniform_weights(np.array([2.0, 6.0]), 0, 8).sum() / (10 * np.pi * 64)
        np.float64(1.0)
    """
    b = np.asarray(impact_parameter, np.float64)
    if not 0 <= low < high:
        raise BadInput(f"impact parameters from {low:g} to {high:g} fm: expected 0 <= low < high")
    if b.ndim != 1 or not len(b) or not ((low <= b) & (b <= high)).all():
        raise BadInput(f"impact parameters: expected one an event, from {low:g} to {high:g} fm")
    return np.asarray(10 * 2 * np.pi * b * (high - low) / len(b))


def kinetic_energy(momentum: Floats, mass: Floats) -> Floats:
    """Kinetic energies (product,) [MeV], without cancellation for slow products.

    Args:
        momentum: (product, 3) [MeV/c].
        mass: (product,) [MeV].
    """
    square = (momentum**2).sum(axis=1)
    return np.asarray(square / (np.sqrt(square + mass**2) + mass))


def ring(angle: Floats, half_width: Floats) -> Floats:
    """Solid angle [sr] of rings about the beam, ``2 pi (cos(angle - half_width) - cos(angle + half_width))``.

    Args:
        angle: middle of the ring [deg], any shape.
        half_width: [deg], at most ``angle``.
    """
    return np.asarray(4 * np.pi * np.sin(np.radians(angle)) * np.sin(np.radians(half_width)))


def polar_angle(momentum: Floats) -> Floats:
    """Angle (product,) [deg] to the beam.

    Args:
        momentum: (product, 3).
    """
    return np.asarray(np.degrees(np.arctan2(np.hypot(momentum[:, 0], momentum[:, 1]), momentum[:, 2])))


# --- what was simulated -----------------------------------------------------------------------------------------------


def cross_section_of(weight: Floats, chosen: NDArray[np.bool_]) -> Measured:
    """Cross section [mb] of the events of a kind, such as those that reacted.

    Args:
        weight: of all events (event,) [mb].
        chosen: which are of the kind (event,).
    """
    each = np.where(chosen, weight, 0.0)[:, None]
    return Measured(float(each.sum()), float(jackknife(each)[0]), len(weight))


def angular_distribution(products: Products, measured: AngularDistribution) -> CrossSection:
    """Simulated ``dsigma/dOmega`` [b/sr] at the angles of a measurement, above its threshold.

    Args:
        products: of the simulation.
        measured: angles, acceptances, isotope and threshold.
    """
    return estimate(angular_shares(products, measured), angular_limit(products, measured))


def energy_spectrum(products: Products, measured: Spectrum) -> CrossSection:
    """Simulated ``d2sigma/dE dOmega`` [mb/(sr MeV)] in the bins of a measured spectrum.

    Args:
        products: of the simulation.
        measured: angle, acceptance, isotope and bins.
    """
    acceptance = 2 * measured.half_bin * float(ring(np.array(measured.angle), np.array(measured.half_width)))
    own = of_isotope(products, measured)
    own &= np.abs(polar_angle(products.momentum) - measured.angle) <= measured.half_width
    shares = np.zeros((len(products.weight), len(measured.energy)))
    for column, energy in enumerate(measured.energy):
        offset = products.kinetic_energy - energy
        counted(products, own & (-measured.half_bin <= offset) & (offset < measured.half_bin), shares[:, column])
    limit = np.full(len(measured.energy), EMPTY * products.weight.max() / products.repetitions / acceptance)
    return estimate(shares / acceptance, limit)


def angular_shares(products: Products, measured: AngularDistribution) -> Floats:
    """What each event adds to ``dsigma/dOmega`` [b/sr]: (event, point); the sum over events is the cross section.

    Args:
        products: of the simulation.
        measured: angles, acceptances, isotope and threshold.
    """
    own = of_isotope(products, measured) & (products.kinetic_energy >= measured.threshold)
    theta = polar_angle(products.momentum)
    shares = np.zeros((len(products.weight), len(measured.angle)))
    for column, (angle, half_width) in enumerate(zip(measured.angle, measured.half_width, strict=True)):
        counted(products, own & (np.abs(theta - angle) <= half_width), shares[:, column])
    return np.asarray(1e-3 * shares / ring(measured.angle, measured.half_width))


def angular_limit(products: Products, measured: AngularDistribution) -> Floats:
    """Upper limit of 68 % [b/sr] of each point (point,) in which nothing is found.

    Args:
        products: of the simulation.
        measured: angles and acceptances.
    """
    most = 1e-3 * EMPTY * float(products.weight.max()) / products.repetitions
    return np.asarray(most / ring(measured.angle, measured.half_width))


def of_isotope(products: Products, measured: AngularDistribution | Spectrum) -> NDArray[np.bool_]:
    """Which products (product,) are of the isotope.

    Args:
        products: of the simulation.
        measured: says A and Z.
    """
    return np.asarray((products.mass_number == measured.mass_number) & (products.charge == measured.charge))


def counted(products: Products, chosen: NDArray[np.bool_], into: Floats) -> None:
    """Write the weight [mb] of the chosen products of each event, over the repetitions, into (event,).

    Args:
        products: of the simulation.
        chosen: (product,).
        into: (event,), changed.
    """
    into[:] = np.bincount(products.event[chosen], minlength=len(into)) * products.weight / products.repetitions


def estimate(shares: Floats, limit: Floats) -> CrossSection:
    """Cross sections with their errors from what each event adds.

    Args:
        shares: (event, point).
        limit: (point,).
    """
    return CrossSection(shares.sum(axis=0), jackknife(shares), limit)


def jackknife(shares: Floats) -> Floats:
    """Standard error (point,) of the sum over events when whole events are left out one by one.

    Args:
        shares: (event, point).
    """
    n = len(shares)
    return np.asarray(np.sqrt(n / (n - 1) * np.square(shares - shares.mean(axis=0)).sum(axis=0)))


def resampled(shares: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    """Sums over events (point,) of RESAMPLES bootstrap samples of whole events.

    Args:
        shares: (event, point).
        rng: source of the draws.
    """
    n = len(shares)
    for _ in range(RESAMPLES):
        yield np.bincount(rng.integers(n, size=n), minlength=n) @ shares


# --- against what was measured ----------------------------------------------------------------------------------------


def agreement(
    products: Products, measured: Mapping[str, AngularDistribution], rng: np.random.Generator
) -> dict[str, Agreement]:
    """Scores of every isotope's angular distribution, and of all points together under ``ALL``.

    Args:
        products: of the simulation.
        measured: by isotope.
        rng: source of the bootstrap over events.
    """
    shares = np.concatenate([angular_shares(products, one) for one in measured.values()], axis=1)
    limit = np.concatenate([angular_limit(products, one) for one in measured.values()])
    value = np.concatenate([one.cross_section for one in measured.values()])
    error = np.concatenate([one.error for one in measured.values()])
    simulated = estimate(shares, limit)
    samples = np.stack([simulated.value, *resampled(shares, rng)])  # the first is the simulation itself
    ends = np.cumsum([0, *(len(one.angle) for one in measured.values())])
    parts = {name: slice(ends[number], ends[number + 1]) for number, name in enumerate(measured)}
    return {
        name: scores(
            samples[:, part], CrossSection(simulated.value[part], simulated.error[part], limit[part]), value[part],
            error[part],
        )
        for name, part in {**parts, ALL: slice(None)}.items()
    }  # fmt: skip


def scores(samples: Floats, simulated: CrossSection, value: Floats, error: Floats) -> Agreement:
    """Scores of some points.

    Args:
        samples: cross sections (1 + resample, point), the first as simulated.
        simulated: with errors, which weigh all samples.
        value: measured (point,).
        error: its error (point,).
    """
    n, empty = len(value), simulated.value == 0
    variance = error**2 + np.where(empty, simulated.limit, simulated.error) ** 2
    chi2 = (np.square(samples - value) / variance).mean(axis=1)
    ratio = log_ratio(samples, simulated.limit, value)
    of_data = float(np.sqrt(np.square(error / value).sum())) / n
    means = (ratio.mean(axis=1), np.abs(ratio).mean(axis=1))
    signed, absolute = (Measured(float(mean[0]), math.hypot(float(mean[1:].std(ddof=1)), of_data), n) for mean in means)
    return Agreement(Measured(float(chi2[0]), float(chi2[1:].std(ddof=1)), n), signed, absolute, int(empty.sum()))


def log_ratio(simulated: Floats, limit: Floats, measured: Floats) -> Floats:
    """``ln(simulated / measured)``; where nothing was simulated that of the limit, or 0 if the limit is above the data.

    Args:
        simulated: (..., point).
        limit: (point,).
        measured: (point,).
    """
    return np.asarray(np.log(np.where(simulated > 0, simulated, np.minimum(limit, measured)) / measured))


def integral(angle: Floats, cross_section: Floats) -> Floats:
    """Cross section [mb] between the first and the last angle.

    ``2 pi sin(theta) dsigma/dOmega`` is integrated exactly with ln(dsigma/dOmega) linear in theta between points; where
    one of two points is 0, dsigma/dOmega itself is linear.

    Args:
        angle: (point,) [deg], increasing.
        cross_section: (..., point) [b/sr].

    Returns:
        The shape of ``cross_section`` without its last axis.

    Examples:
        >>> constant = integral(np.array([0.0, 90.0, 180.0]), np.ones(3))
        >>> bool(np.isclose(constant, 4e3 * np.pi))
        True
    """
    theta = np.radians(angle)
    sin, cos = np.sin(theta), np.cos(theta)
    left, right = cross_section[..., :-1], cross_section[..., 1:]
    step, exponential = np.diff(theta), (left > 0) & (right > 0)
    slope = np.where(exponential, np.log(np.where(exponential, right / np.where(left > 0, left, 1), 1)), 0) / step
    grown = right * (slope * sin[1:] - cos[1:]) - left * (slope * sin[:-1] - cos[:-1])
    rise = (right - left) / step
    straight = left * cos[:-1] - right * cos[1:] + rise * (sin[1:] - sin[:-1])
    return np.asarray(2e3 * np.pi * np.where(exponential, grown / (1 + slope**2), straight).sum(axis=-1))


def simulated_integrals(
    products: Products, measured: Mapping[str, AngularDistribution], rng: np.random.Generator
) -> dict[str, Measured]:
    """Cross section [mb] of each isotope over the measured angles from the simulated points, with its bootstrap error.

    Args:
        products: of the simulation.
        measured: by isotope.
        rng: source of the bootstrap over events.
    """
    found = {}
    for name, one in measured.items():
        shares = angular_shares(products, one)
        samples = integral(one.angle, np.stack(list(resampled(shares, rng))))
        value = float(integral(one.angle, shares.sum(axis=0)))
        found[name] = Measured(value, float(samples.std(ddof=1)), len(products.weight))
    return found


def measured_integral(measured: AngularDistribution) -> Measured:
    """Cross section [mb] over the measured angles, and its error if those of the points are independent.

    Args:
        measured: an isotope.
    """
    n = len(measured.angle)
    moved = measured.cross_section + np.diag(measured.error)  # (point, point): each point by its error
    value = float(integral(measured.angle, measured.cross_section))
    return Measured(value, float(np.linalg.norm(integral(measured.angle, moved) - value)), n)
