"""Skies against the minimal model's formulae; counts, seeds, order, augmentation, lenses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.cosmicrays import lens as lens_room
from cloudchamber.simulators.cosmicrays.directions import GALACTIC_TO_EQUATORIAL
from cloudchamber.simulators.cosmicrays.exposure import relative_exposure
from cloudchamber.simulators.cosmicrays.lens import pixel_centres
from cloudchamber.simulators.cosmicrays.skies import SkyOptions, draw_skies, redraw, seen_by
from cloudchamber.simulators.cosmicrays.spectrum import draw_energies


def full(n: int, signals: int) -> NDArray[np.int64]:
    return np.full(n, signals, np.int64)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=5),
    st.sampled_from(["full", "auger", "telescope-array"]),
    st.sampled_from(["He", "mixed"]),
    st.integers(0, 2**63 - 1),
)
def test_columns_have_their_types_shapes_and_unit_vectors(
    counts: list[int], exposure: str, composition: str, seed: int
) -> None:
    options = SkyOptions(cosmic_rays=40, exposure=exposure, composition=composition)
    skies = draw_skies(options, np.array(counts), seed)
    n = len(counts)
    assert {name: (column.dtype.name, column.shape) for name, column in skies.items()} == {
        "energy": ("float32", (n, 40)),
        "direction": ("float32", (n, 40, 3)),
        "signal": ("uint8", (n, 40)),
        "source": ("float32", (n, 3)),
        "n_signal": ("int32", (n,)),
    }
    assert skies["signal"].sum(axis=1).tolist() == counts == skies["n_signal"].tolist()
    assert np.linalg.norm(skies["direction"], axis=-1) == pytest.approx(np.ones((n, 40)), abs=1e-6)
    assert np.linalg.norm(skies["source"], axis=-1) == pytest.approx(np.array(counts, bool).astype(float), abs=1e-6)
    assert skies["energy"].min() >= 40
    assert skies["energy"].max() <= 300
    # float32 directions may lie 1e-7 beyond the edge of the field of view, where the exposure is 0
    assert (relative_exposure(skies["direction"], exposure) > 0).mean() > 0.99


def test_the_seed_alone_decides_the_skies() -> None:
    options = SkyOptions(cosmic_rays=50)
    one, same, other = (draw_skies(options, full(3, 10), seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["energy"], other["energy"])


def signals_of(skies: Arrays) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Energies (sky, signal), directions (sky, signal, 3) and sources (sky, 1, 3)."""
    n = len(skies["signal"])
    mask = skies["signal"] == 1
    return (
        skies["energy"][mask].reshape(n, -1).astype(float),
        skies["direction"][mask].reshape(n, -1, 3).astype(float),
        skies["source"][:, None, :].astype(float),
    )


def test_coherent_deflection_is_amplitude_over_rigidity_along_one_great_circle() -> None:
    energy, direction, source = signals_of(draw_skies(SkyOptions(blurring=0.0), full(50, 100), 3))
    cosine = (direction * source).sum(axis=-1)
    assert np.arccos(cosine) == pytest.approx(5.1 / (energy / 2), abs=2e-6)  # float32 directions and energies
    tangent = direction - cosine[..., None] * source
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    assert tangent == pytest.approx(np.broadcast_to(tangent[:, :1], tangent.shape), abs=1e-5)
    # another direction in every sky: 50 of them about their source average to nothing
    assert np.abs(tangent[:, 0].mean(axis=0)).max() < 4 / math.sqrt(3 * 50)


def test_blurring_is_von_mises_fisher() -> None:
    energy, direction, source = signals_of(draw_skies(SkyOptions(coherent=0.0), full(200, 200), 4))
    cosine = (direction * source).sum(axis=-1)
    kappa = (energy / 2 / 2.79) ** 2
    excess = cosine - (1 / np.tanh(kappa) - 1 / kappa)  # mean cosine of the distribution
    assert excess.mean() == pytest.approx(0, abs=4 * excess.std() / math.sqrt(excess.size))
    # exp(kappa (cos - 1)) is uniform up to exp(-2 kappa) < 1e-30
    uniform = np.exp(kappa * (cosine - 1))
    assert uniform.mean() == pytest.approx(0.5, abs=4 / math.sqrt(12 * uniform.size) + 1e-4)
    assert (uniform < 0.1).mean() == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / uniform.size) + 1e-4)


def test_mixed_charges_deflect_by_their_own_rigidity() -> None:
    energy, direction, source = signals_of(draw_skies(SkyOptions(blurring=0, composition="mixed"), full(50, 100), 5))
    arc = np.arccos(np.clip((direction * source).sum(axis=-1), -1, 1))
    charge = arc * energy / 5.1
    for value, fraction in ((1, 0.15), (2, 0.45), (7, 0.40)):
        share = (np.abs(charge - value) < 0.01).mean()
        assert share == pytest.approx(fraction, abs=4 * math.sqrt(0.25 / charge.size))


