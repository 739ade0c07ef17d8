"""Explanations of networks that read air showers, on networks that are not trained, and on answers in closed form."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from cloudchamber.data.samples import ArrayRecords, Samples
from cloudchamber.data.surface_array import DEAD, SHOWER_SCHEMA, STATUS, TARGETS, TIME, TRACE, TRIGGERED, targets_of
from cloudchamber.experiments.showers import ShowerConfig, inputs, layout_of, simulate
from cloudchamber.explain import shower_relevance, showers
from cloudchamber.explain.shower_gallery import RADII, mean_track
from cloudchamber.explain.shower_stations import true_stations
from cloudchamber.learning.ensemble import DeepEnsemble
from cloudchamber.learning.gaussian import GaussianModel
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.networks.shower_array import ShowerArray
from cloudchamber.networks.shower_graph import ShowerGraph
from cloudchamber.simulators.airshower.atmosphere import height_of
from cloudchamber.simulators.airshower.surface_array import LIGHT
from cloudchamber.simulators.airshower.water_cherenkov import muon_signal

CONFIG = ShowerConfig(rows=5, columns=5, bins=60, lg_energy_min=19.3, lg_energy_max=19.5, zenith_max=40)
COUNT = 60


@pytest.fixture(scope="module")
def records() -> ArrayRecords:
    arrays = simulate(CONFIG, 0, COUNT, np.random.SeedSequence(4))
    return ArrayRecords(arrays, {name: one.of for name, one in SHOWER_SCHEMA.items() if one.of})


@pytest.fixture(scope="module")
def test_split(records: ArrayRecords) -> Samples:
    rows = np.arange(COUNT - 1, 0, -2)  # in another order than on disk
    return Samples(records, rows, partial(inputs, CONFIG), targets_of(records.arrays)[rows], TARGETS)


def ensemble(network: nn.Module, split: Samples, members: int = 1) -> DeepEnsemble:
    """An ensemble whose members have random weights and fitted scales."""
    found = DeepEnsemble("net", lambda: network, TrainingOptions(), members, None, (0,), seed=1)
    seen = torch.from_numpy(split.inputs())
    for _ in range(members):
        model = GaussianModel(network, len(TARGETS))
        model.fit_targets(torch.from_numpy(split.targets), seen)
        found.models.append(model.eval())
    found.factor = np.ones(len(TARGETS))
    return found


@pytest.fixture(scope="module")
def predictors(test_split: Samples) -> dict[str, object]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        grid = ShowerArray(bins=60, rows=5, columns=5, growth=4, layers=2, channels=3, hidden=6)
        times = ShowerArray(bins=60, rows=5, columns=5, reads="time", growth=4, layers=2, channels=3, hidden=6)
        graph = ShowerGraph(bins=60, nodes=20, width=8, blocks=1, heads=2)
    names = {"times": times, "traces": grid, "graph": graph}
    return {"mean": object()} | {name: ensemble(network, test_split) for name, network in names.items()}


# --- stations ---------------------------------------------------------------------------------------------------------


def test_distance_and_delay_of_stations_follow_from_true_geometry(records: ArrayRecords) -> None:
    arrays, places = records.arrays, layout_of(CONFIG)
    found = true_stations(arrays, places, CONFIG.altitude)
    zenith, azimuth = arrays["zenith"].astype(float), arrays["azimuth"].astype(float)
    first = 0
    for shower, count in enumerate(arrays["stations"]):
        axis = np.array([np.sin(zenith[shower]) * np.cos(azimuth[shower]),
                         np.sin(zenith[shower]) * np.sin(azimuth[shower]), np.cos(zenith[shower])])  # fmt: skip
        core = np.array([arrays["core_x"][shower], arrays["core_y"][shower], 0.0])
        origin = core + axis * (height_of(0.5 * float(arrays["xmax"][shower]) * axis[2]) - CONFIG.altitude) / axis[2]
        for row in range(first, first + count):
            place = places[arrays["station"][row]]
            away = np.linalg.norm(np.cross(place - core, axis))
            assert found.distance[row] == pytest.approx(max(away, 10.0), rel=1e-9)
            plane = -(place - core) @ axis / LIGHT
            sphere = (np.linalg.norm(place - origin) - np.linalg.norm(core - origin)) / LIGHT
            assert found.delay[row] == pytest.approx(arrays["start_time"][row] - plane, abs=1e-6)
            assert found.residual[row] == pytest.approx(arrays["start_time"][row] - sphere, abs=1e-6)
        first += count
    assert first == len(found.shower)


def test_muon_fraction_and_signal_are_of_the_same_trace(records: ArrayRecords) -> None:
    found = true_stations(records.arrays, layout_of(CONFIG), CONFIG.altitude)
    assert found.signal == pytest.approx(np.maximum(records.arrays["trace"].sum(axis=1, dtype=float), 0.1))
    assert ((found.muon_fraction >= 0) & (found.muon_fraction <= 1)).all()
    far = found.distance > 1000
    # light beyond the end of a trace, photoelectrons and noise are all that tells the products apart
    assert (found.muon_fraction * found.signal)[far].sum() == pytest.approx(
        records.arrays["muon_signal"][far].sum(), rel=0.02
    )
    assert (found.risetime > 0).all()


# --- learned variables ------------------------------------------------------------------------------------------------


def test_rank_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    shower = np.repeat(np.arange(400), 5)
    one = rng.normal(size=(2000, 3))
    one[:, 2] = 7.0
    two = np.column_stack([np.exp(one[:, 0]) + 0.5 * rng.normal(size=2000), rng.normal(size=2000)])
    value, error = showers.spearman(one, two, shower, rng)
    for row in range(2):
        for column in range(2):
            assert value[row, column] == pytest.approx(spearmanr(one[:, row], two[:, column]).statistic, abs=1e-9)
    assert np.isnan(value[2]).all()
    # independent rows: 1 / sqrt(n); 200 resamples know an error to 5 %, five of these are allowed
    assert error[1, 1] == pytest.approx(1 / np.sqrt(2000), rel=0.25)


def test_errors_know_that_stations_of_a_shower_are_not_independent() -> None:
    rng = np.random.default_rng(2)
    shower = np.repeat(np.arange(400), 5)
    same = np.repeat(rng.normal(size=(400, 2)), 5, axis=0)
    _, error = showers.spearman(same[:, :1], same[:, 1:], shower, rng)
    assert error[0, 0] == pytest.approx(1 / np.sqrt(400), rel=0.25)
    mean, deviation = showers.by_class(same[:, 0], np.zeros(2000, int), 2, shower)
    assert mean[0] == pytest.approx(same[:, 0].mean())
    assert deviation[0] == pytest.approx(same[::5, 0].std() / np.sqrt(400), rel=1e-9)
    assert np.isnan(mean[1])


def test_readout_is_one_for_linear_maps_and_nothing_for_noise() -> None:
    rng = np.random.default_rng(3)
    shower = np.repeat(np.arange(500), 4)
    variables = rng.normal(size=(2000, 10))
    others = np.column_stack([variables @ np.arange(10.0), rng.normal(size=2000)])
    value, error = showers.readout(variables, others, shower, rng)
    assert value[0] == pytest.approx(1, abs=1e-4)  # the ridge
    assert value[1] == pytest.approx(0, abs=0.05)  # ten weights fitted to 1000 stations: -0.01, and its error
    assert 0 < error[1] < 0.05


def test_typical_traces_follow_the_value_of_the_variable() -> None:
    value = np.random.default_rng(4).permutation(100)[:, None].astype(float)
    traces = np.zeros((100, 8))
    traces[np.arange(100), (value[:, 0] // 34).astype(int)] = 3.0
    found = showers.typical_traces(value, traces)
    assert found.shape == (1, 3, 8)
    assert found.argmax(axis=2).tolist() == [[0, 1, 2]]
    assert found.sum(axis=2) == pytest.approx(1)


def test_ranks_begin_anew_in_every_shower() -> None:
    found = showers.ranks(np.array([3.0, 1.0, 2.0, 9.0, 8.0]), np.array([0, 0, 0, 4, 4]))
    assert found.tolist() == [2, 0, 1, 1, 0]


def test_variables_of_trained_and_random_networks_stand_side_by_side(predictors, test_split: Samples) -> None:
    found = showers.variables(CONFIG, predictors, test_split, np.random.default_rng(1))
    rows = int((test_split.inputs()[..., STATUS] == TRIGGERED).sum())
    assert int(found["stations"]) == rows
    assert len(found["quantity"]) == 6
    for name in ("traces", "graph"):
        for ending in ("", "_untrained"):
            assert found[f"{name}{ending}_correlation"].shape == (10, 6)
            assert found[f"{name}{ending}_readout"].shape == (6,)
            assert found[f"{name}{ending}_trace"].shape == (10, 3, 60)
        assert not np.array_equal(found[f"{name}_trace"], found[f"{name}_untrained_trace"])
    assert not any(key.startswith("times") for key in found)
    at = found["quantity"].tolist().index("log_signal")
    assert found["signal_readout"][at] == pytest.approx(1, abs=1e-4)


# --- relevance --------------------------------------------------------------------------------------------------------


class Closed(nn.Module):
    """Answers in closed form: core x the latest time; energy and depth by weights of bins, and by total signals."""

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.linspace(-1, 2, bins))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        depth = (seen[..., TRACE:] * self.weight).sum(dim=(1, 2))
        total = seen[..., TRACE:].sum(dim=(1, 2))
        latest = seen[..., TIME].amax(dim=1)
        zero = torch.zeros_like(depth)
        return torch.stack([zero, zero, latest, zero, 0.01 * depth**2, depth + total], dim=1)


def usual_shapes(seen: np.ndarray) -> np.ndarray:
    shape = np.exp(-np.arange(60) / 15.0)
    return np.broadcast_to(shape / shape.sum(), (*seen.shape[:2], 60))


def test_usual_traces_have_the_signals_of_the_measured_ones(test_split: Samples) -> None:
    seen = test_split.inputs(np.arange(5))
    usual = shower_relevance.usual_traces(seen, usual_shapes(seen))
    assert usual[..., TRACE:].sum(axis=2) == pytest.approx(seen[..., TRACE:].sum(axis=2), rel=1e-4, abs=1e-4)
    assert np.array_equal(usual[..., :TRACE], seen[..., :TRACE])


def test_relevance_of_a_linear_answer_is_exact_and_knows_no_totals(test_split: Samples) -> None:
    seen = test_split.inputs(np.arange(5))
    shapes = usual_shapes(seen)
    found = shower_relevance.relevance_of_bins(Closed(60), seen, shapes, (4, 5), steps=4)
    weight = np.linspace(-1, 2, 60)
    centred = weight - (weight * shapes[0, 0]).sum()
    total = seen[..., TRACE:].sum(axis=2, keepdims=True, dtype=float)
    lit = seen[..., STATUS, None] == TRIGGERED
    way = seen[..., TRACE:] - total * shapes * lit
    scale = float(np.abs(seen[..., TRACE:]).max())  # float32 knows a part in ten million
    assert found.relevance[1] == pytest.approx(way * centred * lit, abs=1e-5 * scale)
    assert found.slope[1] == pytest.approx(0.01 * total * centred * lit, abs=1e-5 * scale)
    # of a square: shares in proportion, which add up (the midpoint rule is exact for a linear slope)
    begin, end = (
        (one[..., TRACE:] * weight).sum(axis=(1, 2)) for one in (shower_relevance.usual_traces(seen, shapes), seen)
    )
    change = 0.01 * (end**2 - begin**2)
    assert found.relevance[0].sum(axis=(1, 2)) == pytest.approx(change, rel=1e-3, abs=1e-3)


def test_switching_off_stations_takes_away_all_that_they_said(test_split: Samples) -> None:
    seen = test_split.inputs(np.arange(6))
    lit = seen[..., STATUS] == TRIGGERED
    off = shower_relevance.occlusion_of_stations(Closed(60), seen)
    enough = lit.sum(axis=1) > 3
    assert len(off.shower) == lit[enough].sum()
    left = seen[off.shower].copy()
    rows = np.arange(len(left))
    left[rows, off.station, STATUS] = DEAD
    left[rows, off.station, TIME:] = 0
    weight = np.linspace(0, 3, 60)  # that of the trace, and 1 of the total signal
    without, whole = ((one[..., TRACE:] * weight).sum(axis=(1, 2)) for one in (left, seen))
    assert off.xmax == pytest.approx(without - whole[off.shower], rel=1e-4, abs=1e-2)
    assert (off.core >= 0).all()
    # the earliest station: times begin anew, so that the latest is less late; core_x is the latest time here
    found = shower_relevance.switched_off(seen[off.shower], off.station)
    times = np.where(found[..., STATUS] == TRIGGERED, found[..., TIME], np.inf)
    assert times.min(axis=1) == pytest.approx(0)
    assert (seen[:, :, STATUS] == TRIGGERED).sum() == lit.sum()  # the inputs are as they were


def test_relevance_has_every_part_for_every_network(predictors, test_split: Samples) -> None:
    found = showers.relevance(CONFIG, predictors, test_split, np.random.default_rng(1))
    classes = len(showers.DISTANCES) - 1
    for name in ("traces", "graph"):
        for key in (f"{one}_{kind}" for one in ("axis", "lg_energy", "xmax") for kind in ("size", "slope")):
            assert found[f"{name}_{key}"].shape == found[f"{name}_{key}_error"].shape == (classes, 60)
        assert found[f"{name}_completeness"].shape == found[f"{name}_similarity"].shape == (4,)
        assert np.abs(found[f"{name}_similarity"]).max() <= 1
        for ending in ("", "_untrained"):
            assert found[f"{name}{ending}_off_core_distance"].shape == (2, classes)
            assert found[f"{name}{ending}_off_xmax_signal"].shape == (2, showers.RANKS)
            assert np.nanmin(found[f"{name}{ending}_off_axis_time"][0]) >= 0
    assert found["class_n"].sum() == (test_split.inputs()[..., STATUS] == TRIGGERED).sum()


# --- members, gallery -------------------------------------------------------------------------------------------------


def test_first_members_alone_say_what_they_say_in_the_ensemble(predictors, test_split: Samples) -> None:
    found = showers.members(CONFIG, predictors, test_split, np.random.default_rng(1))
    assert set(found) == {"times", "traces", "graph", "mass_number"}
    assert found["traces"] == pytest.approx(predictors["traces"].predict(test_split.inputs()).mean, rel=1e-5, abs=1e-4)
    assert found["mass_number"].tolist() == test_split.records.arrays["mass_number"][test_split.indices].tolist()


def test_gallery_shows_what_the_stations_recorded(records: ArrayRecords) -> None:
    found = showers.gallery(CONFIG, records)
    lit = found["map_status"] == TRIGGERED
    assert np.isfinite(found["map_time"][lit]).all()
    assert np.isnan(found["map_time"][~lit]).all()
    assert np.nanmin(found["map_time"], axis=1) == pytest.approx(0)
    assert found["trace"].shape[1] == 60
    assert found["trace_signal"] == pytest.approx(found["trace"].sum(axis=1), rel=1e-5)
    assert (found["xmax_count"].sum(axis=1) > 0).any()
    assert found["profile"].shape[:2] == (len(found["primary"]), 3)
    # a sphere: the delay grows with the distance
    steep = found["delay_front"][0]
    assert (np.diff(steep[np.isfinite(steep)]) > 0).all()


def test_signals_of_triggered_stations_are_those_expected_of_all(records: ArrayRecords) -> None:
    found = showers.gallery(CONFIG, records)
    middle = np.sqrt(RADII[1:] * RADII[:-1])
    # where all trigger, nothing is clipped, and (60 bins) traces hold nearly all of the signal
    good = (found["triggered"] > 0.99) & (middle > 600) & (middle < 1200) & (found["station_count"] > 20)
    assert good.sum() >= 2
    expected = (found["expected_muon"] + found["expected_electromagnetic"])[good]
    # few showers: muons fluctuate by up to 15 %, and signals within a bin by its width
    assert found["signal"][good] == pytest.approx(expected, rel=0.15)
    assert found["muon_signal"][good] == pytest.approx(found["expected_muon"][good], rel=0.2)


def test_mean_track_is_the_mean_signal_of_a_muon() -> None:
    rng = np.random.default_rng(6)
    for cosine in (1.0, 0.8, 0.5):
        drawn = [muon_signal(cosine, rng) for _ in range(4000)]
        assert np.mean(drawn) == pytest.approx(mean_track(cosine), abs=4 * np.std(drawn) / np.sqrt(4000) + 1e-9)
