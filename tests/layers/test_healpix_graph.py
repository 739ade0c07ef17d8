"""The graph of HEALPix pixels: nearest neighbours by brute force, symmetry, spectrum, equivariance."""

import time

import numpy as np
import pytest
from scipy.special import sph_harm_y

from cloudchamber.layers import healpix_graph as home
from cloudchamber.layers.healpix_graph import (
    WIDTHS,
    centres,
    equivariance_error,
    fit_width,
    fitted_degrees,
    healpix_graph,
    laplacian,
    pixel_side,
)
from cloudchamber.schema import BadInput


def test_laplacian_is_the_one_of_all_pairs() -> None:
    points, width, k = centres(4), 0.25, 8
    squares = np.square(points[:, None] - points).sum(axis=2)
    nearest = np.sort(squares, axis=1)[:, [k]]  # the pixel itself comes first
    joined = (squares <= nearest * (1 + 1e-9)) & ~np.eye(192, dtype=bool)
    weights = np.where(joined | joined.T, np.exp(-squares / width**2), 0)
    expected = np.diag(weights.sum(axis=1)) - weights
    np.testing.assert_allclose(laplacian(4, k, width).toarray(), expected, atol=1e-12)


@pytest.mark.parametrize("nside", [1, 2, 8])
def test_scaled_spectrum_is_from_minus_one_to_one(nside: int) -> None:
    dense = healpix_graph(nside, 20).matrix().toarray()
    assert np.array_equal(dense, dense.T)
    eigenvalues = np.linalg.eigvalsh(dense)
    # Constants have eigenvalue 0 before scaling; the largest one is found to 1e-6.
    np.testing.assert_allclose(eigenvalues[[0, -1]], [-1, 1], atol=1e-5)


def test_slots_come_in_fours_and_fill_up_with_nothing() -> None:
    graph = healpix_graph(8, 20)
    assert graph.index.shape[1] % 4 == 0
    used = np.arange(graph.index.shape[1]) < graph.count[:, None]
    assert np.all(graph.value[~used] == 0)
    assert np.array_equal(graph.index[~used], np.broadcast_to(np.arange(768)[:, None], used.shape)[~used])


def test_graph_has_the_symmetries_of_the_grid() -> None:
    # Quarter turns about z and the mirrors take pixels to pixels: the Laplacian must not notice.
    points, matrix = centres(8), healpix_graph(8, 20).matrix().toarray()
    for image in (points[:, [1, 0, 2]] * [-1, 1, 1], points * [1, 1, -1], points * [1, -1, 1]):
        where = np.argmax(image @ points.T, axis=1)
        assert np.array_equal(np.sort(where), np.arange(768))
        np.testing.assert_allclose(matrix[np.ix_(where, where)], matrix, atol=1e-12)


def test_error_is_the_mean_over_random_functions() -> None:
    # The closed form against its definition with drawn functions of degree 8: 400 of 17 numbers each, about 1 %.
    matrix, points, rng = laplacian(16, 8, 0.06), centres(16), np.random.default_rng(4)
    theta, phi = np.arccos(points[:, 2]), np.arctan2(points[:, 1], points[:, 0])
    harmonics = np.stack([sph_harm_y(8, m, theta, phi) for m in range(-8, 9)], axis=1)
    functions = harmonics @ (rng.standard_normal((17, 400)) + 1j * rng.standard_normal((17, 400)))
    filtered = matrix @ functions
    multiplier = np.vdot(harmonics, matrix @ harmonics).real / np.vdot(harmonics, harmonics).real
    drawn = np.square(abs(filtered - multiplier * functions)).sum() / np.square(abs(filtered)).sum()
    assert drawn == pytest.approx(equivariance_error(matrix, 16, 8), rel=0.05)


def test_rotation_equivariant_filter_has_no_error() -> None:
    # A projection on degree 3 multiplies it by one number. The quadrature of the pixels is not exact: 1e-6.
    points = centres(16)
    cosine = points @ points.T
    projection = (5 * cosine**3 - 3 * cosine) / 2
    assert equivariance_error(projection, 16, 3) < 1e-5


@pytest.mark.parametrize(("nside", "neighbours"), [(2, 20), (8, 8), (16, 40), (32, 20)])
def test_tabulated_width_is_the_fitted_one(nside: int, neighbours: int) -> None:
    # Four digits are tabulated, the minimum is found to 1e-4 of it.
    assert WIDTHS[neighbours][nside] * pixel_side(nside) == pytest.approx(fit_width(nside, neighbours), rel=5e-4)


@pytest.mark.parametrize(("nside", "neighbours", "bound"), [(64, 8, 7e-3), (64, 20, 4e-4), (32, 40, 5e-5)])
def test_rotations_err_little_at_degrees_8_and_32(nside: int, neighbours: int, bound: float) -> None:
    # Measured 5.7e-3, 3.2e-4, 3.5e-5; in the definition with |R L f - L R f| twice that.
    matrix = laplacian(nside, neighbours, home.default_width(nside, neighbours))
    assert fitted_degrees(nside) == (8, 32)
    assert np.mean([equivariance_error(matrix, nside, degree) for degree in (8, 32)]) < bound


def test_largest_graph_is_made_in_three_seconds() -> None:
    for cached in (home.healpix_graph, home._pairs, home.centres):
        cached.cache_clear()
    start = time.process_time()
    graph = healpix_graph(64, 20)
    assert time.process_time() - start < 3
    assert healpix_graph(64, 20) is graph


def test_wrong_nside_and_neighbours_are_refused() -> None:
    with pytest.raises(BadInput, match="nside = 12"):
        healpix_graph(12, 8)
    with pytest.raises(BadInput, match="neighbours = 0"):
        healpix_graph(4, 0)
