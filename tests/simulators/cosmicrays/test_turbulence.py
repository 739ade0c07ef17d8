"""The turbulent box: unit rms, no divergence, Kolmogorov spectrum, coherence length; the striated field's signs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.simulators.cosmicrays.turbulence import (
    COHERENCE,
    SPACING,
    between,
    coherence_length,
    longest_wave,
    striation_sign,
    turbulent_box,
)

CELLS = 128


@pytest.fixture(scope="module")
def box() -> NDArray[np.float32]:
    return turbulent_box(3)


def test_field_has_unit_rms_also_between_grid_points(box: NDArray[np.float32]) -> None:
    rng = np.random.default_rng(1)
    squares = [sum(b * b for b in between(box, *place)) for place in rng.uniform(-5, 5, (40_000, 3))]
    # 40000 places see about (1.28 / 0.1)^3 = 2000 independent cells of three components: 2 % of the square
    assert np.mean(squares) == pytest.approx(1.0, abs=0.06)


def test_field_between_grid_points_is_trilinear_and_periodic(box: NDArray[np.float32]) -> None:
    """At a point its value, halfway the mean of neighbours, and periodic."""
    place = np.array([5, 126, 127]) * SPACING
    assert between(box, *(place + 1e-12)) == pytest.approx(box[5, 126, 127], abs=1e-5)
    corners = box[5:7, 126:128][:, :, [127, 0]].reshape(8, 3).mean(axis=0)
    assert between(box, *(place + SPACING / 2)) == pytest.approx(corners, abs=1e-5)
    shifted = place + SPACING / 3 - np.array([2, -3, 1]) * CELLS * SPACING
    assert between(box, *shifted) == pytest.approx(between(box, *(place + SPACING / 3)), abs=1e-5)


def test_turbulence_has_no_divergence_and_kolmogorovs_spectrum(box: NDArray[np.float32]) -> None:
    modes = np.fft.fftn(box.astype(np.float64), axes=(0, 1, 2))
    waves = np.fft.fftfreq(CELLS, 1 / CELLS)
    k = np.stack(np.meshgrid(waves, waves, waves, indexing="ij"), axis=-1)
    size = np.linalg.norm(k, axis=-1)
    power = np.sum(np.abs(modes) ** 2, axis=-1)
    # single precision: 1e-7 relative to the strongest of the modes
    assert np.abs(np.sum(k * modes, axis=-1)).max() < 1e-5 * np.sqrt(power.max()) * size.max()
    lowest = CELLS * SPACING / longest_wave()
    assert power[(size < lowest) | (size >= CELLS / 2)].max() < 1e-9 * power.max()
    edges = np.geomspace(lowest, CELLS / 2, 9)
    mean = [power[(size >= low) & (size < high)].mean() for low, high in itertools.pairwise(edges)]
    centre = [size[(size >= low) & (size < high)].mean() for low, high in itertools.pairwise(edges)]
    slope = np.polyfit(np.log(centre), np.log(mean), 1)[0]
    assert slope == pytest.approx(-11 / 3, abs=0.15)  # the first shell holds a few hundred modes: 5 %


def test_coherence_length_is_that_of_the_definition(box: NDArray[np.float32]) -> None:
    """L_c = integral of <B(0).B(x)> / <B^2> over all x (Harari et al.), from the box itself along its axes."""
    assert coherence_length(longest_wave(), 2 * SPACING) == pytest.approx(COHERENCE, rel=1e-9)
    correlation = np.zeros(CELLS)
    for axis in range(3):
        modes = np.abs(np.fft.fft(box.astype(np.float64), axis=axis)) ** 2
        line = np.fft.ifft(modes.sum(axis=-1), axis=axis).real
        correlation += line.sum(axis=tuple(other for other in range(3) if other != axis))
    measured = SPACING * correlation.sum() / correlation[0]
    # the waves of a plane have the weight of a few dozen modes: 10 %
    assert measured == pytest.approx(COHERENCE, rel=0.2)


def test_the_seed_alone_decides_the_box(box: NDArray[np.float32]) -> None:
    other = turbulent_box(4)
    assert abs(np.mean(box * other)) < 0.01
    assert np.array_equal(turbulent_box(4), other)


def test_striation_signs_are_fair_and_alike_within_a_cube() -> None:
    rng = np.random.default_rng(1)
    cubes = rng.integers(-200, 200, (20_000, 3))
    key = np.uint64(5)
    signs = np.array([striation_sign(*(0.1 * cube + 0.03), key) for cube in cubes])
    again = np.array([striation_sign(*(0.1 * cube + 0.07), key) for cube in cubes])
    beside = np.array([striation_sign(*(0.1 * cube + [0.13, 0.03, 0.03]), key) for cube in cubes])
    other = np.array([striation_sign(*(0.1 * cube + 0.03), np.uint64(6)) for cube in cubes])
    assert set(signs) == {-1.0, 1.0}
    assert np.array_equal(signs, again)
    for product in (signs, signs * beside, signs * other):
        assert abs(product.mean()) < 4 / math.sqrt(len(signs))  # 4 sigma
