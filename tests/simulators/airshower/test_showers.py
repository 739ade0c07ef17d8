"""Showers over the array: geometry, what stations record, order statistics, triggers, seeds, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.schema import BadInput
from cloudchamber.simulators.airshower.showers import axes, draw, simulate_showers, station_geometry
from cloudchamber.simulators.airshower.surface_array import LIGHT, PRE_TRIGGER, ShowerOptions, offset_grid

OPTIONS = ShowerOptions()


@pytest.fixture(scope="module")
def showers() -> dict[str, np.ndarray]:
    return simulate_showers(OPTIONS, offset_grid(OPTIONS), 300, np.random.default_rng(9))


def of_rows(showers: dict[str, np.ndarray], name: str) -> np.ndarray:
    """A column of showers, repeated for each of their stations."""
    return np.repeat(showers[name], showers["stations"], axis=0)


def test_grid_has_equal_neighbours_and_its_centre_at_zero() -> None:
    grid = offset_grid(OPTIONS)
    assert grid.shape == (81, 3)
    np.testing.assert_allclose(grid.mean(axis=0), 0, atol=1e-9)
    distance = np.linalg.norm(grid[:, None] - grid[None], axis=2)
    inner = [station for station in range(81) if 0 < station // 9 < 8 and 0 < station % 9 < 8]
    neighbours = (np.abs(distance - 1500) < 1e-6).sum(axis=1)
    assert (neighbours[inner] == 6).all()


def test_zenith_angles_follow_sine_times_cosine() -> None:
    many = draw(OPTIONS, 40_000, np.random.default_rng(1))
    # sin^2 is uniform up to sin^2(60 degrees): mean and error of a uniform distribution
    assert np.square(np.sin(many["zenith"])).mean() == pytest.approx(0.375, abs=4 * 0.75 / np.sqrt(12 * 40_000))
    assert np.degrees(many["zenith"].max()) <= 60


def test_spectral_index_gives_a_power_law() -> None:
    many = draw(OPTIONS.changed({"spectral_index": 2.0}), 40_000, np.random.default_rng(1))
    above = (many["lg_energy"] > 19).mean()
    truth = (10**-0.5 - 10**-1.5) / (1 - 10**-1.5)  # integral of E^-2 above 10 of 3.16 to 100 EeV
    assert above == pytest.approx(truth, abs=4 * np.sqrt(truth / 40_000))


def test_distance_to_the_axis_is_perpendicular() -> None:
    axis = axes(np.array([0.7]), np.array([0.3]))[0]
    core, up = np.array([100.0, -50.0, 0.0]), 900.0
    across = np.cross(axis, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    r, along, _, _ = station_geometry(core + up * axis + 640 * across, core, axis, 780.0, 1400.0)
    assert r == pytest.approx(640)
    assert along == pytest.approx(up)


def test_every_event_has_its_stations_and_their_traces(showers: dict[str, np.ndarray]) -> None:
    assert (showers["stations"] >= 3).all()
    rows = showers["stations"].sum()
    assert showers["trace"].shape == (rows, 120)
    assert len(showers["start_time"]) == len(showers["station"]) == rows
    assert of_rows(showers, "working")[np.arange(rows), showers["station"]].all()
    assert np.isfinite(showers["trace"]).all()


def test_light_begins_in_the_bin_of_the_first_particle(showers: dict[str, np.ndarray]) -> None:
    before, after = showers["trace"][:, :PRE_TRIGGER], showers["trace"][:, PRE_TRIGGER : PRE_TRIGGER + 3]
    # noise of 0.7 counts of 147 a VEM; an atmospheric muon stands before a shower in few traces
    assert np.median(np.abs(before)) < 0.01
    assert (before.sum(axis=1) > 0.2).mean() < 0.01
    assert (after.sum(axis=1) > 0.02).mean() > 0.95


def residual(showers: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Start time behind the plane front [ns], and distance to the axis [m], of every row."""
    axis = axes(of_rows(showers, "zenith"), of_rows(showers, "azimuth"))
    away = offset_grid(OPTIONS)[showers["station"]]
    away = away - np.stack([of_rows(showers, "core_x"), of_rows(showers, "core_y"), np.zeros(len(away))], axis=1)
    along = (away * axis).sum(axis=1)
    return showers["start_time"] + along / LIGHT, np.sqrt((away**2).sum(axis=1) - along**2)


