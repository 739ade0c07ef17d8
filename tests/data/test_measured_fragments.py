"""The measured fragments: figures as published, tables that agree with each other, oddities as they are."""

from __future__ import annotations

import math
from importlib.resources import files

import numpy as np
import pytest

from cloudchamber.data.measured_fragments import CITATION, carbon_62mev, rows_of

POINTS = {"H1": 7, "H2": 7, "H3": 7, "He4": 22, "Li6": 22, "Li7": 22, "Be7": 22, "Be9": 11, "B10": 10, "B11": 9}
BINS = {"H1": 67, "H2": 73, "H3": 65, "He4": 114, "Li6": 103, "Li7": 96, "Be7": 96, "Be9": 102, "B10": 101, "B11": 100}


def test_every_published_point_is_there() -> None:
    measured = carbon_62mev()
    assert {name: len(one.angle) for name, one in measured.angular.items()} == POINTS
    bins = dict.fromkeys(POINTS, 0)
    for (isotope, _), one in measured.spectra.items():
        bins[isotope] += len(one.energy)
    assert bins == BINS
    assert (measured.projectile, measured.target, measured.energy) == ((12, 6), (12, 6), 62.0)


def test_quoted_figures_of_alphas_and_boron_are_those_of_the_paper() -> None:
    angular = carbon_62mev().angular
    alpha, boron = angular["He4"], angular["B11"]
    quoted = {2.2: (11.3, 1.1), 4.9: (6.84, 0.74), 7.6: (4.42, 0.39), 11.1: (2.76, 0.24), 21.8: (0.402, 0.036)}
    for angle, (value, error) in quoted.items():
        (row,) = np.flatnonzero(alpha.angle == angle)
        assert (alpha.cross_section[row], alpha.error[row]) == (value, error)
    assert (boron.cross_section[0], boron.error[-1]) == (1.9, 0.002)


def test_angles_increase_and_have_the_acceptance_of_their_detector() -> None:
    for one in carbon_62mev().angular.values():
        assert np.all(np.diff(one.angle) > 0)
        np.testing.assert_array_equal(one.half_width, np.where(one.angle <= 4.9, 0.4, 1.5))
        assert np.all(one.error > 0)
        assert np.all(one.cross_section > one.error)  # the published errors are 8 to 39 %
        assert one.charge <= one.mass_number <= 11


def test_spectra_sum_to_the_angular_distribution() -> None:
    measured = carbon_62mev()
    # what the two tables differ by, of two digits each, is 6 %; see their first lines for the three exceptions
    loose = {("Be7", 21.8): 0.12, ("Be9", 14.4): 0.12, ("He4", 14.4): 0.12}
    for (isotope, angle), one in measured.spectra.items():
        there = measured.angular[isotope]
        (row,) = np.flatnonzero(there.angle == angle)
        total = 1e-3 * one.cross_section.sum() * 2 * one.half_bin
        assert total == pytest.approx(there.cross_section[row], rel=loose.get((isotope, angle), 0.065))
        assert one.half_width == there.half_width[row]
        assert one.energy.min() - one.half_bin >= there.threshold >= 0
    assert measured.angular["He4"].threshold == 20


def test_the_repeated_bin_of_boron_is_left_as_it_was_published() -> None:
    one = carbon_62mev().spectra["B10", 3.5]
    assert list(one.energy[:4]) == [100, 140, 140, 220]
    assert list(one.cross_section[1:3]) == [0.8, 0.2]
    steps = np.concatenate([np.diff(other.energy) / (2 * other.half_bin) for other in carbon_62mev().spectra.values()])
    assert np.all(steps[(steps != 0) & (steps != 2)] == 1)
    assert (steps == 0).sum() == 1


def test_tables_cite_paper_and_data_base_and_say_what_is_odd() -> None:
    for name in ("fragments_c12_62mev.csv", "fragments_c12_62mev_spectra.csv"):
        text = files("cloudchamber.data").joinpath(name).read_text(encoding="utf-8")
        comment = " ".join(line for line in text.splitlines() if line.startswith("#"))
        for word in ("De Napoli", "57 (2012) 7651", "EXFOR", "O2089", "Oddit"):
            assert word in comment
        assert comment.count("# O2089") + comment.count(", O2089") + comment.count(" O2089") >= 10
        assert len(rows_of(name)) == sum((POINTS if "spectra" not in name else BINS).values())
        assert all(math.isfinite(float(row["cross_section"])) for row in rows_of(name))
    assert "O2089" in CITATION


def test_nobody_can_change_the_measurement() -> None:
    with pytest.raises(ValueError, match="read-only"):
        carbon_62mev().angular["H1"].cross_section[0] = 0.0
    with pytest.raises(TypeError):
        carbon_62mev().angular["H1"] = carbon_62mev().angular["H2"]  # type: ignore[index]
