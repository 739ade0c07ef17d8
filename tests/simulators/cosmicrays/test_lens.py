"""The lens: identity without a field, Liouville, magnification by a slow sum, shrinking deflection, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy_healpix.core import xyz_to_healpix
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays.lens import (
    Lens,
    default_rigidities,
    lensed_arrivals,
    magnification,
    make_lens,
    pixel_centres,
)
from cloudchamber.simulators.cosmicrays.tracking import track


@pytest.fixture(scope="module")
def lens() -> Lens:
    return make_lens("jf12-regular", 16, np.array([10.0, 20.0, 60.0]))


def sources(n: int, seed: int) -> NDArray[np.float64]:
    """Isotropic unit vectors."""
    vectors = np.random.default_rng(seed).standard_normal((n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_lens_holds_what_tracking_finds_for_its_pixels(lens: Lens) -> None:
    assert lens.outside.shape == (3, 3072, 3)
    assert lens.outside.dtype == np.float32
    some = pixel_centres(16)[::500]
    assert lens.outside[1, ::500] == pytest.approx(track("jf12-regular", some, 20.0), abs=1e-6)


def test_without_a_field_arrivals_are_the_source() -> None:
    nside = 16
    empty = Lens("none", nside, np.array([1.0, 100.0]), np.repeat(pixel_centres(nside)[None].astype(np.float32), 2, 0))
    sigma = math.sqrt(4 * math.pi / (12 * nside**2))
    rng = np.random.default_rng(1)
    along: list[float] = []
    for source in sources(20, 2):
        directions, seen = lensed_arrivals(empty, source, np.full(500, 10.0), rng)
        assert seen.mean() > 0.97  # magnifications are 1 up to the pixels' grid: 1 %
        assert np.linalg.norm(directions, axis=1) == pytest.approx(1, abs=1e-9)
        angles = np.arccos(np.minimum(1, directions @ source))
        assert angles.max() < (4 + 1.2) * sigma  # the cut, and from a pixel's centre to its corner
        along.extend(angles)
    # two components of sigma each, and of a pixel's width over sqrt(12) each: 10000 arrivals give 1 %
    assert np.mean(np.square(along)) == pytest.approx(2 * sigma**2 * (1 + 1 / 12), rel=0.04)


def test_magnification_is_the_slow_sum(lens: Lens) -> None:
    """Sum over pixels of solid angle times von Mises-Fisher brightness, which integrates to one."""
    kappa = 12 * 16**2 / (4 * math.pi)
    for source in sources(5, 3):
        for bin_ in range(3):
            expected = 0.0
            for outside in lens.outside[bin_].astype(np.float64):
                expected += 2 * kappa / (1 - math.exp(-2 * kappa)) * math.exp(kappa * (source @ outside - 1)) / 3072
            # the cut at 4 sigma moves exp(-8) = 3e-4 of the source inwards; more where a caustic lies beside it
            assert magnification(lens, source)[bin_] == pytest.approx(expected, rel=5e-3, abs=2e-3)


def test_isotropic_sources_are_isotropic_at_earth(lens: Lens) -> None:
    """Liouville: many sources seen with one ``largest`` fill the sky evenly, also where each is magnified."""
    rng = np.random.default_rng(4)
    largest = 12.0
    per_source = 24
    counts = np.zeros(192)
    for source in sources(20_000, 5):
        directions, seen = lensed_arrivals(lens, source, np.full(per_source, 20.0), rng, largest)
        counts += np.bincount(xyz_to_healpix(*directions[seen].T, 4, order="nested"), minlength=192)
    total = counts.sum()
    assert total == pytest.approx(20_000 * per_source / largest, rel=0.03)  # mean magnification 1; 40000 seen
    chi2 = np.sum((counts - total / 192) ** 2) / (total / 192) / 191
    # One if all were independent; the arrivals of a source (2 on average, up to 24) are close together: 1.7 measured.
    assert chi2 < 2.5
    unweighted = np.zeros(192)
    for source in sources(2_000, 6):
        directions, _ = lensed_arrivals(lens, source, np.full(per_source, 20.0), rng)
        unweighted += np.bincount(xyz_to_healpix(*directions.T, 4, order="nested"), minlength=192)
    # The same number of cosmic rays from each source, whatever its magnification, leaves some regions empty.
    assert unweighted.min() < 0.5 * counts.min() / counts.mean() * unweighted.mean()


def test_seen_follows_the_magnification(lens: Lens) -> None:
    """Within one source the fractions seen of two bins are as their magnifications."""
    rng = np.random.default_rng(7)
    for source in sources(5, 8):
        expected = magnification(lens, source)
        for bin_, rigidity in enumerate(lens.rigidities):
            _, seen = lensed_arrivals(lens, source, np.full(4000, rigidity), rng)
            p = expected[bin_] / expected.max()
            assert seen.mean() == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 4000) + 1e-9)  # 4 sigma


def test_rigidities_between_bins_share_both_bins(lens: Lens) -> None:
    """Halfway in log R each bin gets half; above the last bin all belong to it."""
    away = np.array([0.0, 0.0, 1.0], np.float32)
    here = np.broadcast_to(away, (3072, 3))
    two = Lens("toy", 16, np.array([10.0, 40.0]), np.stack([here, -here]))
    rng = np.random.default_rng(9)
    source = away.astype(np.float64)
    for rigidity, share in ((10.0, 1.0), (20.0, 0.5), (40.0, 0.0), (400.0, 0.0)):
        _, seen = lensed_arrivals(two, source, np.full(4000, rigidity), rng)
        assert seen.mean() == pytest.approx(share, abs=0.04)  # 4 sigma are 0.03


def test_deflection_shrinks_with_the_rigidity(lens: Lens) -> None:
    moved = np.linalg.norm(lens.outside - pixel_centres(16), axis=-1).mean(axis=1)
    assert np.all(np.diff(moved) < 0)
    assert moved[2] < 0.5 * moved[0]


def test_directions_that_see_nothing_are_marked_unseen() -> None:
    trapped = Lens("toy", 2, np.array([10.0]), np.zeros((1, 48, 3), np.float32))
    source = np.array([1.0, 0.0, 0.0])
    directions, seen = lensed_arrivals(trapped, source, np.array([10.0, 20.0]), np.random.default_rng(1))
    assert not seen.any()
    assert np.array_equal(directions, [source, source])


def test_same_generator_same_arrivals(lens: Lens) -> None:
    source, rigidity = sources(1, 1)[0], np.linspace(10, 60, 100)
    one, two = (lensed_arrivals(lens, source, rigidity, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])


def test_default_rigidities_reach_from_nitrogen_to_300_ev() -> None:
    grid = default_rigidities()
    assert len(grid) == 20
    assert grid[[0, -1]] == pytest.approx([5, 300])
    assert grid[0] < 40 / 7  # nitrogen of 40 EeV
    assert np.diff(np.log(grid)) == pytest.approx(np.log(60) / 19)


@pytest.mark.parametrize("rigidity", [5.0, math.nan])
def test_a_rigidity_below_the_lens_is_refused(lens: Lens, rigidity: float) -> None:
    with pytest.raises(BadInput, match="below the lens's 10 EV"):
        lensed_arrivals(lens, np.array([1.0, 0, 0]), np.array([20.0, rigidity]), np.random.default_rng(1))


def test_unknown_field_nside_and_rigidities_are_refused() -> None:
    with pytest.raises(BadInput, match="did you mean 'uf23'"):
        make_lens("uf24", 4, np.array([10.0]))
    for nside in (0, 3, 48, -4):
        with pytest.raises(BadInput, match=f"nside {nside}: give a power of two"):
            make_lens("jf12", nside, np.array([10.0]))
    for rigidities in ([], [10.0, 5.0], [-1.0, 5.0], [5.0, math.nan], [[5.0]]):
        with pytest.raises(BadInput, match="ascending positive numbers"):
            make_lens("jf12", 4, np.array(rigidities))
