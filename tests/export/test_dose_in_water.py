"""The example of a carbon beam in water: survival, energies that fit, and Geant4's dose with a balance that closes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cloudchamber.data.collisions import Collisions, Entrance

EXAMPLE = Path(__file__).parents[2] / "examples" / "geant4" / "dose_in_water.py"
TRAINED = (45.0, 95.0, 8.0)
RESIDUE = 16.0
"""MeV of excitation of the boron that the stand-in makes."""


@pytest.fixture(scope="module")
def example() -> Iterator[ModuleType]:
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("dose_in_water", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


class Stand:
    """In place of an emulator: a proton is knocked out of the carbon; every third event is untouched."""

    def __init__(self) -> None:
        self.energies: list[float] = []

    def sample(self, condition: Entrance, rng: np.random.Generator) -> Collisions:
        self.energies += condition.energy.tolist()
        columns = []
        for place, energy in enumerate(condition.energy):
            p = 12 * 16 / 28 * np.sqrt(2 * 931.5 * energy)
            if place % 3 == 2:
                columns.append(([12, 16], [6, 8], [[30.0, 0, p], [-30.0, 0, -p]], [0.3, 0.4]))
            else:
                momenta = [[40.0, 0, 0.8 * p], [-70.0, 0, -0.85 * p], [30.0, 0, 0.05 * p]]
                columns.append(([11, 16, 1], [5, 8, 1], momenta, [RESIDUE, 1.0, 0.0]))
        A, Z, momentum, excitation = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        count = np.array([len(one[0]) for one in columns], np.int64)
        return Collisions(condition, count, A, Z, momentum, excitation)


def test_survival_of_a_constant_rate_is_exponential(example: ModuleType) -> None:
    alive = example.survival(np.full(100, 0.004))
    assert alive[0] == 1
    assert alive[-1] == pytest.approx(np.exp(-0.004 * 100 * example.BIN), rel=1e-12)


def test_rates_are_cross_sections_of_the_atoms_of_water(example: ModuleType) -> None:
    oxygen, hydrogen = example.reaction_rates(np.array([62.0, 5.0]))
    atoms = 6.02214e23 / 18.015 / 1000  # molecules in a mm^3
    assert oxygen[0] / (atoms * 1e-25) == pytest.approx(1148.03, rel=1e-4)  # kox, mb
    # two protons; 288 and 263 mb at 60 and 70 MeV in the evaluation of Barashenkov, which the formula is near
    assert hydrogen[0] / (2 * atoms * 1e-25) == pytest.approx(283, rel=0.1)
    assert (oxygen[1], hydrogen[1]) == (0, 0)


def test_stretched_events_have_the_energy_that_there_is(example: ModuleType) -> None:
    drawn = Stand().sample(example.entrance_of(np.full(6, 45.0), np.full(6, 3.0)), np.random.default_rng(1))
    wanted = np.array([30.0, 12.0, 30.0, 62.0, 10.0, 44.0])
    events, fits = example.stretched(drawn, wanted)
    assert fits.all()
    np.testing.assert_allclose(events.sums(events.energy()), events.entrance.available_energy(), rtol=1e-12)
    np.testing.assert_array_equal(events.entrance.energy, wanted)
    hot = Collisions(drawn.entrance, drawn.nuclei, drawn.A, drawn.Z, drawn.momentum, drawn.excitation + 40)
    assert not example.stretched(hot, np.full(6, 10.0))[1].any()


def test_reactions_conserve_and_start_within_the_training(example: ModuleType) -> None:
    generator, energy = Stand(), np.array([61.0, 45.5, 20.0, 12.0, 33.0, 50.0])
    made = example.reactions_of(generator, TRAINED, np.zeros(6), energy, 3)
    assert min(generator.energies) == 45.0
    assert made.again[0] >= 2  # the untouched ones were drawn again
    for values, wanted in ((made.A, 28), (made.Z, 14)):
        assert np.bincount(made.event, values, 6).tolist() == [wanted] * 6
    rest = 12 * 931.494 + 16 * 931.494
    assert np.bincount(made.event, made.total, 6) == pytest.approx(rest + 12 * energy, abs=15)  # masses are not A u
    kinetic = np.bincount(made.event, made.total, 6) - np.bincount(made.event, made.total, 6).mean()
    assert kinetic == pytest.approx(12 * (energy - energy.mean()), abs=1e-6)
    assert np.abs([np.bincount(made.event, axis, 6) for axis in made.momentum.T[:2]]).max() < 1e-6
    assert (made.q_value < 0).all()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="needs the extra geant4")
def test_dose_of_a_carbon_beam_peaks_and_balances(example: ModuleType, tmp_path: Path) -> None:
    found: dict[str, Any] = example.dose(Stand(), TRAINED, 40, 1, ions=20)
    depth, without = np.array(found["depth_mm"]), np.array(found["without_reactions"])
    # range in water: that of protons of this velocity, 33 mm (PSTAR), times A / Z^2 = 1/3, and a little more, as slow
    # carbon is not bare
    assert 10.4 < depth[without.argmax()] < 11.4
    assert without.sum() * 0.1 == pytest.approx(12 * 62, rel=1e-3)
    balance = found["balance_MeV_per_ion"]
    assert balance["deposited by surviving carbon"] + balance["carried into reactions"] == pytest.approx(744, rel=1e-3)
    out = ("deposited by fragments", "escaped neutrons and fragments", "escaped photons")
    assert sum(balance[name] for name in out) == pytest.approx(
        balance["carried into reactions"] + balance["Q values"], rel=1e-4
    )
    assert balance["missing of a reaction, at most"] < 0.1  # tables of masses differ by keV
    charges = np.array(found["fragments_by_charge"]).sum(axis=1)
    assert charges[1] > 0
    assert 0.03 < found["reacting_with_oxygen"] < 0.06
    assert found["below_the_training"] > 0.3
    example.draw(found, tmp_path / "dose.png")
    assert (tmp_path / "dose.png").read_bytes().startswith(b"\x89PNG")
    example.say(found)
