"""The graph of HEALPix pixels on which spherical convolutions work (Defferrard et al., DeepSphere, arXiv:2012.15000).

Pixels are in nested order, so four children of a pixel follow each other. A pixel is joined to its k nearest ones (all
that are equally far as the k-th, so that the graph has every symmetry of the grid), with weight ``exp(-d^2 / width^2)``
of the chord d between the centres on the unit sphere (plain Gaussian of this width, not the convention in which
``width`` is where the weight has halved). A pair is joined if either is among the other's nearest. The combinatorial
Laplacian ``D - W`` is used: it breaks rotations less at small degrees than the normalised one.

A filter of the sphere commutes with all rotations if and only if it multiplies each degree l by one number. How far the
Laplacian is from that::

    error_l = sum_m |L Y_lm - lambda_l Y_lm|^2 / sum_m |L Y_lm|^2,
    lambda_l = sum_m <Y_lm, L Y_lm> / sum_m <Y_lm, Y_lm>,

is the mean over random functions of degree l, without drawing any. The paper's ``|R L f - L R f|^2 / |L f|^2`` counts
the residual of f and of its rotated copy, hence is about twice as large.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from astropy_healpix import HEALPix
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.sparse.linalg import eigsh
from scipy.spatial import cKDTree
from scipy.special import sph_harm_y

from cloudchamber.schema import BadInput

# Made by fit_width, in units of pixel_side: neighbours, nside. (At nside 1 all pixels are joined, and the scan's end is
# taken: the wider, the better.) tests/layers/test_healpix_graph.py makes some of them again.
WIDTHS: dict[int, dict[int, float]] = {
    8: {1: 2.9999, 2: 1.0181, 4: 0.9293, 8: 0.8711, 16: 0.8375, 32: 0.8261, 64: 0.7970, 128: 0.7766},
    20: {1: 2.9999, 2: 1.6156, 4: 1.2628, 8: 1.1796, 16: 1.1126, 32: 1.0696, 64: 1.0297, 128: 1.0019},
    40: {1: 2.9999, 2: 2.1796, 4: 1.9286, 8: 1.6116, 16: 1.4882, 32: 1.4014, 64: 1.3376, 128: 1.2907},
}


@dataclass(frozen=True)
class HealpixGraph:
    """The Laplacian of the pixels, scaled to eigenvalues in [-1, 1]: ``2 L / largest - 1``.

    Every row has the same number of slots, a multiple of four; what a pixel does not need points to itself with value
    0, behind the ``count`` used ones.

    Attributes:
        index: (pixel, slot) the pixels that are read, int64.
        value: (pixel, slot) their coefficients, float64.
        count: (pixel,) slots in use, int64.
        largest: the largest eigenvalue of the Laplacian before it was scaled.
    """

    nside: int
    neighbours: int
    width: float
    index: NDArray[np.int64]
    value: NDArray[np.float64]
    count: NDArray[np.int64]
    largest: float

    def matrix(self) -> sparse.csr_array:
        """The scaled Laplacian as a sparse matrix (pixel, pixel)."""
        pixels, slots = self.index.shape
        rows = np.repeat(np.arange(pixels), slots)
        matrix = sparse.csr_array((self.value.ravel(), (rows, self.index.ravel())), shape=(pixels, pixels))
        matrix.eliminate_zeros()
        return matrix


def checked_nside(nside: int) -> int:
    """``nside`` itself.

    Raises:
        BadInput: not a power of two.
    """
    if nside < 1 or nside & (nside - 1):
        raise BadInput(f"nside = {nside}: nested HEALPix pixels need a power of two such as 64")
    return nside


@functools.lru_cache(maxsize=16)
def centres(nside: int) -> NDArray[np.float64]:
    """Unit vectors (pixel, 3) to the centres of the nested pixels."""
    longitude, latitude = HEALPix(checked_nside(nside), order="nested").healpix_to_lonlat(np.arange(12 * nside**2))
    phi, theta = longitude.to_value("rad"), np.pi / 2 - latitude.to_value("rad")
    vectors = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1)
    vectors.setflags(write=False)
    return vectors


@functools.lru_cache(maxsize=16)
def _pairs(nside: int, neighbours: int) -> sparse.csr_array:
    """Squared chords (pixel, pixel) of joined pixels, symmetric."""
    if neighbours < 1:
        raise BadInput(f"neighbours = {neighbours}: a pixel needs at least one")
    points = centres(nside)
    pixels = len(points)
    neighbours = min(neighbours, pixels - 1)
    # Eight more than asked for hold the ties; the pixel itself comes first.
    distance, index = cKDTree(points).query(points, k=min(neighbours + 9, pixels))
    joined = distance <= distance[:, [neighbours]] * (1 + 1e-9)
    joined[:, 0] = False
    rows = np.broadcast_to(np.arange(pixels)[:, None], index.shape)[joined]
    half = sparse.csr_array((distance[joined] ** 2, (rows, index[joined])), shape=(pixels, pixels))
    return half.maximum(half.T).tocsr()


def laplacian(nside: int, neighbours: int, width: float) -> sparse.csr_array:
    """Combinatorial Laplacian (pixel, pixel), not scaled.

    Args:
        nside: of the HEALPix grid, a power of two.
        neighbours: k; coarse grids with fewer other pixels join all.
        width: of the Gaussian, in units of the sphere's radius.
    """
    squares = _pairs(nside, neighbours)
    weights = sparse.csr_array((np.exp(-squares.data / width**2), squares.indices, squares.indptr), squares.shape)
    return (sparse.diags_array(weights.sum(axis=1)) - weights).tocsr()


@functools.lru_cache(maxsize=16)
def _harmonics(nside: int, degree: int) -> NDArray[np.complex128]:
    """Y_lm (pixel, m) of one degree at the centres, m = 0 to l, those of m > 0 times sqrt 2 for those of m < 0."""
    x, y, z = centres(nside).T
    theta, phi = np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)
    return np.stack(
        [sph_harm_y(degree, m, theta, phi) * (1 if m == 0 else np.sqrt(2)) for m in range(degree + 1)], axis=1
    )


def equivariance_error(matrix: sparse.csr_array, nside: int, degree: int) -> float:
    """How far ``matrix`` (pixel, pixel) is from commuting with rotations on functions of one degree, see above."""
    functions = _harmonics(nside, degree)
    filtered = matrix @ functions
    multiplier = np.vdot(functions, filtered).real / np.vdot(functions, functions).real
    residual = filtered - multiplier * functions
    return float(np.vdot(residual, residual).real / np.vdot(filtered, filtered).real)


def fitted_degrees(nside: int) -> tuple[int, int]:
    """The degrees for which the width is fitted: 8 and 32; grids coarser than nside 32 get nside / 4 and nside."""
    return max(1, min(nside // 4, 8)), min(nside, 32)


def fit_width(nside: int, neighbours: int) -> float:
    """The width with the smallest equivariance error of the Laplacian, mean over ``fitted_degrees``.

    Returns:
        The width in units of the sphere's radius, to about 1e-4 relative.
    """
    side = pixel_side(nside)

    def error(width: float) -> float:
        matrix = laplacian(nside, neighbours, width * side)
        return float(np.mean([equivariance_error(matrix, nside, degree) for degree in fitted_degrees(nside)]))

    # A coarse scan first: for few pixels the error has more than one minimum.
    scan = np.geomspace(0.4, 3, 16)
    best = int(np.argmin([error(width) for width in scan]))
    bounds = scan[max(best - 1, 0)], scan[min(best + 1, len(scan) - 1)]
    return float(minimize_scalar(error, bounds=bounds, method="bounded", options={"xatol": 1e-4}).x) * side


def pixel_side(nside: int) -> float:
    """Square root of a pixel's solid angle, rad."""
    return float(np.sqrt(4 * np.pi / (12 * nside**2)))


