"""UrQMD's final states: conservation, seeds, directions; and the face that both models share."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic import urqmd as module
from cloudchamber.simulators.hadronic.events import Beam, incoming_numbers, joined
from cloudchamber.simulators.hadronic.models import MODELS, beam_of, model
from cloudchamber.simulators.hadronic.particles import conserved
from cloudchamber.simulators.hadronic.urqmd import UrQMD

pytestmark = pytest.mark.skipif(importlib.util.find_spec("chromo") is None, reason="needs the extra generators")

ALONG = np.array([0.6, 0.6, 0.529])


def beam(projectile: str, target: str, energy: float, n: int) -> Beam:
    return beam_of(MODELS["urqmd"], projectile, target, energy, ALONG, n)


def test_conserves_everything_and_flies_where_it_is_sent() -> None:
    running = UrQMD()
    for projectile, target, energy in (("pi+", "Fe", 25.0), ("K-", "C", 10.0), ("p", "Pb", 50.0)):
        events = running.generate(beam(projectile, target, energy, 6), 3)
        off = events.sums(conserved(events.kind)) - incoming_numbers(events)
        assert not off[:, :2].any()
        total = events.sums(events.momentum)
        assert total == pytest.approx(events.incoming, abs=1e-8)
        direction = total[:, 1:] / np.linalg.norm(total[:, 1:], axis=1, keepdims=True)
        assert direction == pytest.approx(np.tile(ALONG / np.linalg.norm(ALONG), (6, 1)), abs=1e-9)
        mass = np.sqrt(np.maximum(events.momentum[:, 0] ** 2 - (events.momentum[:, 1:] ** 2).sum(axis=1), 0))
        assert mass[events.kind == 211] == pytest.approx(0.138, abs=0.002)


def test_same_seed_same_events_in_any_order() -> None:
    running = UrQMD()
    two = (beam("pi-", "C", 10.0, 3), beam("p", "Fe", 20.0, 2))
    mixed = Beam(*(np.concatenate([getattr(one, name) for one in two]) for name in vars(two[0])))
    first, again = running.generate(mixed, 5), running.generate(mixed, 5)
    assert np.array_equal(first.momentum, again.momentum)
    assert first.nucleus.tolist() == [1000060120] * 3 + [1000260560] * 2
    assert first.incoming[0, 0] == pytest.approx(10.0 + 0.138 + 12 * 0.938, abs=0.2)
    assert first.incoming[4, 0] == pytest.approx(20.0 + 57 * 0.938, abs=0.6)


HYDROGEN = """
import numpy as np
from cloudchamber.simulators.hadronic.models import MODELS, beam_of
from cloudchamber.simulators.hadronic.urqmd import UrQMD
events = UrQMD().generate(beam_of(MODELS["urqmd"], "pi+", "H", 25.0, np.array([0.6, 0.6, 0.529]), 40), 7)
elastic = events.channel == 0
assert 0 < elastic.mean() < 0.5, elastic.mean()  # 17 to 22 % in longer runs
assert (events.count[elastic] == 2).all()
total = events.sums(events.momentum)
assert np.ptp(total, axis=0).max() < 1e-8, "no Fermi momentum: all events have the same sum"
"""


def test_hydrogen_in_a_process_of_its_own() -> None:
    """Elastic events have two particles; after a nucleus the library would give the proton Fermi momentum."""
    done = subprocess.run([sys.executable, "-c", HYDROGEN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_hydrogen_after_a_nucleus_is_refused() -> None:
    running = UrQMD()
    two = running.generate(beam("p", "C", 10.0, 1), 1)
    assert joined([two, two]).count.tolist() == two.count.tolist() * 2
    with pytest.raises(BadInput, match="hydrogen or nuclei, not both"):
        running.generate(beam("p", "H", 10.0, 1), 1)


def test_projectiles_that_it_does_not_know_are_refused() -> None:
    with pytest.raises(BadInput, match="no projectile K0L"):
        beam("K0L", "C", 25.0, 1)
    kaons = beam_of(MODELS["geant4"], "K0L", "C", 25.0, ALONG, 1)
    with pytest.raises(BadInput, match="no projectile 130"):
        UrQMD().generate(kaons, 1)


def test_the_face_keeps_the_limits_of_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="did you mean 'urqmd'"):
        model("urqm")
    with pytest.raises(BadInput, match="from 1 to 100 GeV"):
        beam_of(model("geant4"), "p", "C", 0.5, ALONG, 1)
    with pytest.raises(BadInput, match="direction"):
        beam_of(model("geant4"), "p", "C", 5.0, np.zeros(3), 1)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"cloudchamber\[generators\]"):
        UrQMD()
