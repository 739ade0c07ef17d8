"""Observables by hand, distances against known ones, violations, and copies of the training."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from cloudchamber.metrics.interactions import (
    MULTIPLICITIES,
    correlation_difference,
    distances,
    nearest_neighbour_ratio,
    observables,
    violations,
)
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_of
from cloudchamber.simulators.hadronic.kinematics import from_rest, project
from cloudchamber.simulators.hadronic.particles import masses

PION, PROTON = 0.1395701, 0.938272013
MASS = {211: PION, -211: PION, 111: 0.1349766, 2212: PROTON, 22: 0.0, 1000020040: 3.727379}


def events_of(kinds: list[list[int]], seed: int = 1, direction: tuple[float, float, float] = (0.6, 0.0, 0.8)) -> Events:
    """pi+ of 25 GeV on hydrogen to given kinds with random momenta, exact."""
    rng = np.random.default_rng(seed)
    n = len(kinds)
    towards = np.tile(np.array(direction), (n, 1))
    momentum = np.sqrt(25.0 * (25.0 + 2 * PION)) * towards
    incoming = np.concatenate([np.full((n, 1), 25.0 + PION + PROTON), momentum], axis=1)
    kind = np.array([one for event in kinds for one in event], np.int32)
    mass = np.array([MASS[one] for one in kind.tolist()])
    offsets = np.concatenate([[0], np.cumsum([len(event) for event in kinds])])
    s = np.sqrt(incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1))
    rest, _, good = project(rng.normal(size=(len(kind), 3)) * [0.3, 0.3, 1.0], mass, offsets, s)
    assert good.all()
    owner = np.repeat(np.arange(n), np.diff(offsets))
    beam = Beam(np.full(n, 211, np.int32), np.ones(n, np.int32), np.full(n, 25.0), towards)
    lab = from_rest(rest, incoming[owner], towards[owner])
    return Events(beam, np.full(n, 2212, np.int32), incoming, np.ones(n, np.uint8), offsets, kind, lab)


def test_observables_of_two_events_are_those_by_hand() -> None:
    events = events_of([[211, 2212], [2212, 211, 211, -211, 111]])
    found = observables(events)
    assert found["n"].tolist() == [2, 5]
    assert found["n_charged"].tolist() == [2, 4]
    assert found["n_pi+"].tolist() == [1, 2]
    assert found["n_pi-"].tolist() == [0, 1]
    assert found["n_pi0"].tolist() == [0, 1]
    assert found["n_p"].tolist() == [1, 1]
    assert found["residual_mass_number"].tolist() == [0, 0]
    # two bodies share the momentum: back to back, x_F by two-body kinematics; the beam's momentum is p_lab m / sqrt(s)
    s = np.sqrt(events.incoming[0, 0] ** 2 - (events.incoming[0, 1:] ** 2).sum())
    k = np.sqrt((s**2 - (PION + PROTON) ** 2) * (s**2 - (PION - PROTON) ** 2)) / (2 * s)
    beam = np.sqrt(25.0 * (25.0 + 2 * PION)) * PROTON / s
    x, across = found["leading_x_F"][0] * beam, found["leading_transverse_momentum"][0]
    assert np.hypot(x, across) == pytest.approx(k, rel=1e-9)
    assert found["transverse_momentum"][0] == pytest.approx(2 * across)
    assert set(MULTIPLICITIES) <= set(found)
    assert all(np.isfinite(values).all() for values in found.values())


@pytest.mark.parametrize("target", [1, 6, 82])
def test_a_projectile_that_passes_has_x_f_of_one_on_every_nucleus(target: int) -> None:
    n = 3
    beam = Beam(np.full(n, 211, np.int32), np.full(n, target, np.int32), np.array([1.0, 25.0, 100.0]),
                np.tile([0.6, 0.0, 0.8], (n, 1)))  # fmt: skip
    nucleus, incoming = incoming_of(beam)
    at_rest = np.zeros((n, 4))
    at_rest[:, 0] = masses(nucleus)
    momentum = np.stack([incoming - at_rest, at_rest], axis=1).reshape(-1, 4)
    kind = np.stack([beam.projectile, nucleus], axis=1).ravel()
    events = Events(beam, nucleus, incoming, np.zeros(n, np.uint8), 2 * np.arange(n + 1), kind, momentum)
    assert observables(events)["leading_x_F"] == pytest.approx(1, abs=1e-9)


def test_the_leading_particle_is_of_any_kind_and_may_fly_back() -> None:
    event = events_of([[211, 2212, 22]])
    forward, back = event.momentum.copy(), event.momentum.copy()
    forward[2] = [30.0, 18.0, 0.0, 24.0]  # a hard photon along the beam
    found = observables(replace(event, momentum=forward))
    assert found["leading_charge"].tolist() == [0]
    assert found["leading_x_F"][0] > 1
    back[:2] = [[0.5, 0, 0, 0], [1.0, 0, 0, 0]]  # all rest in the laboratory
    back[2] = [1e-3, 0, 0, 1e-3]
    assert observables(replace(event, momentum=back))["leading_x_F"][0] < 0


def test_observables_do_not_depend_on_the_direction_of_the_beam() -> None:
    one, two = (
        observables(events_of([[211, 2212, 111], [211, 211, -211, 2212]], direction=direction))
        for direction in ((0.6, 0.0, 0.8), (0.0, -1.0, 0.0))
    )
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9, atol=1e-9)


def test_soft_photons_and_nuclei_are_kept_apart() -> None:
    events = events_of([[211, 2212, 22, 1000020040]])
    changed = events.momentum.copy()
    changed[2] = [1e-3, 0, 0, 1e-3]
    found = observables(Events(events.beam, events.nucleus, events.incoming, events.channel, events.offsets,
                               events.kind, changed))  # fmt: skip
    assert found["n"].tolist() == [2]
    assert found["residual_mass_number"].tolist() == [4]
    assert found["n_fragments"].tolist() == [1]


def test_distance_is_a_shift_in_standard_deviations() -> None:
    rng = np.random.default_rng(2)
    truth, other = rng.normal(size=4000) * 3, rng.normal(size=4000) * 3 + 1.5
    found = distances({"a": truth}, {"a": other}, rng)
    assert found.wasserstein["a"].value == pytest.approx(0.5, abs=4 * 0.022)  # two samples of 4000: 1 / sqrt(2000)
    assert found.wasserstein["a"].error == pytest.approx(0.022, rel=0.3)
    assert found.kolmogorov_smirnov["a"].value == pytest.approx(0.197, abs=0.04)  # 2 Phi(1/4) - 1
    assert distances({"a": truth}, {"a": truth}, rng).mean.value == pytest.approx(0, abs=1e-12)
    assert distances({"a": truth}, {"a": truth + 100}, rng).kolmogorov_smirnov["a"].value == pytest.approx(1)
    constant = distances({"a": np.ones(9)}, {"a": np.ones(9)}, rng)
    assert constant.wasserstein == {}
    assert constant.kolmogorov_smirnov["a"].value == 0
    assert np.isnan(constant.mean.value)


def test_distances_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    truth = {"whole": rng.poisson(4.0, 700).astype(float), "real": rng.exponential(size=700)}
    model = {"whole": rng.poisson(5.0, 300).astype(float), "real": rng.exponential(size=300) * 1.3}
    found = distances(truth, model, rng)
    for name, true in truth.items():
        expected = wasserstein_distance(true, model[name]) / true.std()
        assert found.wasserstein[name].value == pytest.approx(expected, rel=1e-9)
        largest = ks_2samp(true, model[name]).statistic
        assert found.kolmogorov_smirnov[name].value == pytest.approx(largest, rel=1e-9)
    assert found.mean.value == pytest.approx(np.mean([one.value for one in found.wasserstein.values()]))
    assert found.mean.n == 300


def test_the_error_of_a_mean_knows_that_observables_share_their_events() -> None:
    rng = np.random.default_rng(4)
    truth, model = rng.normal(size=2000), rng.normal(size=2000) + 0.5
    alike = distances({"a": truth, "b": 2 * truth}, {"a": model, "b": 2 * model}, rng)
    assert alike.mean.error == pytest.approx(alike.wasserstein["a"].error, rel=1e-6)


def test_twenty_observables_of_12000_events_are_quick() -> None:
    rng = np.random.default_rng(5)
    truth, model = ({str(k): rng.normal(size=12_000) for k in range(20)} for _ in range(2))
    start = process_time()
    found = distances(truth, model, rng)
    assert process_time() - start < 6  # 0.5 s on a quiet core
    assert 0.005 < found.mean.value < 0.03


def test_correlations_that_are_gone_are_seen() -> None:
    rng = np.random.default_rng(6)
    a = rng.normal(size=3000)
    truth, model = {"a": a, "b": a + rng.normal(size=3000)}, {"a": a, "b": rng.normal(size=3000)}
    found = correlation_difference(truth, model, rng)
    assert found.value == pytest.approx(np.sqrt(0.5), abs=0.08)  # each known to 1 / sqrt(3000)
    assert found.error < 0.03


def test_copies_are_near_their_originals_and_new_events_are_not() -> None:
    rng = np.random.default_rng(7)
    draw = lambda n: {name: rng.normal(size=n) for name in "abc"}  # noqa: E731
    train, test = draw(3000), draw(1000)
    copies = {name: values[:1000] + 1e-4 for name, values in train.items()}
    assert nearest_neighbour_ratio(copies, train, test, rng).value < 0.01
    new = nearest_neighbour_ratio(draw(1000), train, test, rng)
    assert new.value == pytest.approx(1, abs=4 * new.error)
    assert 0 < new.error < 0.1


def test_each_broken_conservation_law_is_counted() -> None:
    good = events_of([[211, 2212], [211, 2212, 211, -211]])
    found = violations(good)
    assert all((found[name] == 0).all() for name in ("charge", "baryon_number", "strangeness"))
    assert found["energy_momentum"].max() < 1e-9
    bad = Events(good.beam, good.nucleus, good.incoming, good.channel, good.offsets,
                 np.array([-211, 2212, 321, 2212, 211, -2112], np.int32), good.momentum)  # fmt: skip
    found = violations(bad)
    assert found["charge"].tolist() == [2, 1]
    assert found["baryon_number"].tolist() == [0, 1]
    assert found["strangeness"].tolist() == [0, 1]
    open_ended = Events(good.beam, good.nucleus, good.incoming, good.channel, good.offsets,
                        np.array([211, 2212, 321, 2212, 130, -211], np.int32), good.momentum)  # fmt: skip
    assert violations(open_ended)["strangeness"].tolist() == [0, 0]


def test_a_long_lived_kaon_brings_strangeness_of_either_sign() -> None:
    left = [[321, 2112], [211, 3122], [130, 2212], [211, 2112], [321, 321, 3122, 3112], [321, 321, 2112]]
    made = events_of([[211] * len(one) for one in left])  # momenta say nothing of strangeness
    beam = replace(made.beam, projectile=np.full(len(left), 130, np.int32))
    events = replace(made, beam=beam, kind=np.concatenate(left).astype(np.int32))
    # a K+, a Lambda or the kaon itself may leave; an even number of strange quarks may not
    assert violations(events)["strangeness"].tolist() == [0, 0, 0, 1, 1, 1]


def test_missing_momentum_is_seen() -> None:
    good = events_of([[211, 2212], [211, 2212, 111]])
    changed = good.momentum.copy()
    changed[0] *= 1.5
    bad = Events(good.beam, good.nucleus, good.incoming, good.channel, good.offsets, good.kind, changed)
    off = violations(bad)["energy_momentum"]
    assert off[0] == pytest.approx(0.5 * good.momentum[0].max())
    assert off[1] < 1e-9