def default_width(nside: int, neighbours: int) -> float:
    """The tabulated ``fit_width``; for other numbers of neighbours and finer grids it is fitted now."""
    table = WIDTHS.get(neighbours, {})
    if nside in table:
        return table[nside] * pixel_side(nside)
    return fit_width(nside, neighbours)


@functools.lru_cache(maxsize=16)
def healpix_graph(nside: int, neighbours: int) -> HealpixGraph:
    """The graph of a HEALPix grid; built once a process.

    Args:
        nside: a power of two.
        neighbours: of a pixel; 20 breaks rotations about 15 times less than 8.

    Raises:
        BadInput: ``nside`` is not a power of two, or no neighbours.
    """
    width = default_width(checked_nside(nside), neighbours)
    matrix = laplacian(nside, neighbours, width)
    pixels = matrix.shape[0]
    start = np.random.default_rng(0).standard_normal(pixels)  # a fixed one, so that the result is always the same
    if pixels <= 48:
        largest = float(np.linalg.eigvalsh(matrix.toarray())[-1])
    else:
        largest = float(eigsh(matrix, k=1, which="LA", tol=1e-6, v0=start, return_eigenvectors=False)[0])
    scaled = (matrix * (2 / largest) - sparse.eye_array(pixels)).tocsr()
    scaled.sort_indices()
    count = np.diff(scaled.indptr)
    slots = -(-int(count.max()) // 4) * 4
    index = np.repeat(np.arange(pixels)[:, None], slots, axis=1)
    value = np.zeros((pixels, slots))
    used = np.arange(slots) < count[:, None]
    index[used], value[used] = scaled.indices, scaled.data
    for array in (index, value, count):
        array.setflags(write=False)
    return HealpixGraph(nside, neighbours, width, index, value, count.astype(np.int64), largest)
