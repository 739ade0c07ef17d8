"""How well air showers were reconstructed: direction, core, energy and depth, in bins of energy and zenith angle.

Conventions of the field: the angular resolution is the 68 % quantile of the angle between reconstructed and true axis,
that of the core the same quantile of their distance on the ground; the energy resolution is half of the central 68 %
of E / E_true, and its bias the median minus 1; that of the depth its root mean square. Errors are bootstrapped over
showers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Prediction
from cloudchamber.data.surface_array import TARGETS, axes_of
from cloudchamber.metrics.calibration import coverage
from cloudchamber.metrics.measured import Measured, Values, bootstrap
from cloudchamber.metrics.rows import LEVELS, Row, row

ENERGY_EDGES = (18.5, 19.0, 19.5, 20.0)
"""Of bins in log10(E / eV)."""
ZENITH_EDGES = (0.0, 30.0, 45.0, 60.0)
"""Of bins in degrees."""
FEWEST = 10
"""Showers of a bin that has rows."""


def opening_angle(truth: NDArray[Any], said: NDArray[Any]) -> NDArray[np.float64]:
    """Angle between axes [degrees], (shower,), of targets (shower, 6); nan where there is no axis."""
    one, other = axes_of(truth), axes_of(said)
    chord = np.linalg.norm(one - other, axis=1)  # the arc cosine of nearly 1 would lose digits
    return np.asarray(np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1))))


def core_distance(truth: NDArray[Any], said: NDArray[Any]) -> NDArray[np.float64]:
    """Distance of cores on the ground [m], (shower,), of targets (shower, 6)."""
    return np.asarray(np.hypot(*(said[:, 2:4].astype(np.float64) - truth[:, 2:4]).T))


def energy_ratio(truth: NDArray[Any], said: NDArray[Any]) -> NDArray[np.float64]:
    """Reconstructed over true energy (shower,) of targets (shower, 6)."""
    return np.asarray(10 ** (said[:, 4].astype(np.float64) - truth[:, 4]))


def quantile_68(values: Values, rng: np.random.Generator) -> Measured:
    """The 68 % quantile of positive errors.

    Examples:
        >>> quantile_68(np.arange(101.0), np.random.default_rng(1)).value
        68.0
    """
    return bootstrap(lambda _, found: float(np.quantile(found, 0.68)), np.zeros_like(values), values, rng)


def half_of_central_68(values: Values, rng: np.random.Generator) -> Measured:
    """Half the distance of the 16 % and the 84 % quantile: one standard deviation of a Gaussian."""
    return bootstrap(
        lambda _, found: float(np.diff(np.quantile(found, (0.16, 0.84)))[0] / 2), np.zeros_like(values), values, rng
    )


def median_bias(values: Values, rng: np.random.Generator) -> Measured:
    """Median of a ratio minus 1."""
    return bootstrap(lambda _, found: float(np.median(found)) - 1, np.zeros_like(values), values, rng)


def mean_bias(values: Values, rng: np.random.Generator) -> Measured:
    """Mean of a difference."""
    return bootstrap(lambda _, found: float(found.mean()), np.zeros_like(values), values, rng)


def root_mean_square(values: Values, rng: np.random.Generator) -> Measured:
    """Root of the mean of the squares."""
    return bootstrap(lambda _, found: float(np.sqrt(np.square(found).mean())), np.zeros_like(values), values, rng)


def bins(truth: NDArray[Any]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """All showers ("all"), and those of each bin of energy ("lgE 18.5-19.0") and zenith angle ("zenith 0-30")."""
    yield "all", np.ones(len(truth), bool)
    zenith = np.degrees(np.arccos(axes_of(truth)[:, 2]))
    for values, edges, form in (
        (truth[:, 4], ENERGY_EDGES, "lgE {:.1f}-{:.1f}"),
        (zenith, ZENITH_EDGES, "zenith {:.0f}-{:.0f}"),
    ):
        for low, high in pairwise(edges):
            yield form.format(low, high), (values >= low) & (values < high + 1e-6 * (high == edges[-1]))


Statistic = Callable[[Values, np.random.Generator], Measured]


def shower_rows(
    truth: NDArray[np.floating[Any]], predictions: Mapping[str, Prediction], rng: np.random.Generator
) -> list[Row]:
    """Rows of every method for what it reconstructs.

    Args:
        truth: (shower, 6), see ``data.surface_array.TARGETS``.
        predictions: by method; nan for what it does not reconstruct.
        rng: source of the bootstrap.

    Returns:
        By bin (the row's target): ``angular_resolution`` [degrees], ``core_resolution`` [m], ``energy_bias`` and
        ``energy_resolution`` (of E / E_true), ``xmax_bias`` and ``xmax_resolution`` [g/cm2]; by target of the
        reconstruction, where uncertainties are stated: ``coverage_68`` and ``coverage_95``.
    """
    parts = [(name, inside) for name, inside in bins(truth) if inside.sum() >= FEWEST]
    rows: list[Row] = []
    for method, prediction in predictions.items():
        said = prediction.mean
        measures: list[tuple[NDArray[np.float64], str, Statistic, str]] = []
        if np.isfinite(said[:, :2]).all():
            measures.append((opening_angle(truth, said), "angular_resolution", quantile_68, "degrees"))
        if np.isfinite(said[:, 2:4]).all():
            measures.append((core_distance(truth, said), "core_resolution", quantile_68, "m"))
        if np.isfinite(said[:, 4]).all():
            ratio = energy_ratio(truth, said)
            measures += [(ratio, "energy_bias", median_bias, ""), (ratio, "energy_resolution", half_of_central_68, "")]
        if np.isfinite(said[:, 5]).all():
            off = (said[:, 5] - truth[:, 5]).astype(np.float64)
            measures += [(off, "xmax_bias", mean_bias, "g/cm2"), (off, "xmax_resolution", root_mean_square, "g/cm2")]
        for name, inside in parts:
            rows += [
                row(method, name, metric, how(values[inside], rng), unit) for values, metric, how, unit in measures
            ]
        if prediction.std is not None:
            for column, target in enumerate(TARGETS):
                for level in LEVELS if np.isfinite(said[:, column]).all() else ():
                    covered = coverage(truth[:, column], said[:, column], prediction.std[:, column], level)
                    rows.append(row(method, target, f"coverage_{100 * level:.0f}", covered))
    return rows
