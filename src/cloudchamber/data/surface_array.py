"""What the stations of a surface array say of a shower: on disk, and as every predictor reads it.

On disk a shower owns the rows of its triggered stations. Inputs are (shower, station, TRACE + bin): position, status,
start time, saturation and the trace in VEM (vertical equivalent muons) a bin; times are relative to the earliest
triggered station of the shower.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Inputs
from cloudchamber.schema import Array, Arrays, BadInput
from cloudchamber.simulators.airshower.surface_array import BIN, PRE_TRIGGER

X, Y, Z, STATUS, TIME, SATURATED, TRACE = range(7)
"""Columns of a station: position [m], status, start time [ns], whether the trace is clipped, and where it begins."""
TRIGGERED, SILENT, DEAD = 1, 0, -1
"""Values of STATUS."""
LEAST_STATIONS = 3
"""Triggered stations that a direction needs."""
TARGETS = ("axis_x", "axis_y", "core_x", "core_y", "lg_energy", "xmax")
"""What is reconstructed: unit vector towards the origin of the shower (its z component follows), core [m], log10 of the
energy in eV, depth of the shower maximum [g/cm2]."""
UNITS = ("", "", "m", "m", "", "g/cm2")
"""Of the targets."""

SHOWER_SCHEMA = {
    "lg_energy": Array("shower", "", "log10 of the energy in eV", low=15, high=22),
    "zenith": Array("shower", "rad", "zenith angle of the axis", low=0, high=1.5708),
    "azimuth": Array("shower", "rad", "azimuth of where it comes from, from east to north", low=-6.3, high=6.3),
    "core_x": Array("shower", "m", "where the axis meets the ground, east of the centre of the array"),
    "core_y": Array("shower", "m", "and north"),
    "xmax": Array("shower", "g/cm2", "depth of the maximum along the axis", low=0),
    "mass_number": Array("shower", "", "of the primary", dtype="int16", low=1),
    "muon_signal": Array("row", "VEM", "of the trace of a triggered station, what muons left", low=0, of="stations"),
    "bin_width": Array("shower", "ns", "of the traces", low=0),
    "working": Array("shower station", "", "1 if a station works, 0 if it is dead", dtype="uint8", low=0, high=1),
    "stations": Array("shower", "", "number of triggered stations", dtype="int32", low=0),
    "station": Array("row", "", "number of a triggered station", dtype="int32", low=0, of="stations"),
    "start_time": Array("row", "ns", "of its first particle", dtype="float64", of="stations"),
    "saturated": Array("row", "", "1 if its trace is clipped", dtype="uint8", low=0, high=1, of="stations"),
    "trace": Array("row bin", "VEM", f"its signal; the first particle lies in bin {PRE_TRIGGER}", of="stations"),
}
SHOWER_TRUTH = ("lg_energy", "zenith", "azimuth", "core_x", "core_y", "xmax", "mass_number", "muon_signal")


def targets_of(showers: Arrays) -> NDArray[np.float32]:
    """Targets (shower, 6) in the order of TARGETS."""
    across = np.sin(showers["zenith"])
    axis = (across * np.cos(showers["azimuth"]), across * np.sin(showers["azimuth"]))
    rest = (showers["core_x"], showers["core_y"], showers["lg_energy"], showers["xmax"])
    return np.stack([*axis, *rest], axis=1).astype(np.float32)


def axes_of(targets: NDArray[Any]) -> NDArray[np.float64]:
    """Unit vectors (shower, 3) from the first two targets; where these are longer than 1, horizontal."""
    across = targets[:, :2].astype(np.float64)
    length = np.hypot(*across.T)
    across /= np.maximum(length, 1.0)[:, None]
    return np.column_stack([across, np.sqrt(np.maximum(1 - np.square(across).sum(axis=1), 0.0))])


def station_inputs(showers: Arrays, layout: NDArray[np.float64], dead_fraction: float, rng: Any) -> Inputs:
    """What every predictor reads, (shower, station, TRACE + bin).

    Args:
        showers: the columns of SHOWER_SCHEMA that are no truth.
        layout: positions of the stations (station, 3) [m].
        dead_fraction: part of the stations that are switched off at random where there is a ``rng``; as many of the
            triggered ones stay as a direction needs.
        rng: of the augmentation; None for none.

    Raises:
        BadInput: traces of another sampling; showers with fewer than LEAST_STATIONS triggered stations; a station that
            is not in the array, twice in a shower, triggered though dead, or triggered without a signal.
    """
    trace, station, counts = showers["trace"], showers["station"], showers["stations"]
    _check(showers, len(layout))
    inputs = np.zeros((len(counts), len(layout), TRACE + trace.shape[1]), np.float32)
    inputs[:, :, X : Z + 1] = layout
    working = showers["working"].astype(bool)
    rows = np.repeat(np.arange(len(counts)), counts)
    earliest = np.full(len(counts), np.inf)
    np.minimum.at(earliest, rows, showers["start_time"])
    keep = np.ones(len(rows), bool)
    if rng is not None:
        off = rng.random(working.shape) < dead_fraction
        left = np.bincount(rows[~off[rows, station]], minlength=len(counts))
        off[left < LEAST_STATIONS] = False
        working &= ~off
        keep = ~off[rows, station]
    inputs[:, :, STATUS] = np.where(working, SILENT, DEAD)
    rows, station = rows[keep], station[keep]
    inputs[rows, station, STATUS] = TRIGGERED
    inputs[rows, station, TIME] = showers["start_time"][keep] - earliest[rows]
    inputs[rows, station, SATURATED] = showers["saturated"][keep]
    inputs[rows, station, TRACE:] = trace[keep]
    if rng is not None:  # the earliest station may be off now
        lit = inputs[:, :, STATUS] == TRIGGERED
        first = np.where(lit, inputs[:, :, TIME], np.inf).min(axis=1, keepdims=True)
        inputs[:, :, TIME] = np.where(lit, inputs[:, :, TIME] - first, 0)
    return inputs


def _check(showers: Arrays, stations: int) -> None:
    counts, station = showers["stations"], showers["station"]
    wrong = showers["bin_width"][np.abs(showers["bin_width"] - BIN) > 1e-3 * BIN]
    if len(wrong):
        raise BadInput(f"traces have bins of {wrong[0]:g} ns, expected {BIN:g} ns: resample them")
    few = np.flatnonzero(counts < LEAST_STATIONS)
    if len(few):
        silent = int((counts == 0).sum())
        raise BadInput(
            f"{len(few)} of {len(counts)} showers have fewer than {LEAST_STATIONS} triggered stations "
            f"({silent} none; the first is number {few[0]}): leave them out"
        )
    if len(station) and station.max() >= stations:
        raise BadInput(f"station {station.max()}: the array has stations 0 to {stations - 1}")
    rows = np.repeat(np.arange(len(counts)), counts)
    dark = np.flatnonzero(showers["trace"].sum(axis=1) <= 0)
    if len(dark):
        raise BadInput(
            f"{len(dark)} of {len(station)} traces hold no signal (the first: shower {rows[dark[0]]}, station "
            f"{station[dark[0]]}): a station without signal has no row"
        )
    if len(np.unique(rows * stations + station)) < len(rows):
        raise BadInput("a station stands twice in a shower: give each triggered station once")
    if not showers["working"][rows, station].all():
        raise BadInput("a station is triggered and not working: set its working to 1, or leave its row out")


def checked_layout(
    positions: Sequence[Sequence[float]], source: str, places: Sequence[str] | None = None
) -> tuple[tuple[float, float, float], ...]:
    """Positions (x, y, z) [m] of the stations of an array, as they were given.

    Args:
        positions: x, y and perhaps z of every station.
        source: where they come from, for messages.
        places: what messages call each station, such as "line 4"; None for their numbers from 1.

    Raises:
        BadInput: fewer than three stations, not two or three finite numbers each, two at one place, or all on a line.
    """
    names = places or [f"station {number}" for number in range(1, len(positions) + 1)]
    found = []
    for name, place in zip(names, positions, strict=True):
        if len(place) not in (2, 3) or not np.isfinite(place).all():
            raise BadInput(f"{source}: {name} is {tuple(place)}: need x y [z] in m, finite numbers")
        found.append((float(place[0]), float(place[1]), float(place[2]) if len(place) == 3 else 0.0))
    if len(found) < LEAST_STATIONS:
        raise BadInput(f"{source}: {len(found)} stations: a direction needs {LEAST_STATIONS}")
    seen: dict[tuple[float, float], str] = {}
    for name, (x, y, _) in zip(names, found, strict=True):
        if (x, y) in seen:
            raise BadInput(f"{source}: {seen[x, y]} and {name} stand at one place ({x:g}, {y:g}): remove one")
        seen[x, y] = name
    flat = np.array(found)[:, :2]
    if np.linalg.matrix_rank(flat - flat.mean(axis=0), tol=1.0) < 2:
        raise BadInput(f"{source}: all stations stand on one line: a direction needs a plane")
    return tuple(found)


def read_layout(path: Path) -> tuple[tuple[float, float, float], ...]:
    """Positions of stations from a text file, a line each: x y [z] in m, apart by blanks or commas; # for comments.

    Raises:
        BadInput: no such file, a line that holds something else, or what ``checked_layout`` refuses.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read stations from {path}: {getattr(error, 'strerror', None) or 'not text'}") from None
    positions, places = [], []
    for number, line in enumerate(lines, start=1):
        words = line.split("#", maxsplit=1)[0].replace(",", " ").split()
        if not words:
            continue
        try:
            positions.append([float(word) for word in words])
            places.append(f"line {number}")
        except ValueError:
            raise BadInput(f"{path}:{number}: {line.strip()!r}: need x y [z] in m, numbers") from None
    return checked_layout(positions, str(path), places)
