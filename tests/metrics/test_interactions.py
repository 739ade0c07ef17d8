"""Observables by hand, distances against known ones, a classifier that cannot tell equals apart, and violations."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.metrics.interactions import (
    MULTIPLICITIES,
    classifier_auc,
    correlation_difference,
    distance,
    kolmogorov_smirnov,
    observables,
    violations,
)
from cloudchamber.simulators.hadronic.events import Beam, Events
from cloudchamber.simulators.hadronic.kinematics import from_rest, project

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


def test_observables_of_two_events() -> None:
    events = events_of([[211, 2212], [2212, 211, 211, -211, 111]])
    found = observables(events)
    assert found["n"].tolist() == [2, 5]
    assert found["n_charged"].tolist() == [2, 4]
    assert found["n_pi+"].tolist() == [1, 2]
    assert found["n_pi-"].tolist() == [0, 1]
    assert found["n_pi0"].tolist() == [0, 1]
    assert found["n_p"].tolist() == [1, 1]
    assert found["residual_mass_number"].tolist() == [0, 0]
    # two bodies share the momentum: back to back, x_F by two-body kinematics
    s = np.sqrt(events.incoming[0, 0] ** 2 - (events.incoming[0, 1:] ** 2).sum())
    k = np.sqrt((s**2 - (PION + PROTON) ** 2) * (s**2 - (PION - PROTON) ** 2)) / (2 * s)
    x, across = found["leading_x_F"][0] * s / 2, found["leading_transverse_momentum"][0]
    assert np.hypot(x, across) == pytest.approx(k, rel=1e-9)
    assert found["transverse_momentum"][0] == pytest.approx(2 * across)
    assert set(MULTIPLICITIES) <= set(found)
    assert all(np.isfinite(values).all() for values in found.values())


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
    found = distance(truth, other, rng)
    assert found.value == pytest.approx(0.5, abs=4 * 0.022)  # two samples of 4000: 1 / sqrt(2000)
    assert found.error == pytest.approx(0.022, rel=0.3)
    assert distance(truth, truth, rng).value == 0
    assert np.isnan(distance(np.ones(9), np.ones(9), rng).value)
    assert kolmogorov_smirnov(truth, truth) == 0
    assert kolmogorov_smirnov(truth, truth + 100) == 1


def test_classifier_tells_what_differs_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    draw = lambda shift: {"a": rng.normal(size=3000), "b": rng.normal(size=3000) + shift}  # noqa: E731
    same = classifier_auc(draw(0.0), draw(0.0), rng)
    assert same.value == pytest.approx(0.5, abs=4 * same.error)
    other = classifier_auc(draw(0.0), draw(1.0), rng)
    assert other.value == pytest.approx(0.76, abs=0.04)  # Gaussians one sigma apart: Phi(1 / sqrt(2)) = 0.760
    assert correlation_difference(draw(0.0), draw(0.0)) < 0.1


def test_violations_are_counted() -> None:
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
