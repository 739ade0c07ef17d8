"""Events of nuclear collisions: rounding conserves all, selection keeps them whole, files come back or are refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cloudchamber.data.collisions import (
    Collisions,
    Entrance,
    Simulated,
    collision_writer,
    collisions_of,
    entrance_of,
    joined,
    read_collisions,
    rounded,
)
from cloudchamber.schema import BadInput


def simulated_pair(n: int = 3) -> tuple[Entrance, Simulated]:
    """Two fragments of 10 of 12 nucleons each that fly apart, and gas of 10 test particles a nucleon."""
    rng = np.random.default_rng(1)
    nuclei = np.tile((12, 6), (n, 1))
    entrance = Entrance(nuclei, nuclei, np.full(n, 62.0), np.linspace(1, 5, n))
    gas = np.full(n, 40)
    momentum = np.tile([[90.0, 5.0, 1500.0], [-90.0, -5.0, -1500.0]], (n, 1)) + rng.normal(0, 5, (2 * n, 3))
    position = np.tile([[4.0, 0.0, 20.0], [-4.0, 0.0, -20.0]], (n, 1))
    return entrance, Simulated(
        np.full(n, 2), np.full(2 * n, 10.0), np.full(2 * n, 5.0), position, momentum, np.full(2 * n, 8.0), gas,
        np.tile([0, 1], 20 * n).astype(np.uint8), rng.normal(0, 20, (40 * n, 3)).astype(np.float32),
        rng.normal(0, 120, (40 * n, 3)).astype(np.float32), 10,
    )  # fmt: skip


@pytest.fixture
def events() -> Collisions:
    return rounded(*simulated_pair(), np.random.default_rng(2))


def test_rounded_events_conserve_nucleons_momentum_and_energy(events: Collisions) -> None:
    assert events.sums(events.A).tolist() == [24.0] * 3
    assert events.sums(events.Z).tolist() == [12.0] * 3
    assert np.abs(events.sums(events.momentum)).max() < 1e-9
    assert np.abs(events.sums(events.energy()) - events.entrance.available_energy()).max() < 1e-8


def test_each_rounding_draws_other_nucleons_of_the_gas() -> None:
    entrance, simulated = simulated_pair()
    first, second = (rounded(entrance, simulated, np.random.default_rng(seed)) for seed in (1, 2))
    assert not np.array_equal(first.momentum, second.momentum)
    again = rounded(entrance, simulated, np.random.default_rng(1))
    np.testing.assert_array_equal(first.momentum, again.momentum)


def test_events_in_another_order_keep_their_nuclei_and_sources(events: Collisions) -> None:
    turned = events.ordered(np.array([2, 0]))
    assert turned.entrance.impact_parameter.tolist() == [5.0, 1.0]
    np.testing.assert_array_equal(turned.momentum[: turned.nuclei[0]], events.momentum[events.event_of == 2])
    assert turned.simulated is not None
    assert events.simulated is not None
    np.testing.assert_array_equal(turned.simulated.momentum, events.simulated.momentum[[4, 5, 0, 1]])
    np.testing.assert_array_equal(turned.simulated.gas_momentum[:40], events.simulated.gas_momentum[80:])
    marked = events.ordered(events.entrance.impact_parameter > 2)
    np.testing.assert_array_equal(marked.A, events.A[events.event_of > 0])


def test_sets_of_events_follow_each_other_when_joined(events: Collisions) -> None:
    both = joined([events, events.ordered(np.array([1]))])
    assert both.nuclei.tolist() == [*events.nuclei, events.nuclei[1]]
    np.testing.assert_array_equal(both.momentum[len(events.A) :], events.momentum[events.event_of == 1])
    assert both.simulated is None


def records(n: int = 3) -> dict[str, np.ndarray]:
    entrance, simulated = simulated_pair(n)
    return {
        "projectile": entrance.projectile, "target": entrance.target, "energy": entrance.energy.astype(np.float32),
        "impact_parameter": entrance.impact_parameter.astype(np.float32), "refused": np.zeros(n, np.uint8),
        "fragments": simulated.fragments, "gas": simulated.gas, "fragment_A": simulated.A, "fragment_Z": simulated.Z,
        "fragment_position": simulated.position, "fragment_momentum": simulated.momentum,
        "fragment_excitation": simulated.excitation, "gas_species": simulated.gas_species,
        "gas_position": simulated.gas_position, "gas_momentum": simulated.gas_momentum,
    }  # fmt: skip


def test_records_become_events_and_refused_ones_do_not(caplog: pytest.LogCaptureFixture) -> None:
    arrays = records(4)
    arrays["refused"][1] = 1
    # a refused event has neither fragments nor gas
    arrays["fragments"][1] = arrays["gas"][1] = 0
    for name in arrays:
        if name.startswith("fragment_"):
            arrays[name] = np.delete(arrays[name], [2, 3], axis=0)
        elif name.startswith("gas_"):
            arrays[name] = np.delete(arrays[name], np.arange(40, 80), axis=0)
    with caplog.at_level(logging.WARNING):
        events = collisions_of(arrays)
    assert events.entrance.impact_parameter == pytest.approx(np.delete(np.linspace(1, 5, 4), 1), abs=1e-6)
    assert events.simulated is not None
    assert events.simulated.per_nucleon == 10
    assert "1 of 4 events were refused" in caplog.text
    with pytest.raises(BadInput, match="no event is left"):
        collisions_of(arrays | {"refused": np.ones(4, np.uint8)})


def test_energies_in_single_precision_are_those_that_were_meant() -> None:
    arrays = records(2) | {"energy": np.array([45.3, 62.0], np.float32)}
    assert entrance_of(arrays).energy.tolist() == [45.3, 62.0]


def test_available_energy_is_that_of_each_channel() -> None:
    carbon, alpha = np.array([[12, 6], [12, 6]]), np.array([[12, 6], [4, 2]])
    entrance = Entrance(carbon, alpha, np.array([62.0, 95.0]), np.zeros(2))
    m, low = 11174.86, 3727.38
    expected = [np.sqrt(2 * m**2 + 2 * m * (m + 744)), np.sqrt(m**2 + low**2 + 2 * low * (m + 1140))]
    assert entrance.available_energy() == pytest.approx(expected, rel=1e-6)


def test_files_hold_events_and_what_is_said_of_them(events: Collisions, tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    with collision_writer(path, {"model": "test"}) as append:
        append(events)
        append(events.ordered(np.array([1])))
    found, about = read_collisions(path)
    assert about["model"] == "test"
    assert found.nuclei.tolist() == [*events.nuclei, events.nuclei[1]]
    np.testing.assert_array_equal(found.momentum[: len(events.A)], events.momentum)
    np.testing.assert_array_equal(found.entrance.energy, [62.0] * 4)


@pytest.mark.parametrize("what", ["A", "Z", "excitation", "momentum"])
def test_files_of_events_that_do_not_add_up_are_refused(events: Collisions, tmp_path: Path, what: str) -> None:
    values = getattr(events, what).copy()
    if what == "momentum":
        values[-1] *= -1  # which leaves the energy as it is
    else:
        values[-1] += {"A": 1, "Z": 1 - 2 * values[-1], "excitation": 5}[what]
    with collision_writer(tmp_path / "events.h5", {}) as append:
        append(replace(events, **{what: values}))
    name = "energy" if what == "excitation" else what
    with pytest.raises(BadInput, match=rf"{name} of event 2 is off"):
        read_collisions(tmp_path / "events.h5")


def test_other_files_and_suffixes_are_refused(events: Collisions, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"ends in \.h5"), collision_writer(tmp_path / "events.txt", {}):
        pass
    path = tmp_path / "events.h5"
    with collision_writer(path, {}) as append:
        append(events)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BadInput, match=r"events\.h5"):
        read_collisions(path)
