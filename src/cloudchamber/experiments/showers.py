"""Air showers over a surface array, as an experiment: settings, simulated records, inputs and methods.

A record is a shower that triggered the array; see ``data.surface_array`` for the layout of its numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from cloudchamber.data.samples import Inputs
from cloudchamber.data.surface_array import (
    LEAST_STATIONS,
    SHOWER_SCHEMA,
    checked_layout,
    read_layout,
    station_inputs,
)
from cloudchamber.schema import Arrays, BadInput, Learning
from cloudchamber.simulators.airshower.surface_array import BIN, ShowerOptions, offset_grid


def _stations(value: Any) -> Any:
    """Positions as they are, or from the file that a setting names."""
    if isinstance(value, str):
        value = [value]
    try:
        if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], str):
            return read_layout(Path(value[0]))
        return None if value is None or len(value) == 0 else checked_layout(value, "layout")
    except BadInput as error:
        raise ValueError(str(error)) from None


class ShowerConfig(ShowerOptions):
    """What is simulated and learned."""

    layout: Annotated[tuple[tuple[float, float, float], ...] | None, BeforeValidator(_stations)] = Field(
        None, description="stations, or a text file of x y [z] in m; x and y count from their mean; none: rows, columns"
    )
    least_stations: int = Field(LEAST_STATIONS, ge=LEAST_STATIONS, description="triggered stations that make an event")
    records: Learning[int] = Field(50_000, ge=30, description="showers")
    members: Learning[int] = Field(3, ge=1, description="graph networks in their ensemble")
    variant_members: Learning[int] = Field(1, ge=1, description="networks on the grid in each of their ensembles")
    epochs: Learning[int] = Field(16, ge=1, description="passes over the training showers")
    batch_size: Learning[int] = Field(128, ge=2, description="showers a step")
    learning_rate: Learning[float] = Field(3e-3, gt=0, description="largest rate of the one-cycle schedule")
    weight_decay: Learning[float] = Field(1e-2, ge=0, description="decoupled weight decay")


def layout_of(config: ShowerConfig) -> NDArray[np.float64]:
    """Positions of the stations (station, 3) [m]; x and y from their mean, which is the centre of the array."""
    if config.layout is None:
        return offset_grid(config)
    positions = np.array(config.layout)
    positions[:, :2] -= positions[:, :2].mean(axis=0)
    return positions


def simulate(config: ShowerConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Showers that trigger the array; columns as SHOWER_SCHEMA says."""
    from cloudchamber.simulators.airshower.showers import simulate_showers

    found = simulate_showers(config, layout_of(config), count, np.random.default_rng(seeds))
    found["bin_width"] = np.full(count, BIN)
    return {name: found[name].astype(array.dtype) for name, array in SHOWER_SCHEMA.items()}


def inputs(config: ShowerConfig, records: Arrays, rng: np.random.Generator | None) -> Inputs:
    """What predictors read; with ``rng`` further stations are dead."""
    return station_inputs(records, layout_of(config), config.dead_fraction, rng)


def lengths(config: ShowerConfig) -> dict[str, int]:
    """Of the axes that a user's data must share."""
    return {"station": len(layout_of(config)), "bin": config.bins}


def resembles(found: Inputs) -> NDArray[np.float64]:
    """What tells whether showers lie in the range of the training's: log10 of the energy, and the zenith angle.

    Both by fits with published constants (plane front, lateral distribution, constant-intensity cut), so that nothing
    learned from the training judges what is unlike it.

    Returns:
        (shower, 2): log10(E / eV), and the squared cosine of the zenith angle, in which showers are uniform.
    """
    from cloudchamber.baselines.shower_front import Timing, plane_fit
    from cloudchamber.baselines.shower_lateral import Calibration, Lateral, lateral_fit
    from cloudchamber.baselines.shower_stations import read_stations

    stations = read_stations(found)
    axis = plane_fit(stations, Timing()).axis
    size = lateral_fit(stations, axis, Lateral())
    return np.column_stack([Calibration().lg_energy(size.log_size, axis), 1 - np.square(axis).sum(axis=1)])
