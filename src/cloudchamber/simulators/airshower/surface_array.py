"""A surface array and the showers that it is to see: options, places of the stations, and how time is counted.

Kept apart from the simulation, so that to read a configuration compiles nothing. Positions in m from the centre of the
array, times in ns.
"""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cloudchamber.schema import Config
from cloudchamber.simulators.airshower.depth_of_maximum import COEFFICIENTS, mass_number

LIGHT = 0.299792458
"""Speed of light [m/ns]."""
BIN = 25.0
"""Of a trace [ns]."""
PRE_TRIGGER = 5
"""Bins of a trace before the one with the first particle."""


class ShowerOptions(Config):
    """What showers there are, and what array sees them."""

    primaries: tuple[str, ...] = Field(
        ("H", "He", "N", "Fe"), min_length=1, description="primaries in equal parts: H He C N O Si Fe"
    )
    hadronic_model: str = Field("EPOS-LHC", description="of the depth of maximum: EPOS-LHC or QGSJetII-04")
    muon_scale: float = Field(1.0, gt=0, le=5, description="factor on the number of muons")
    lg_energy_min: float = Field(18.5, ge=17, le=21, description="smallest log10(E/eV)")
    lg_energy_max: float = Field(20.0, ge=17, le=21, description="largest log10(E/eV)")
    spectral_index: float = Field(1.0, ge=0, le=5, description="of dN/dE ~ E^-index; 1 is uniform in log10(E)")
    zenith_max: float = Field(60.0, ge=0, le=65, description="largest zenith angle [degrees]; sin cos distribution")
    core_radius: float = Field(750.0, ge=0, description="of the disc around the centre where cores fall [m]")
    rows: int = Field(9, ge=1, le=100, description="of stations; odd rows are shifted by half a spacing")
    columns: int = Field(9, ge=1, le=100, description="of stations")
    spacing: float = Field(1500.0, gt=0, description="distance of neighbours [m]")
    altitude: float = Field(1400.0, ge=0, le=5000, description="of the array above the sea [m]")
    dead_fraction: float = Field(0.02, ge=0, lt=1, description="part of the stations that do not work")
    timing_noise: float = Field(8.0, ge=0, description="of a station's clock [ns]")
    bins: int = Field(120, ge=20, le=600, description="of a trace, 25 ns each")
    least_stations: int = Field(3, ge=1, description="triggered stations that make an event")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.lg_energy_max < self.lg_energy_min:
            raise ValueError(f"lg_energy_max = {self.lg_energy_max} is below lg_energy_min = {self.lg_energy_min}")
        for primary in self.primaries:
            mass_number(primary)
        if self.hadronic_model not in COEFFICIENTS:
            raise ValueError(f"hadronic_model {self.hadronic_model!r}: known are {', '.join(COEFFICIENTS)}")
        return self


def offset_grid(options: ShowerOptions) -> NDArray[np.float64]:
    """Positions (station, 3) of a triangular grid, row by row; odd rows are shifted by half a spacing."""
    row, column = np.divmod(np.arange(options.rows * options.columns), options.columns)
    x = options.spacing * (column + 0.5 * (row % 2))
    y = options.spacing * math.sin(math.pi / 3) * row
    return np.stack([x - x.mean(), y - y.mean(), np.zeros(len(x))], axis=1)
