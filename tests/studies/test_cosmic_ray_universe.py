"""Study of many sources: densities of training and probes, what counts as signal, no leak in what is not clustered."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.experiments import skies
from cloudchamber.simulators.cosmicrays.universe import DENSITIES
from cloudchamber.studies.cosmic_ray_universe import CosmicRayUniverseConfig, of_density, simulate, study

TINY = study.preset("tiny")
assert isinstance(TINY, CosmicRayUniverseConfig)


def records(config: CosmicRayUniverseConfig, count: int, seed: int = 1) -> dict[str, np.ndarray]:
    return simulate(config, 0, count, np.random.SeedSequence(seed))


def test_every_other_sky_is_isotropic_and_densities_are_even_in_the_logarithm() -> None:
    some = records(TINY.changed({"highest_density": 1e-4}), 400)
    assert not some["n_signal"][::2].any()
    assert not some["density"][::2].any()
    assert not some["sources"][::2].any()
    density = some["density"][1::2]
    assert (some["n_signal"][1::2] > 0).all()
    assert density.min() >= 0.99e-7
    assert density.max() <= 1.01e-4
    # 200 even numbers: mean known to 0.289 * 3 / sqrt(200) = 0.06
    assert np.log10(density).mean() == pytest.approx(-5.5, abs=0.2)
    few, many = density < 1e-6, density > 1e-5
    assert np.median(some["sources"][1::2][few]) < np.median(some["sources"][1::2][many])


def test_a_cosmic_ray_is_signal_if_its_source_gave_two() -> None:
    some = records(TINY.changed({"lowest_density": 1e-5, "highest_density": 1e-5}), 40)
    labels = some["signal"].sum(axis=1)
    assert (labels[1::2] <= some["n_signal"][1::2]).all()
    assert (labels[1::2] != 1).all(), "one alone is none"
    dense = records(TINY.changed({"lowest_density": 1e-2, "highest_density": 1e-2}), 40)
    assert dense["signal"][1::2].mean() < some["signal"][1::2].mean()
    fraction = study.targets(TINY, some)[:, 1]
    np.testing.assert_allclose(fraction, labels / TINY.cosmic_rays, rtol=1e-6)


@pytest.mark.parametrize("sources", [10, 50, 250])
def test_probes_have_one_density(sources: int) -> None:
    config = study.probes[f"sources-{sources}"].change(TINY)
    some = records(config, 6)
    np.testing.assert_allclose(some["density"][1::2], DENSITIES[sources], rtol=1e-6)


def test_densities_of_the_probes_are_learned() -> None:
    standard = study.preset("standard")
    assert isinstance(standard, CosmicRayUniverseConfig)
    for probe in study.probes.values():
        density = probe.change(standard).lowest_density
        assert standard.lowest_density <= density <= standard.highest_density


def test_a_lower_highest_density_is_not_an_error_but_one_density() -> None:
    some = records(TINY.changed({"lowest_density": 1e-4, "highest_density": 1e-6}), 4)
    np.testing.assert_allclose(some["density"][1::2], 1e-4, rtol=1e-6)


def test_skies_do_not_depend_on_their_chunk_mates() -> None:
    """The number of skies in a chunk changes nothing of the first ones."""
    few, many = records(TINY, 2), records(TINY, 6)
    for name, values in few.items():
        np.testing.assert_array_equal(values, many[name][:2])


def test_the_dense_universe_is_nearly_isotropic_and_the_thin_one_is_not() -> None:
    """Part of pairs within 5 degrees over that of isotropy: falls with density."""
    excess = []
    for density in (1e-6, 1e-4, 1e-2):
        some = records(of_density(density, TINY), 80)
        close = skies.pair_counts(study.inputs(TINY, some, None))[:, 4]
        excess.append(close[1::2].mean() / close[::2].mean())
    assert excess[0] > excess[1] > excess[2]
    assert excess[0] > 3
    assert excess[2] < 1.5


def test_copies_for_training_have_the_energies_of_the_sky() -> None:
    """Singles become isotropic in a copy; with fresh energies, copies would differ from skies in energy alone."""
    config = study.preset("tiny").changed({"lowest_density": 1e-4, "highest_density": 1e-4})
    records = study.simulate(config, 0, 4, np.random.SeedSequence(5))
    copy = skies.redrawn(config, records, 7)
    np.testing.assert_allclose(np.sort(copy["energy"], axis=1), np.sort(records["energy"], axis=1), rtol=1e-6)
    assert not np.array_equal(copy["direction"], records["direction"])