def test_isotropic_skies_have_no_dipole_and_no_quadrupole() -> None:
    x = draw_skies(SkyOptions(), full(200, 0), 6)["direction"].reshape(-1, 3).astype(float)
    n = len(x)
    assert np.abs(x.mean(axis=0)).max() < 4 * math.sqrt(1 / 3 / n)
    assert np.abs(x.T @ x / n - np.eye(3) / 3).max() < 4 * math.sqrt(4 / 45 / n)


def test_sources_are_spread_evenly_over_the_sky() -> None:
    x = draw_skies(SkyOptions(cosmic_rays=1), full(20_000, 1), 7)["source"].astype(float)
    assert np.abs(x.mean(axis=0)).max() < 4 * math.sqrt(1 / 3 / len(x))
    assert np.abs(x.T @ x / len(x) - np.eye(3) / 3).max() < 4 * math.sqrt(4 / 45 / len(x))


def test_signal_and_background_have_the_same_energies() -> None:
    skies = draw_skies(SkyOptions(), full(100, 500), 8)
    expected = (draw_energies(np.random.default_rng(1), 1_000_000) > 50).mean()
    for label in (0, 1):
        energy = skies["energy"][skies["signal"] == label]
        assert (energy > 50).mean() == pytest.approx(expected, abs=4 * math.sqrt(0.25 / energy.size))


def test_the_place_of_a_cosmic_ray_tells_nothing() -> None:
    skies = draw_skies(SkyOptions(cosmic_rays=100), full(4000, 20), 9)
    for records in (skies, redraw(skies, SkyOptions(cosmic_rays=100), 1, rotate=False)):
        places = records["signal"].mean(axis=0)
        # binomial over 4000 skies, 100 places: 4.5 standard deviations
        assert np.abs(places - 0.2).max() < 4.5 * math.sqrt(0.16 / 4000)
        index = np.nonzero(records["signal"])[1]
        assert index.mean() == pytest.approx(49.5, abs=4 * math.sqrt(100**2 / 12 / len(index)))
        mask = records["signal"] == 1
        energy = records["energy"][mask].reshape(4000, 20)
        # nor does the place tell the energy
        assert energy[:, 0].mean() == pytest.approx(
            energy[:, -1].mean(), abs=5 * float(energy.std()) * math.sqrt(2 / 4000)
        )


