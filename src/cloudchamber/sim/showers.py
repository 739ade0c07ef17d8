"""``cloudchamber sim showers -n 1000 -o showers.h5``: air showers and what a surface array records of them.

HDF5: the columns of ``data.surface_array.SHOWER_SCHEMA`` with axes and units. Chunks of showers go through the farm and
stay in the cache, so the same command goes on where it stopped.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cloudchamber.schema import BadInput
from cloudchamber.sim.records import check_request, write_records
from cloudchamber.sim.settings import DefaultOf
from cloudchamber.sim.settings import setting as option

STUDY = "shower-reconstruction"
"""The study whose records these are."""
CONFIG = "cloudchamber.experiments.showers:ShowerConfig"
SHOWERS, ARRAY, OUTPUT, MACHINES = "Showers", "Array", "Output", "Machines"

setting = partial(option, CONFIG)

Output = Annotated[Path, typer.Option("-o", "--output", help="file .h5", rich_help_panel=OUTPUT)]
Number = Annotated[int, typer.Option("-n", "--number", help="number of showers that trigger", rich_help_panel=OUTPUT)]
RandomSeed = Annotated[int, typer.Option(help="the same seed: the same showers", rich_help_panel=OUTPUT)]
Primaries = Annotated[str, setting("primaries", text="in equal parts: H He C N O Si Fe, with commas", panel=SHOWERS)]
Model = Annotated[str, setting("hadronic_model", text="of the depth: EPOS-LHC or QGSJetII-04", panel=SHOWERS)]
MuonScale = Annotated[float, setting("muon_scale", text="factor on the number of muons", panel=SHOWERS)]
LgEnergyMin = Annotated[float, setting("lg_energy_min", text="smallest log10(E/eV)", panel=SHOWERS)]
LgEnergyMax = Annotated[float, setting("lg_energy_max", text="largest log10(E/eV)", panel=SHOWERS)]
SpectralIndex = Annotated[float, setting("spectral_index", text="of dN/dE ~ E^-index", panel=SHOWERS)]
ZenithMax = Annotated[float, setting("zenith_max", text="largest zenith angle [degrees]", panel=SHOWERS)]
CoreRadius = Annotated[float, setting("core_radius", text="of the disc where cores fall [m]", panel=SHOWERS)]
Layout = Annotated[Path | None, typer.Option(help="text file of stations: x y [z] in m a line", rich_help_panel=ARRAY)]
Rows = Annotated[int, setting("rows", text="of stations, without --layout", panel=ARRAY)]
Columns = Annotated[int, setting("columns", text="of stations, without --layout", panel=ARRAY)]
Spacing = Annotated[float, setting("spacing", text="of stations [m], without --layout", panel=ARRAY)]
Altitude = Annotated[float, setting("altitude", text="above the sea [m]", panel=ARRAY)]
DeadFraction = Annotated[float, setting("dead_fraction", text="of stations that do not work", panel=ARRAY)]
TimingNoise = Annotated[float, setting("timing_noise", text="of a station's clock [ns]", panel=ARRAY)]
LeastStations = Annotated[int, setting("least_stations", text="triggered, for an event", panel=ARRAY)]
Workers = Annotated[
    int | None, typer.Option(min=1, help="processes that simulate (default: every core)", rich_help_panel=MACHINES)
]


def showers(
    output: Output,
    primaries: Primaries,
    hadronic_model: Model,
    muon_scale: MuonScale,
    lg_energy_min: LgEnergyMin,
    lg_energy_max: LgEnergyMax,
    spectral_index: SpectralIndex,
    zenith_max: ZenithMax,
    core_radius: CoreRadius,
    rows: Rows,
    columns: Columns,
    spacing: Spacing,
    altitude: Altitude,
    dead_fraction: DeadFraction,
    timing_noise: TimingNoise,
    least_stations: LeastStations,
    number: Number = 1000,
    random_seed: RandomSeed = 1,
    layout: Layout = None,
    workers: Workers = None,
) -> None:
    """Air showers of cosmic rays, and the traces of the water-Cherenkov stations that they trigger."""
    check_request(output, number, "showers", random_seed)
    grid = {"rows": rows, "columns": columns, "spacing": spacing}
    changed = [f"--{name}" for name, value in grid.items() if value != DefaultOf(CONFIG, (name,))()]
    if layout is not None and changed:
        raise BadInput(f"--layout gives the stations: leave out {', '.join(changed)}", status=2)
    from cloudchamber.data.surface_array import read_layout

    settings = grid | {
        "primaries": primaries, "hadronic_model": hadronic_model, "muon_scale": muon_scale,
        "lg_energy_min": lg_energy_min, "lg_energy_max": lg_energy_max, "spectral_index": spectral_index,
        "zenith_max": zenith_max, "core_radius": core_radius, "altitude": altitude, "dead_fraction": dead_fraction,
        "timing_noise": timing_noise, "least_stations": least_stations,
        "layout": None if layout is None else read_layout(layout),
    }  # fmt: skip
    start = time.monotonic()
    dataset = write_records(STUDY, settings, output, number, random_seed, workers, None)
    stations = dataset.read(np.arange(len(dataset)), ["stations"])["stations"]
    typer.echo(
        f"{output}: {number} showers of {primaries}, log10(E/eV) {lg_energy_min:g} to {lg_energy_max:g}, zenith up to"
        f" {zenith_max:g} degrees, {stations.mean():.1f} triggered stations each; seed {random_seed},"
        f" {time.monotonic() - start:.1f} s"
    )
