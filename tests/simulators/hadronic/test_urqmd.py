"""UrQMD's final states: conservation, seeds, directions; and the face that both models share."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic import own_process
from cloudchamber.simulators.hadronic.events import ELASTIC, Beam, Events, incoming_numbers
from cloudchamber.simulators.hadronic.models import MODELS, beam_of, model
from cloudchamber.simulators.hadronic.particles import conserved
from cloudchamber.simulators.hadronic.urqmd import UrQMD

needs_chromo = pytest.mark.skipif(importlib.util.find_spec("chromo") is None, reason="needs the extra generators")

ALONG = np.array([0.6, 0.6, 0.529])
PION, NUCLEON = 0.138, 0.938
"""Masses [GeV] in UrQMD, which knows no isospin breaking."""


@pytest.fixture(scope="module")
def urqmd() -> Iterator[UrQMD]:
    running = UrQMD()
    yield running
    running.close()


def beam(projectile: str, target: str, energy: float, n: int) -> Beam:
    return beam_of(MODELS["urqmd"], projectile, target, energy, ALONG, n)


def together(*beams: Beam) -> Beam:
    return Beam(**{name: np.concatenate([one.arrays()[name] for one in beams]) for name in beams[0].arrays()})


@needs_chromo
@pytest.mark.parametrize(
    ("projectile", "mass", "target", "energy"),
    [("pi+", PION, "H", 25.0), ("K-", 0.494, "C", 10.0), ("p", NUCLEON, "Pb", 50.0), ("pi-", PION, "H", 25.0)],
)
def test_conserves_everything_and_flies_where_it_is_sent(
    urqmd: UrQMD, projectile: str, mass: float, target: str, energy: float
) -> None:
    """Hydrogen comes again after nuclei: the library would then give its proton Fermi momentum."""
    events = urqmd.generate(beam(projectile, target, energy, 6), 3)
    off = events.sums(conserved(events.kind)) - incoming_numbers(events)
    assert not off[:, :2].any()
    total = events.sums(events.momentum)
    assert total == pytest.approx(events.incoming, abs=1e-8)
    momentum = np.sqrt(energy * (energy + 2 * mass)) * ALONG / np.linalg.norm(ALONG)
    assert total[:, 1:] == pytest.approx(np.tile(momentum, (6, 1)), abs=2e-3)  # masses are known to a MeV
    assert np.ptp(total, axis=0).max() < 1e-8
    baryons = conserved(events.nucleus[:1])[0, 1]
    binding = energy + mass + NUCLEON * baryons - total[0, 0]
    assert -0.002 * baryons <= binding <= 0.012 * baryons  # at most 8 MeV a nucleon and the uncertainty of masses


@needs_chromo
def test_same_seed_same_events_in_any_order(urqmd: UrQMD) -> None:
    mixed = together(beam("pi-", "C", 10.0, 2), beam("pi+", "H", 25.0, 2), beam("p", "Fe", 20.0, 2))
    first, again = urqmd.generate(mixed, 5), urqmd.generate(mixed, 5)
    assert np.array_equal(first.momentum, again.momentum)
    assert first.nucleus.tolist() == [1000060120] * 2 + [2212] * 2 + [1000260560] * 2
    off = first.sums(conserved(first.kind)) - incoming_numbers(first)
    assert not off[:, :2].any()  # every final state is with its own beam
    fresh = UrQMD()
    assert np.array_equal(fresh.generate(beam("pi+", "H", 25.0, 2), 5).kind, first.part(first.beam.target == 1).kind)
    fresh.close()


@needs_chromo
def test_elastic_events_on_hydrogen_have_two_particles(urqmd: UrQMD) -> None:
    events = urqmd.generate(beam("K+", "H", 10.0, 40), 7)
    elastic = events.channel == ELASTIC
    assert 0 < elastic.mean() < 0.6  # 29 % in longer runs
    assert (events.count[elastic] == 2).all()
    assert turned(events.part(elastic)).min() > 1e-3


@needs_chromo
@pytest.mark.parametrize("target", ["H", "C"])
def test_a_pion_that_was_not_turned_met_nothing(urqmd: UrQMD, target: str) -> None:
    """The library's elastic collisions of fast pions change nothing; it knows their mass to 2 MeV, and their energy."""
    events = urqmd.generate(beam("pi+", target, 25.0, 40), 7)
    calm = events.sums(~np.isin(events.kind, (211, 2212, 2112))) == 0
    assert (events.channel != ELASTIC).all()
    assert not (calm & (turned(events) < 1e-6)).any()


def turned(events: Events) -> NDArray[np.float64]:
    """Transverse momentum of each event's projectile, or of the most of its kind [GeV]."""
    owner = events.event_of
    direction = events.beam.direction[owner]
    space = events.momentum[:, 1:]
    across = np.linalg.norm(space - (space * direction).sum(axis=1, keepdims=True) * direction, axis=1)
    found = np.zeros(len(events))
    mine = events.kind == events.beam.projectile[owner]
    np.maximum.at(found, owner[mine], across[mine])
    return found


@needs_chromo
def test_leaves_no_files_where_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library writes its tables where it stands."""
    monkeypatch.chdir(tmp_path)
    running = UrQMD()
    running.generate(beam("pi+", "H", 25.0, 1), 1)
    running.close()
    assert not list(tmp_path.iterdir())


@needs_chromo
def test_projectiles_that_it_does_not_know_are_refused(urqmd: UrQMD) -> None:
    with pytest.raises(BadInput, match="no projectile K0L"):
        beam("K0L", "C", 25.0, 1)
    kaons = beam_of(MODELS["geant4"], "K0L", "C", 25.0, ALONG, 1)
    with pytest.raises(BadInput, match="no projectile 130"):
        urqmd.generate(kaons, 1)
    assert len(urqmd.generate(beam("p", "C", 10.0, 1), 1)) == 1  # it goes on after a refusal


def test_the_face_keeps_the_limits_of_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="did you mean 'urqmd'"):
        model("urqm")
    with pytest.raises(BadInput, match="from 1 to 100 GeV"):
        beam_of(model("geant4"), "p", "C", 0.5, ALONG, 1)
    with pytest.raises(BadInput, match="direction"):
        beam_of(model("geant4"), "p", "C", 5.0, np.zeros(3), 1)
    monkeypatch.setattr(own_process.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"cloudchamber\[generators\]"):
        UrQMD().generate(beam("p", "C", 10.0, 1), 1)