@pytest.mark.parametrize("exposure", ["auger", "telescope-array"])
def test_chance_to_be_seen_is_exposure_over_its_maximum(exposure: str) -> None:
    """The largest exposure is looked for among pixels of 2 degrees, good to 1 %; and 5 binomial errors."""
    points, number = pixel_centres(32), 20_000
    relative = relative_exposure(points, exposure)
    rng = np.random.default_rng(4)
    for place in np.argsort(relative)[:: len(points) // 8]:
        expected = relative[place] / relative.max()
        seen = seen_by(rng, SkyOptions(exposure=exposure), np.repeat(points[[place]], number, axis=0)).mean()
        assert abs(seen - expected) <= 0.01 * expected + 5 * np.sqrt(expected * (1 - expected) / number)


def test_partial_exposure_weights_signals() -> None:
    """Signal directions follow blob times exposure: their mean declination against a weighted sum over the sphere."""
    options = SkyOptions(cosmic_rays=4000, exposure="telescope-array", coherent=0.0, blurring=20.0)
    skies = draw_skies(options, full(1, 4000), 11)
    x = skies["direction"][0].astype(float)
    rng = np.random.default_rng(1)
    source = skies["source"][0].astype(float)
    points = rng.normal(size=(400_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    energy = rng.choice(skies["energy"][0].astype(float), 400_000)
    kappa = (energy / 2 / 20.0) ** 2
    weight = kappa / np.sinh(kappa) * np.exp(kappa * (points @ source)) * relative_exposure(points, options.exposure)
    sines = points @ GALACTIC_TO_EQUATORIAL[2]
    expected = (weight * sines).sum() / weight.sum()
    found = x @ GALACTIC_TO_EQUATORIAL[2]
    assert found.mean() == pytest.approx(expected, abs=4 * found.std() / math.sqrt(4000) + 5e-3)  # and of the sum


def test_redraw_keeps_signals_and_draws_the_rest() -> None:
    options = SkyOptions(cosmic_rays=200)
    skies = draw_skies(options, np.array([30, 0, 200]), 12)
    before = {name: column.copy() for name, column in skies.items()}
    new = redraw(skies, options, 13, rotate=False)
    assert all(np.array_equal(skies[name], before[name]) for name in skies)
    assert {k: (v.dtype, v.shape) for k, v in new.items()} == {k: (v.dtype, v.shape) for k, v in skies.items()}
    assert np.array_equal(new["source"], skies["source"])
    for sky in range(3):
        old, kept = (set(map(tuple, one["direction"][sky][one["signal"][sky] == 1])) for one in (skies, new))
        assert old == kept
        rest = set(map(tuple, new["direction"][sky][new["signal"][sky] == 0]))
        assert not rest & set(map(tuple, skies["direction"][sky]))
    assert sorted(new["energy"][2]) == sorted(skies["energy"][2])


@pytest.mark.parametrize("exposure", ["full", "auger"])
def test_rotation_keeps_relative_angles(exposure: str) -> None:
    options = SkyOptions(cosmic_rays=100, exposure=exposure)
    skies = draw_skies(options, full(4, 20), 14)
    new = redraw(skies, options, 15, rotate=True)

    def angles(records: Arrays, sky: int) -> NDArray[np.float64]:
        mask = records["signal"][sky] == 1
        order = np.argsort(records["energy"][sky][mask])
        x = np.vstack([records["direction"][sky][mask][order], records["source"][sky]]).astype(float)
        return x @ x.T

    for sky in range(4):
        assert angles(new, sky) == pytest.approx(angles(skies, sky), abs=1e-6)
        assert np.abs(new["source"][sky] - skies["source"][sky]).max() > 1e-3
    if exposure == "auger":  # only about the celestial pole
        pole = GALACTIC_TO_EQUATORIAL[2]
        assert new["source"] @ pole == pytest.approx(skies["source"] @ pole, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cosmic_rays": 0}, "need at least 1"),
        ({"minimum_energy": 4e19}, "looks like eV"),
        ({"composition": "Helium"}, "unknown 'Helium'"),
        ({"exposure": "auge"}, "did you mean 'auger'"),
        ({"coherent": -1.0}, "coherent = -1"),
        ({"blurring": float("nan")}, "blurring = nan"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        SkyOptions(**changes)


@pytest.mark.parametrize("counts", [np.array([-1]), np.array([11]), np.array([1.5]), np.array([[1]])])
def test_counts_of_signal_that_cannot_be_are_refused(counts: NDArray[Any]) -> None:
    with pytest.raises(BadInput, match="signal"):
        draw_skies(SkyOptions(cosmic_rays=10), counts, 1)


def test_redraw_with_other_options_is_refused() -> None:
    skies = draw_skies(SkyOptions(cosmic_rays=10), full(1, 2), 1)
    with pytest.raises(BadInput, match="options they were drawn with"):
        redraw(skies, SkyOptions(cosmic_rays=20), 1, rotate=False)


def test_a_lens_replaces_the_minimal_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lens that shows only the hemisphere z > 0 of sources, mirrored, and only rigidities above 25 EV."""

    def mirrored(lens: object, source: NDArray[np.float64], rigidity: NDArray[np.float64], rng: object) -> Any:
        direction = np.tile(source * [1, 1, -1], (len(rigidity), 1))
        return direction, (rigidity > 25) & (source[2] > 0)

    monkeypatch.setattr(lens_room, "lensed_arrivals", mirrored)
    empty = lens_room.Lens("none", 1, np.array([1.0]), np.zeros((1, 12, 3), np.float32))
    skies = draw_skies(SkyOptions(cosmic_rays=100), np.array([30, 0, 100]), 16, empty)
    assert skies["signal"].sum(axis=1).tolist() == [30, 0, 100]
    assert (skies["source"][[0, 2], 2] > 0).all()
    assert not skies["source"][1].any()
    mask = skies["signal"][0] == 1
    assert skies["direction"][0][mask] == pytest.approx(np.tile(skies["source"][0] * [1, 1, -1], (30, 1)), abs=1e-6)
    assert skies["energy"][0][mask].min() > 50
    assert skies["energy"][0][~mask].min() < 50

    monkeypatch.setattr(lens_room, "lensed_arrivals", lambda lens, g, r, rng: (np.tile(g, (len(r), 1)), r < 0))
    with pytest.raises(BadInput, match="no visible source"):
        draw_skies(SkyOptions(cosmic_rays=10), full(1, 5), 1, empty)


def test_the_unit_lens_does_not_deflect() -> None:
    centres = lens_room.pixel_centres(16)
    unit = lens_room.Lens("none", 16, np.array([10.0, 100.0]), np.stack([centres, centres]).astype(np.float32))
    _, direction, source = signals_of(draw_skies(SkyOptions(), full(20, 50), 17, unit))
    # a source is 4 sigma wide at most, its cosmic rays are anywhere in a pixel of 3.7 deg
    assert np.degrees(np.arccos(np.clip((direction * source).sum(axis=-1), -1, 1))).max() < 4 * 3.7 + 3.7
