"""What was measured of fragments of 12C on carbon at 62 MeV per nucleon: a table of the project's own with the figures.

Paper: M. De Napoli et al., Phys. Med. Biol. 57 (2012) 7651, as compiled in EXFOR, entry O2089. Ten isotopes from 1H to
11B: ``dsigma/dOmega`` at 7 to 22 angles (``fragments_c12_62mev.csv``) and ``d2sigma/dE dOmega`` at 4 to 6 of them
(``fragments_c12_62mev_spectra.csv``). The tables begin with what is odd and what is not known of them.

Conventions: laboratory frame, the beam along z; angles in degrees, energies are kinetic energies of the whole fragment
in MeV, angular cross sections b/sr, spectra mb/(sr MeV). Isotopes are named as ``He4``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CITATION = "M. De Napoli et al., Phys. Med. Biol. 57 (2012) 7651; EXFOR O2089"


@dataclass(frozen=True)
class AngularDistribution:
    """``dsigma/dOmega`` of an isotope.

    Attributes:
        isotope: its name.
        mass_number, charge: A and Z.
        angle: of the middle of the detector (point,) [deg], increasing.
        half_width: half angle of acceptance (point,) [deg]; neighbouring points may overlap.
        cross_section: (point,) [b/sr].
        error: its published error (point,) [b/sr].
        threshold: lowest kinetic energy that was counted [MeV]: the lowest edge of the isotope's spectra, whose sums
            give these cross sections.
    """

    isotope: str
    mass_number: int
    charge: int
    angle: Floats
    half_width: Floats
    cross_section: Floats
    error: Floats
    threshold: float


@dataclass(frozen=True)
class Spectrum:
    """``d2sigma/dE dOmega`` of an isotope at an angle.

    Attributes:
        isotope: its name.
        mass_number, charge: A and Z.
        angle: [deg].
        half_width: half angle of acceptance [deg], from the angular distribution.
        energy: kinetic energy of the fragment, middle of the bin (bin,) [MeV].
        half_bin: half the width of the bins [MeV].
        cross_section: (bin,) [mb/(sr MeV)].
        error: its published error (bin,) [mb/(sr MeV)].
    """

    isotope: str
    mass_number: int
    charge: int
    angle: float
    half_width: float
    energy: Floats
    half_bin: float
    cross_section: Floats
    error: Floats


@dataclass(frozen=True)
class MeasuredFragments:
    """Both tables.

    Attributes:
        projectile, target: (A, Z); the target is natural carbon, taken as 12C.
        energy: of the beam [MeV per nucleon].
        angular: angular distributions by isotope, from light to heavy.
        spectra: spectra by isotope and angle [deg].
    """

    projectile: tuple[int, int]
    target: tuple[int, int]
    energy: float
    angular: Mapping[str, AngularDistribution]
    spectra: Mapping[tuple[str, float], Spectrum]


@cache
def carbon_62mev() -> MeasuredFragments:
    """The measurement, read once; its arrays cannot be written to.

    Examples:
        >>> list(carbon_62mev().angular)
        ['H1', 'H2', 'H3', 'He4', 'Li6', 'Li7', 'Be7', 'Be9', 'B10', 'B11']
    """
    points, bins = rows_of("fragments_c12_62mev.csv"), rows_of("fragments_c12_62mev_spectra.csv")
    angular = {}
    for isotope in dict.fromkeys(row["isotope"] for row in points):
        own = [row for row in points if row["isotope"] == isotope]
        lowest = min(float(row["energy"]) - float(row["half_width"]) for row in bins if row["isotope"] == isotope)
        angular[isotope] = AngularDistribution(
            isotope, int(own[0]["mass_number"]), int(own[0]["charge"]), column(own, "angle"), column(own, "half_width"),
            column(own, "cross_section"), column(own, "error"), lowest,
        )  # fmt: skip
    spectra = {}
    for isotope, angle in dict.fromkeys((row["isotope"], float(row["angle"])) for row in bins):
        own = [row for row in bins if row["isotope"] == isotope and float(row["angle"]) == angle]
        there = angular[isotope]
        half_width = float(there.half_width[np.flatnonzero(there.angle == angle)[0]])
        spectra[isotope, angle] = Spectrum(
            isotope, there.mass_number, there.charge, angle, half_width, column(own, "energy"),
            float(own[0]["half_width"]), column(own, "cross_section"), column(own, "error"),
        )  # fmt: skip
    carbon = (12, 6)
    return MeasuredFragments(carbon, carbon, 62.0, MappingProxyType(angular), MappingProxyType(spectra))


def rows_of(name: str) -> list[dict[str, str]]:
    """Rows of a table of this package by column; lines that begin with # are comments.

    Args:
        name: of the file.
    """
    text = files("cloudchamber.data").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def column(rows: list[dict[str, str]], name: str) -> Floats:
    """A column of numbers (row,), which cannot be written to.

    Args:
        rows: of a table.
        name: of the column.
    """
    values = np.array([float(row[name]) for row in rows])
    values.flags.writeable = False
    return values
