"""Universes: fluxes, losses, labels, and the density that makes a number of sources contribute."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays import lens as lens_room
from cloudchamber.simulators.cosmicrays import universe as room
from cloudchamber.simulators.cosmicrays.directions import to_degrees, to_equatorial
from cloudchamber.simulators.cosmicrays.skies import SkyOptions
from cloudchamber.simulators.cosmicrays.universe import (
    DENSITIES,
    UniverseOptions,
    density_for,
    draw_universes,
    loss_length,
)

NO_DEFLECTION = SkyOptions(coherent=0.0, blurring=0.0, cosmic_rays=300)


def test_loss_lengths_are_those_of_the_publication() -> None:
    # hep-ph/9704387: 3.66e-8 exp(-287/E) per year; 1 Mpc = 3.2616e6 light years; 1000 Mpc for the rest
    for energy in (40.0, 100.0, 250.0):
        expected = 1 / (3.2616e6 * 3.66e-8 * math.exp(-287 / energy) + 1e-3)
        assert loss_length(energy) == pytest.approx(expected, rel=1e-4)
    assert loss_length(100.0) == pytest.approx(130, rel=0.02)  # with pair production and expansion computed


@pytest.mark.parametrize("fraction", [1.0, 0.4, 0.0])
def test_a_cosmic_ray_is_signal_if_its_source_gave_two(fraction: float) -> None:
    options = UniverseOptions(sky=NO_DEFLECTION, density=1e-6, signal_fraction=fraction)
    skies = draw_universes(options, 20, 1)
    assert skies["sources"].dtype == np.int32
    assert skies["n_signal"].dtype == np.int32
    assert np.linalg.norm(skies["direction"], axis=-1) == pytest.approx(np.ones((20, 300)), abs=1e-6)
    assert np.array_equal(skies["signal"].sum(axis=1), skies["n_signal"])
    for sky in range(20):
        # without deflection all cosmic rays of a source have the same direction
        places, which, numbers = np.unique(skies["direction"][sky], axis=0, return_inverse=True, return_counts=True)
        assert np.array_equal(skies["signal"][sky] == 1, numbers[which.ravel()] >= 2)
        background = 300 - round(300 * fraction)
        assert skies["sources"][sky] == len(places) - background
        if fraction:
            assert numbers[(places == skies["source"][sky]).all(axis=1)] == [numbers.max()]
        else:
            assert not skies["source"][sky].any()


def test_the_seed_alone_decides_the_universes() -> None:
    options = UniverseOptions(sky=NO_DEFLECTION)
    one, same, other = (draw_universes(options, 2, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["source"], other["source"])


def counts_by_source(monkeypatch: pytest.MonkeyPatch, minimum: float, distances: list[float]) -> np.ndarray:
    """How many of 20 000 cosmic rays come from sources at given distances (through the code for lenses)."""
    flux = np.cumsum(1 / np.square(distances))
    monkeypatch.setattr(room, "_sources", lambda rng, mean, maximum: (np.array(distances), flux))
    centres = lens_room.pixel_centres(4)
    unit = lens_room.Lens("none", 4, np.array([1.0]), centres[None].astype(np.float32))
    monkeypatch.setattr(lens_room, "magnification", lambda lens, place: np.ones(1))
    monkeypatch.setattr(
        lens_room, "lensed_arrivals", lambda lens, g, r, rng: (np.tile(g, (len(r), 1)), np.ones(len(r), bool))
    )
    sky = SkyOptions(cosmic_rays=20_000, minimum_energy=minimum)
    skies = draw_universes(UniverseOptions(sky=sky), 1, 3, unit)
    _, numbers = np.unique(skies["direction"][0], axis=0, return_counts=True)
    return np.sort(numbers)[::-1]


def test_fluxes_of_sources_fall_with_distance_and_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    distances = [10.0, 20.0, 40.0]
    numbers = counts_by_source(monkeypatch, 40.0, distances)
    flux = np.array([math.exp(-d / loss_length(46.0)) / d**2 for d in distances])
    # losses at 46 EeV stand for all energies (to 2 % over 30 Mpc); the weakest source has about 900 cosmic rays (3 %)
    assert numbers / 20_000 == pytest.approx(flux / flux.sum(), rel=0.05)


def test_losses_cut_distant_sources_at_high_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = counts_by_source(monkeypatch, 200.0, [10.0, 40.0])
    expected = math.exp(-30 / loss_length(200.0)) / 16  # at most: losses grow with energy
    assert numbers[1] / numbers[0] < expected
    assert numbers[1] / numbers[0] > math.exp(-30 / loss_length(300.0)) / 16


def test_compiled_code_agrees_with_the_code_for_lenses() -> None:
    """The same universes through the unit lens: the numbers of contributing sources agree."""
    centres = lens_room.pixel_centres(4)
    unit = lens_room.Lens("none", 4, np.array([10.0, 200.0]), np.stack([centres, centres]).astype(np.float32))
    options = UniverseOptions(sky=SkyOptions(cosmic_rays=100), density=1e-6)
    plain = draw_universes(options, 400, 1)["sources"]
    lensed = draw_universes(options, 60, 2, unit)["sources"]
    error = math.sqrt(plain.var() / len(plain) + lensed.var() / len(lensed))
    assert plain.mean() == pytest.approx(lensed.mean(), abs=4 * error)


def test_the_share_of_the_strongest_falls_with_density() -> None:
    """The more sources, the smaller the share of the strongest."""
    shares = []
    for density in (1e-6, 1e-4):
        skies = draw_universes(UniverseOptions(sky=NO_DEFLECTION, density=density), 100, 5)
        strongest = (skies["direction"] == skies["source"][:, None]).all(axis=-1).mean(axis=1)
        shares.append(np.median(strongest))
    assert shares[0] > 3 * shares[1]


@pytest.mark.parametrize("number", [10, 50, 250])
def test_stated_densities_give_their_numbers_of_sources(number: int) -> None:
    sources = draw_universes(UniverseOptions(density=DENSITIES[number]), 400, 6)["sources"]
    # 4 standard errors, and 1 % for the stated densities
    assert sources.mean() == pytest.approx(number, abs=4 * sources.std() / 20 + 0.01 * number)


def test_a_number_of_sources_is_turned_into_its_density() -> None:
    options = UniverseOptions(sky=NO_DEFLECTION)
    density = density_for(options, 30, universes=100)
    sources = draw_universes(dataclasses.replace(options, density=density), 400, 7)["sources"]
    assert sources.mean() == pytest.approx(30, abs=4 * sources.std() * math.sqrt(1 / 400 + 1 / 100))
    with pytest.raises(BadInput, match="no density gives that"):
        density_for(options, 400, universes=2)


def test_partial_exposure_sees_only_its_sky() -> None:
    options = UniverseOptions(sky=SkyOptions(cosmic_rays=50, exposure="telescope-array"), density=1e-7)
    skies = draw_universes(options, 50, 8)
    declination = to_degrees(to_equatorial(skies["direction"]))[1]
    assert declination.min() > 39.3 - 55 - 1e-3  # Sommers' field of view


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"density": 1e-12}, "source density"),
        ({"density": 1.0}, "source density"),
        ({"maximum_distance": 0.0}, "maximum distance"),
        ({"signal_fraction": 1.1}, "signal fraction"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(changes: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        UniverseOptions(**changes)
