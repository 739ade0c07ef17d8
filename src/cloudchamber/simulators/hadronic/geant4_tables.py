"""The data sets that Geant4 wants before it starts: the official ones where they are, else tables of our own.

Geant4 11.4 reads cross sections of neutrons and light ions below 20 MeV from the data set PARTICLEXS and asks for the
directories of eleven more, of which a first hadronic interaction above 1 GeV uses none: cross sections of pions, kaons
and nucleons, the string model FTF, the Bertini cascade and the precompound model are compiled in. (Checked: tables ten
times as large leave the first interactions of a seed as they are, event by event.) What does depend on them: tracked
neutrons, and de-excitation gammas, which lack the nuclear levels of PhotonEvaporation and are too many and too soft.

The tables' formulae are geometric, not evaluated data: with ``geo = pi (1.2 A^(1/3) + 0.5)^2`` fm^2 (for hydrogen 1e-6
of it) and the kinetic energy E in MeV, neutrons have ``geo / (1 + 1 / E^2)`` inelastic, ``geo`` elastic (hydrogen: 500
mb) and ``1e-3 mb / sqrt(E)`` capture; protons, deuterons, tritons, 3He and alphas ``geo / (1 + (5 / E)^4)``.

Conventions: a file has the line ``lowest highest n``, the line ``n``, then n lines ``energy cross_section`` in MeV and
mm^2 (1 mb = 1e-25 mm^2).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VARIABLES = {
    "G4LEDATA": "G4EMLOW",
    "G4LEVELGAMMADATA": "PhotonEvaporation",
    "G4NEUTRONHPDATA": "G4NDL",
    "G4PARTICLEXSDATA": "G4PARTICLEXS",
    "G4ENSDFSTATEDATA": "G4ENSDFSTATE",
    "G4SAIDXSDATA": "G4SAIDDATA",
    "G4ABLADATA": "G4ABLA",
    "G4INCLDATA": "G4INCL",
    "G4PIIDATA": "G4PII",
    "G4RADIOACTIVEDATA": "RadioactiveDecay",
    "G4REALSURFACEDATA": "RealSurface",
    "G4CHANNELINGDATA": "G4CHANNELING",
}
"""Environment variables of Geant4, and how the directories of the official data sets begin."""

OFFICIAL, HOME_MADE = "official data sets", "home-made tables"

MASS_NUMBER = {1: 1.008, 2: 4.003, 6: 12.011, 18: 39.95, 26: 55.85, 29: 63.55, 74: 183.84, 82: 207.2}
"""Mean mass numbers by charge; others are taken as 2.5 Z."""

MILLIBARN = 1e-25
"""In mm^2."""

IONS = ("proton", "deuteron", "triton", "he3", "alpha")


def geant4_environment(environment: Mapping[str, str], home_made: Path) -> tuple[dict[str, str], str]:
    """The variables that Geant4 needs, and which data it will use: ``OFFICIAL`` or ``HOME_MADE``.

    A variable that is set already stays. Without it the newest directory of that data set in GEANT4_DATA_DIR is taken,
    without that one of ours.

    Args:
        environment: of the process.
        home_made: directory of ``write_tables``.
    """
    given = environment.get("GEANT4_DATA_DIR")
    found = {"GEANT4_DATA_DIR": given or str(home_made)}
    label = OFFICIAL
    for variable, name in VARIABLES.items():
        if variable in environment:
            found[variable] = environment[variable]
            continue
        official = sorted(Path(given).glob(f"{name}[0-9]*")) if given else []
        if official:
            found[variable] = str(official[-1])
        else:
            found[variable] = str(home_made / name)
            label = HOME_MADE
    return found, label


def write_tables(directory: Path) -> None:
    """Write the home-made data sets below ``directory`` (5 MB, half a second)."""
    for name in VARIABLES.values():
        (directory / name).mkdir(parents=True, exist_ok=True)
    (directory / VARIABLES["G4ENSDFSTATEDATA"] / "ENSDFSTATE.dat").touch()
    energy = np.geomspace(1e-11, 20.0, 200)
    for charge in range(1, 93):
        radius = 1.2 * MASS_NUMBER.get(charge, 2.5 * charge) ** (1 / 3) + 0.5
        geometric = 10 * np.pi * radius**2 * MILLIBARN * (1e-6 if charge == 1 else 1.0)
        elastic = np.full_like(energy, 500 * MILLIBARN if charge == 1 else geometric)
        tables = {
            "neutron/inel": geometric / (1 + energy**-2),
            "neutron/el": elastic,
            "neutron/cap": 1e-3 * MILLIBARN / np.sqrt(energy),
            **{f"{ion}/inel": geometric / (1 + (5 / energy) ** 4) for ion in IONS},
        }
        for place, values in tables.items():
            _write(directory / VARIABLES["G4PARTICLEXSDATA"] / f"{place}{charge}", energy, values)


def _write(path: Path, energy: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    path.parent.mkdir(exist_ok=True)
    lines = [f"{energy[0]:.9e} {energy[-1]:.9e} {len(energy)}", f"{len(energy)}"]
    lines += [f"{e:.9e} {value:.9e}" for e, value in zip(energy, values, strict=True)]
    path.write_text("\n".join(lines) + "\n")
