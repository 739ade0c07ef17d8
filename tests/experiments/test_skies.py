"""What the studies of arrival directions share: settings that cannot be, isotropic skies, copies, worlds, splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloudchamber import prediction as road
from cloudchamber.data.samples import ArrayRecords
from cloudchamber.data.skies import SKY_SCHEMA, cosmic_rays_of
from cloudchamber.experiments import skies
from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays.skies import draw_skies
from cloudchamber.study import PredictorStudy, load_study

CONFIG = skies.SkyConfig(cosmic_rays=50)
STUDIES = ("cosmic-ray-sources", "cosmic-ray-universe")


@pytest.fixture(scope="module", autouse=True)
def lenses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the module, so that the tiny lenses are made once."""
    return tmp_path_factory.mktemp("lenses")


@pytest.fixture(autouse=True)
def same_cache(own_cache: Path, lenses: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDCHAMBER_CACHE", str(lenses))


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("nside", "48", "nside 48 is not a power of two"),
        ("nside", "0", "greater than or equal to 2"),
        ("lens_nside", "12", "nside 12 is not a power of two"),
        ("field", "jf13", "'minimal', 'jf12'"),
        ("composition", "Hee", "did you mean 'He'"),
        ("composition", "H:0.5,He:0.9", "H:0.5,He:0.9"),
        ("exposure", "augur", "did you mean 'auger'"),
        ("cosmic_rays", "9", "greater than or equal to 10"),
        ("minimum_energy", "4e19", "less than or equal to 200"),
        ("minimum_energy", "nan", "finite"),
        ("coherent", "-1", "greater than or equal to 0"),
        ("widths", "16,many", "widths"),
        ("widths", "16,0", "widths"),
        ("neighbours", "9", "8, 20 or 40"),
        ("nsides", "32", "did you mean 'nside'"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(key: str, value: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as refusal:
        CONFIG.changed({key: value})
    assert "\n" not in str(refusal.value)
    assert refusal.value.status == 2


def test_settings_given_as_text_become_numbers_and_lists() -> None:
    changed = CONFIG.changed({"widths": "16,32", "graph_widths": "8", "neighbours": "40", "nside": "32"})
    assert changed.widths == (16, 32)
    assert changed.graph_widths == (8,)
    assert changed.neighbours == 40
    assert changed.nside == 32
    tiny = load_study("cosmic-ray-sources").preset("tiny")
    assert tiny.changed({"signal_grid": "10,20"}).model_dump()["signal_grid"] == (10, 20)
    assert CONFIG.changed({"composition": "H:0.5,He:0.5"}).composition == "H:0.5,He:0.5"


# --- isotropic skies --------------------------------------------------------------------------------------------------


def seeds(number: int = 1) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def test_isotropic_like_a_sky_keeps_its_energies_and_declinations() -> None:
    from cloudchamber.simulators.cosmicrays.directions import to_equatorial

    like = cosmic_rays_of(draw_skies(skies.sky_options(CONFIG.changed({"cosmic_rays": 33})), np.array([20]), 4))
    drawn = skies.isotropic(CONFIG, like, 400, seeds())
    assert drawn.shape == (400, 33, 4)
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(drawn[..., 3], np.broadcast_to(like[0, :, 3], (400, 33)))
    np.testing.assert_allclose(np.linalg.norm(drawn[..., :3], axis=-1), 1, rtol=1e-6)
    said, given = to_equatorial(drawn[..., :3]), to_equatorial(like[0, :, :3])
    np.testing.assert_allclose(said[..., 2], np.broadcast_to(given[:, 2], (400, 33)), atol=1e-6)
    # right ascensions of 13200 cosmic rays are even: the mean of e^(i ra) is 0 +- 0.006 in each part
    turn = (said[..., 0] + 1j * said[..., 1]) / np.hypot(said[..., 0], said[..., 1])
    assert abs(turn.mean()) < 0.035
    assert len(np.unique(drawn[..., 0])) > 13_000, "every sky anew"


def test_isotropic_like_a_sky_of_a_partial_exposure_finds_nothing() -> None:
    """An isotropic sky seen by Auger, judged with the settings of a full sky, has an ordinary p-value."""
    from cloudchamber.baselines.sky_likelihood import VonMisesFisherScan

    seen = skies.isotropic(CONFIG.changed({"exposure": "auger", "cosmic_rays": 200}), None, 1, seeds(3))
    scan = VonMisesFisherScan(nside=4)
    null = scan.predict(skies.isotropic(CONFIG, seen, 60, seeds(4))).mean[:, 0]
    full = scan.predict(skies.isotropic(CONFIG.changed({"cosmic_rays": 200}), None, 60, seeds(4))).mean[:, 0]
    statistic = scan.predict(seen).mean[0, 0]
    assert (null >= statistic).mean() > 0.02
    assert (full >= statistic).mean() < (null >= statistic).mean()


def test_isotropic_skies_are_those_of_training_and_follow_the_seed() -> None:
    drawn = skies.isotropic(CONFIG, None, 5, seeds())
    assert drawn.shape == (5, 50, 4)
    assert drawn[..., 3].min() >= 40
    np.testing.assert_array_equal(drawn, skies.isotropic(CONFIG, None, 5, seeds()))
    assert not np.array_equal(drawn, skies.isotropic(CONFIG, None, 5, seeds(2)))


def test_isotropic_is_seen_with_the_exposure() -> None:
    from cloudchamber.simulators.cosmicrays.exposure import relative_exposure

    drawn = skies.isotropic(CONFIG.changed({"exposure": "auger"}), None, 200, seeds())
    assert relative_exposure(drawn[..., :3].reshape(-1, 3).astype(np.float64), "auger").min() > 0
    full = skies.isotropic(CONFIG, None, 200, seeds())
    assert (relative_exposure(full[..., :3].reshape(-1, 3).astype(np.float64), "auger") == 0).mean() > 0.05


# --- copies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["minimal", "jf12-regular"])
def test_a_copy_changes_only_the_background(field: str) -> None:
    """Signal energies stay; with the minimal model the source is turned elsewhere with its cosmic rays, behind a field
    it stays where it is."""
    config = CONFIG.changed({"field": field, "lens_nside": 4, "lens_rigidities": 3})
    records = draw_skies(skies.sky_options(config), np.array([0, 15]), 3, skies.lens_of(config))
    before = {name: values.copy() for name, values in records.items()}
    copy = skies.redrawn(config, records, 8)
    for name, values in before.items():
        np.testing.assert_array_equal(records[name], values)
        assert copy[name].dtype == values.dtype
        assert copy[name].shape == values.shape
    np.testing.assert_array_equal(copy["n_signal"], before["n_signal"])
    np.testing.assert_array_equal(copy["signal"].sum(axis=1), [0, 15])

    def of_signal(some: dict[str, np.ndarray], kind: int) -> tuple[np.ndarray, np.ndarray]:
        rows = some["signal"][1] == kind
        order = np.argsort(some["energy"][1][rows])
        return some["energy"][1][rows][order], (some["direction"][1] @ some["source"][1])[rows][order]

    (old_energy, old_cosine), (energy, cosine) = of_signal(before, 1), of_signal(copy, 1)
    np.testing.assert_array_equal(energy, old_energy)
    np.testing.assert_allclose(cosine, old_cosine, atol=1e-6)
    assert not set(of_signal(before, 0)[0].tolist()) & set(of_signal(copy, 0)[0].tolist())
    assert np.array_equal(copy["source"][1], before["source"][1]) == (field != "minimal")
    assert not copy["source"][0].any()


def test_augmented_inputs_are_redrawn_and_plain_ones_are_not() -> None:
    records = draw_skies(skies.sky_options(CONFIG), np.array([0, 15]), 3)
    np.testing.assert_array_equal(skies.inputs(CONFIG, records, None), cosmic_rays_of(records))
    first, again, other = (skies.inputs(CONFIG, records, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# --- the studies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STUDIES)
def test_every_world_simulates_its_own_skies(name: str) -> None:
    """Also the probes' seeds: no sky of one world is in another."""
    study: PredictorStudy = load_study(name)
    tiny = study.preset("tiny")
    if name == "cosmic-ray-universe":
        tiny = tiny.changed({"cosmic_rays": 1000})  # among fewer, the densest universe has no two from one source
    seen: set[bytes] = set()
    for number, probe in enumerate(study.probes.values()):
        config = study.data_config(probe.change(tiny)).changed({"lens_nside": 4, "lens_rigidities": 3})
        records = study.simulate(config, 0, 6, np.random.SeedSequence(number))
        for column, array in study.schema.items():
            array.check(column, records[column], study.lengths(config))
        truth = study.targets(config, records)
        assert truth[:, 0].tolist() == [0, 1, 0, 1, 0, 1]
        assert not records["signal"][::2].any()
        assert study.inputs(config, records, np.random.default_rng(1)).shape == (6, config.cosmic_rays, 4)
        seen |= {sky.tobytes() for sky in records["direction"]}
    assert len(seen) == 6 * len(study.probes)


@pytest.mark.parametrize("name", STUDIES)
def test_splits_share_no_sky(name: str, tmp_path: Path) -> None:
    study = load_study(name)
    config = study.preset("tiny")
    records = ArrayRecords(study.simulate(config, 0, 60, seeds()))
    sides = road.splits(study, config, records, 1)
    assert [len(side) for side in sides] == [48, 6, 6]
    contents = [{sky.tobytes() for sky in side.inputs()} for side in sides]
    assert len(contents[0] | contents[1] | contents[2]) == 60
    for side in sides:
        assert set(side.targets[:, 0].tolist()) == {0, 1}, "the seed of the contract gives both kinds"


@pytest.mark.parametrize("name", STUDIES)
def test_settings_of_learning_do_not_change_the_skies(name: str) -> None:
    study = load_study(name)
    tiny = study.preset("tiny")
    changed = tiny.changed({"nside": 16, "epochs": 3, "widths": "4", "dropout": 0.5, "graph_neighbours": 3})
    assert study.data_config(changed) == study.data_config(tiny)
    assert study.data_config(tiny.changed({"blurring": 1.0})) != study.data_config(tiny)
    assert set(SKY_SCHEMA) <= set(study.schema)


def test_pair_counts_of_other_numbers_are_comparable() -> None:
    few, many = (
        skies.isotropic(CONFIG.changed({"cosmic_rays": number}), None, 200, seeds(number)) for number in (40, 80)
    )
    # isotropic pairs within 30 degrees: (1 - cos 30) / 2 = 6.7 %
    for drawn in (few, many):
        assert skies.pair_counts(drawn)[:, -1].mean() == pytest.approx((1 - np.cos(np.radians(30))) / 2, rel=0.02)
