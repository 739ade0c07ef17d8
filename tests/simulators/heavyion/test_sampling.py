"""Nucleon positions against quadrature of the density, isotropy, distances.

Statistical tolerances are 5 standard errors: with about 100 comparisons a false alarm has probability 1e-4.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.simulators.heavyion.nuclei import Nucleus, nucleus, surface_radius
from cloudchamber.simulators.heavyion.randomness import key_of, mix, normal_pair, uniform, unit_gamma
from cloudchamber.simulators.heavyion.sampling import draw_body, rotation, sampler


def positions(one: Nucleus, nuclei: int, seed: int = 1) -> NDArray[np.float64]:
    """Body-frame positions (nucleus, nucleon, xyz)."""
    view, out = sampler(one), np.zeros((8, one.mass_number))
    drawn = np.empty((nuclei, one.mass_number, 3))
    for i in range(nuclei):
        draw_body(view, np.uint64(key_of(np.uint64(seed), 2 * i)), np.uint64(key_of(np.uint64(seed), 2 * i + 1)), out)
        drawn[i] = out[4:7].T
    return drawn


def moments(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per-point functions whose means characterise a density (function, point)."""
    x, y, z = points.reshape(-1, 3).T
    r2 = x * x + y * y + z * z
    r = np.sqrt(r2)
    return np.stack(
        [r, r2, r2 * r2, 1 / (1 + r), 2 * z**2 - x**2 - y**2, x**2 - y**2, z * r2, z**4, (r > 9.0) * 1.0, (r < 3) * 1.0]
    )


def by_quadrature(one: Nucleus, radius: float, diffuseness: float) -> NDArray[np.float64]:
    """Means of ``moments`` over the Woods-Saxon density."""
    c, wc = np.polynomial.legendre.leggauss(48)
    phi = (np.arange(32) + 0.5) * math.pi / 16
    # Panels end where functions jump.
    edges = np.array([0, 3, 6, 9, 12, 16, 30.0])
    node, weight = np.polynomial.legendre.leggauss(40)
    r = np.concatenate([(a + b) / 2 + (b - a) / 2 * node for a, b in itertools.pairwise(edges)])
    wr = np.concatenate([(b - a) / 2 * weight for a, b in itertools.pairwise(edges)])
    rr, cc, pp = np.meshgrid(r, c, phi, indexing="ij")
    surface = surface_radius(one, cc, pp) / one.radius * radius
    shape = np.maximum(1 + one.parabolic * (rr / radius) ** 2, 0)
    w = wr[:, None, None] * wc[None, :, None] * rr**2 * shape / (1 + np.exp((rr - surface) / diffuseness))
    s = np.sqrt(1 - cc**2)
    points = np.stack([rr * s * np.cos(pp), rr * s * np.sin(pp), rr * cc], axis=-1)
    values = moments(points)
    return (values * w.ravel()).sum(axis=1) / w.sum()


SHAPES = {
    "spherical": nucleus("Pb"),
    "uranium": nucleus("U"),
    "oblate": nucleus("U", beta2=-0.4, beta4=-0.15),
    "triaxial": nucleus("U", beta2=0.35, beta4=0.05, gamma=0.5),
    "octupole": nucleus("Zr", beta3=0.25),
    "light": nucleus("O"),
    "light, w > 0": nucleus("O2"),
    "diffuse": nucleus("Cu", radius=3.0, diffuseness=0.8, beta2=0.3),
}