def test_front_is_curved_and_never_ahead_of_the_plane(showers: dict[str, np.ndarray]) -> None:
    late, r = residual(showers)
    assert late.min() > -12.5 - 5 * OPTIONS.timing_noise  # the middle of a bin, and the clock
    assert np.median(late[(r > 1200) & (r < 1600)]) > 3 * np.median(late[(r > 500) & (r < 800)])


def test_many_particles_start_earlier_than_few_at_one_distance(showers: dict[str, np.ndarray]) -> None:
    late, r = residual(showers)
    signal = showers["trace"].sum(axis=1)
    near = (r > 1000) & (r < 1300)
    few, many = signal < np.quantile(signal[near], 0.3), signal > np.quantile(signal[near], 0.7)
    assert np.median(late[near & many]) < 0.8 * np.median(late[near & few])


def test_muons_make_part_of_the_signal_and_more_at_large_angles(showers: dict[str, np.ndarray]) -> None:
    share = showers["muon_signal"] / showers["trace"].sum(axis=1)
    zenith = np.degrees(of_rows(showers, "zenith"))
    fine = showers["saturated"] == 0
    assert 0.1 < np.median(share[fine & (zenith < 30)]) < 0.6
    assert np.median(share[fine & (zenith > 52)]) > np.median(share[fine & (zenith < 30)]) + 0.1


def test_energy_brings_more_stations_and_dead_ones_are_as_many_as_asked() -> None:
    array = offset_grid(OPTIONS)
    counts = []
    for lg in (18.6, 19.6):
        options = OPTIONS.changed({"lg_energy_min": lg, "lg_energy_max": lg, "dead_fraction": 0.1})
        found = simulate_showers(options, array, 60, np.random.default_rng(2))
        counts.append(found["stations"].mean())
        assert found["working"].mean() == pytest.approx(0.9, abs=4 * 0.3 / np.sqrt(60 * 81))
    assert counts[1] > 1.8 * counts[0]


def test_muon_scale_adds_muons_and_no_electrons() -> None:
    options = OPTIONS.changed({"lg_energy_min": 19.5, "lg_energy_max": 19.5, "primaries": ["Fe"], "zenith_max": 20})
    light = []
    for scale in (1.0, 2.0):
        found = simulate_showers(
            options.changed({"muon_scale": scale}), offset_grid(options), 60, np.random.default_rng(3)
        )
        kept = found["saturated"] == 0
        light.append([found["muon_signal"][kept].sum(), found["trace"][kept].sum()])
    assert light[1][0] / light[0][0] == pytest.approx(2, rel=0.25)  # other stations trigger and saturate


def test_same_seed_same_showers_and_another_array_is_seen() -> None:
    array = np.array([[0.0, 0, 0], [700, 0, 10], [0, 700, -10], [700, 700, 0]])
    one, again = (simulate_showers(OPTIONS, array, 5, np.random.default_rng(4)) for _ in range(2))
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
    assert one["station"].max() <= 3


def test_showers_that_never_trigger_are_refused_with_advice() -> None:
    options = OPTIONS.changed({"spacing": 30_000.0})
    with pytest.raises(BadInput, match="ask for higher energies"):
        simulate_showers(options, offset_grid(options), 3, np.random.default_rng(5))
    with pytest.raises(BadInput, match="add stations"):
        simulate_showers(OPTIONS, offset_grid(OPTIONS)[:2], 3, np.random.default_rng(5))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lg_energy_min": 20.5}, "is below lg_energy_min"),
        ({"primaries": "H,Gold"}, "unknown primary 'Gold'"),
        ({"hadronic_model": "SIBYLL"}, "known are EPOS-LHC"),
        ({"zenith_max": 80}, "zenith_max"),
    ],
)
def test_impossible_options_are_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        OPTIONS.changed(changes)
