"""What the studies of hadronic interactions share: settings, events of a user as the truth, range of the training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloudchamber.experiments import interactions
from cloudchamber.experiments.interactions import InteractionConfig
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_of

PION = InteractionConfig()
WORLD = PION.changed({"targets": "H,C", "projectiles": "pi+,K-", "lowest": 1, "highest": 100, "left_out": "25,36"})


def beam_of(projectile: int, target: int, *energies: float) -> Beam:
    n = len(energies)
    return Beam(
        np.full(n, projectile, np.int32), np.full(n, target, np.int32), np.array(energies), np.tile([0, 0, 1.0], (n, 1))
    )


def scattered(beam: Beam) -> Events:
    """Elastic events in which nothing changes."""
    nucleus, incoming = incoming_of(beam)
    n = len(beam)
    momentum = np.stack([incoming, 0 * incoming], axis=1).reshape(-1, 4)
    kind = np.stack([beam.projectile, nucleus], axis=1).reshape(-1)
    return Events(beam, nucleus, incoming, np.zeros(n, np.uint8), 2 * np.arange(n + 1), kind, momentum)


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("projectiles", "pi", "unknown projectile 'pi'; did you mean 'pi"),
        ("targets", "Cu,Fee", "targets = 'Cu,Fee': unknown target 'Fee'; did you mean 'Fe'?"),
        ("direction", "1,2", "give a list with commas, such as direction=0.6,0.6,0.529"),
        ("direction", "1,2,up", "valid number.*such as direction=0.6,0.6,0.529"),
        ("left_out", "3", "^left_out needs two rising energies, or none$"),
        ("highest", "1000", "geant4 makes events of 1 to 100 GeV"),
        ("model", "geant", "did you mean 'geant4'"),
    ],
)
def test_a_setting_that_cannot_be_is_one_clear_line(key: str, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as refusal:
        PION.changed({key: text})
    assert refusal.value.status == 2
    assert len(str(refusal.value)) < 150


def test_lists_are_written_with_commas() -> None:
    changed = PION.changed({"projectiles": "pi+, K-", "targets": "Cu", "energies": "2,8.5", "direction": "0,0,2"})
    assert (changed.projectiles, changed.targets) == (("pi+", "K-"), ("Cu",))
    assert (changed.energies, changed.direction) == ((2.0, 8.5), (0.0, 0.0, 2.0))
    assert WORLD.changed({"left_out": "none"}).left_out == ()
    assert PION.changed({"targets": ("Cu", "Pb")}).targets == ("Cu", "Pb")


def test_a_run_of_own_events_is_set_by_them() -> None:
    events = scattered(beam_of(-321, 6, *np.linspace(150.0, 158.0, 120)))
    found = interactions.fitting(PION, events)
    assert (found.projectiles, found.targets, found.model) == (("K-",), ("C",), "own")
    assert (found.events, found.lowest, found.highest, found.direction) == (120, 150.0, 158.0, (0.0, 0.0, 1.0))
    assert (found.left_out, found.epochs) == ((), PION.epochs)
    assert interactions.wanted(found, {"energy": "151"}, 2, False).projectile.tolist() == [-321, -321]
    assert interactions.fitting(found, events) == found
    assert "again" not in interactions.generators(found, 1, "cpu")
    assert "again" in interactions.generators(PION, 1, "cpu")
    assert not any(one.any() for one in interactions.outside(found, events.beam).values())


def test_energies_that_a_file_has_rounded_are_one_energy() -> None:
    beam = beam_of(211, 1, *(25 + np.linspace(-1e-9, 1e-9, 100)))
    random = np.random.default_rng(1).normal(size=(100, 3))
    beam = replace(beam, direction=random / np.linalg.norm(random, axis=1, keepdims=True))
    found = interactions.fitting(PION, scattered(beam))
    assert found.lowest == found.highest == 25
    assert found.direction == PION.direction
    assert interactions.wanted(found, {}, 1, False).kinetic_energy.tolist() == [25.0]


def test_own_events_that_nothing_can_learn_are_refused() -> None:
    with pytest.raises(BadInput, match="99 events: a run needs at least 100"):
        interactions.fitting(PION, scattered(beam_of(211, 1, *([25.0] * 99))))
    with pytest.raises(BadInput, match="events with projectile 3122: generators know pi"):
        interactions.fitting(PION, scattered(beam_of(3122, 1, *([25.0] * 100))))


def test_conditions_outside_the_training_are_marked() -> None:
    beam = beam_of(211, 1, 0.5, 1, 20, 30, 36, 100 + 1e-9, 101)
    outside = interactions.outside(WORLD, beam)
    assert outside["energy"].tolist() == [True, False, False, True, False, False, True]
    assert not outside["projectile"].any()
    assert not outside["target"].any()
    other = interactions.outside(WORLD, beam_of(2212, 82, 5.0))
    assert (other["projectile"].all(), other["target"].all(), other["energy"].any()) == (True, True, False)
    grid = interactions.outside(PION.changed({"energies": "2,90"}), beam)
    assert grid["energy"].tolist() == [True, True, False, False, False, True, True]


def test_the_gap_of_the_training_needs_leave() -> None:
    settings = {"projectile": "pi+", "target": "H", "energy": "30"}
    with pytest.raises(BadInput, match="energy 30 GeV: the training has 1 to 100 without 25 to 36 GeV: add --extra"):
        interactions.wanted(WORLD, settings, 1, False)
    assert interactions.wanted(WORLD, settings, 1, True).kinetic_energy.tolist() == [30.0]
    assert interactions.wanted(WORLD, settings | {"energy": "20"}, 1, False).kinetic_energy.tolist() == [20.0]