@pytest.mark.parametrize("label", SHAPES)
def test_positions_follow_the_density(label: str) -> None:
    one = SHAPES[label]
    values = moments(positions(one, 200_000 // one.mass_number))
    expected = by_quadrature(one, one.radius, one.diffuseness)
    error = values.std(axis=1) / math.sqrt(values.shape[1])
    assert np.all(np.abs(values.mean(axis=1) - expected) < 5 * error + 1e-4 * np.abs(expected))


def test_neutrons_have_their_own_density() -> None:
    skin = nucleus("Pb2")
    drawn = positions(skin, 2000)
    for part, (radius, diffuseness) in zip((drawn[:, :82], drawn[:, 82:]), skin.densities, strict=True):
        values = moments(part)
        error = values.std(axis=1) / math.sqrt(values.shape[1])
        assert np.all(np.abs(values.mean(axis=1) - by_quadrature(skin, radius, diffuseness)) < 5 * error + 1e-4)


def test_deuteron_is_hulthen_and_symmetric() -> None:
    drawn = positions(nucleus("d"), 40_000)
    assert np.allclose(drawn[:, 0], -drawn[:, 1])
    r = np.linspace(0, 60, 60_001)
    w = (np.exp(-0.457 * r) - np.exp(-2.35 * r)) ** 2
    radii = np.linalg.norm(drawn[:, 0], axis=1)
    assert abs(radii.mean() - (w * r).sum() / w.sum()) < 5 * radii.std() / 200
    assert not positions(nucleus("p"), 2).any()


def test_rotations_are_proper_and_uniform() -> None:
    """Every entry of a uniform rotation has mean 0, variance 1/3 and fourth moment 1/5."""
    matrix, drawn = np.empty((3, 3)), []
    for i in range(20_000):
        rotation(np.uint64(key_of(np.uint64(5), i)), matrix)
        drawn.append(matrix.copy())
    stack = np.array(drawn)
    assert np.allclose(stack @ stack.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(stack), 1)
    for power, mean in ((1, 0), (2, 1 / 3), (3, 0), (4, 1 / 5)):
        values = stack**power
        assert np.all(np.abs(values.mean(axis=0) - mean) < 5 * values.std(axis=0) / math.sqrt(len(stack)))


def pair_distances(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    upper = np.triu_indices(drawn.shape[1], 1)
    return np.concatenate([np.linalg.norm(one[upper[0]] - one[upper[1]], axis=1) for one in drawn])


@pytest.mark.parametrize("one", [nucleus("Pb"), nucleus("U"), nucleus("Zr"), nucleus("U", gamma=0.5)])
def test_minimum_distance_is_kept_and_leaves_radii_alone(one: Nucleus) -> None:
    cored = nucleus(one.name if one.gamma == 0 else "U", gamma=one.gamma or None, minimum_distance=1.0)
    free, kept = positions(one, 60), positions(cored, 60)
    close = pair_distances(free) < 1.0
    still = pair_distances(kept) < 1.0
    assert close.sum() > 1000
    # TRENTo: 0.03 % of the nucleons of U cannot be placed at 1 fm; pear shapes have no flip in z to try.
    assert still.sum() < 0.02 * close.sum()
    assert np.allclose(np.linalg.norm(free, axis=2), np.linalg.norm(kept, axis=2))


def test_miller_spencer_suppresses_close_pairs_as_it_says() -> None:
    """The ratio of pair distances to the uncorrelated ones is C(r), capped at 1, to 10 % of 1."""
    edges = np.linspace(0, 3, 13)
    counts = [
        np.histogram(pair_distances(positions(one, 300)), edges)[0].astype(float)
        for one in (nucleus("Pb"), nucleus("Pb", correlation="miller_spencer"))
    ]
    r = (edges[1:] + edges[:-1]) / 2
    correlation = np.minimum((1 - np.exp(-1.1 * r**2) * (1 - 0.68 * r**2)) ** 2, 1)
    measured = counts[1] / counts[0]
    assert np.all(np.abs(measured - correlation)[1:] < 0.1)
    assert measured[0] < 0.1


def test_common_random_numbers_move_nucleons_smoothly() -> None:
    """A small change of shape moves every nucleon a little: rejection would move some anywhere."""
    one, two = (positions(nucleus("U", beta2=b), 50) for b in (0.28, 0.29))
    assert np.linalg.norm(one - two, axis=2).max() < 0.5
    assert np.linalg.norm(one - two, axis=2).mean() < 0.05


@pytest.mark.parametrize("shape", [0.3, 1.0, 2.5])
def test_gamma_numbers_have_their_mean_and_variance(shape: float) -> None:
    values = np.array([unit_gamma(np.uint64(key_of(np.uint64(3), i)), shape) for i in range(20_000)])
    assert abs(values.mean() - 1) < 5 / math.sqrt(shape * len(values))
    assert values.var() == pytest.approx(1 / shape, rel=0.12)


def test_uniform_and_normal_numbers_have_their_moments() -> None:
    key = np.uint64(mix(np.uint64(9)))
    u = np.array([uniform(key, i) for i in range(20_000)])
    assert 0 <= u.min() < u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * math.sqrt(1 / 12 / len(u))
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 5 / math.sqrt(len(u))
    x = np.array([normal_pair(key, 2 * i) for i in range(10_000)])
    assert np.all(np.abs(x.mean(axis=0)) < 0.05)
    assert np.all(np.abs(x.std(axis=0) - 1) < 0.04)
