"""The triggered stations of simulated showers with what only a simulation knows of them, a row a station.

Conventions: positions in m, times in ns, signals in VEM; ``delay`` counts from the plane front of the true axis through
the true core, ``residual`` from the sphere around the point on the axis at half of the depth of the maximum, from which
the simulator's electromagnetic particles come (``simulators.airshower.arrival_time``); risetime as in
``baselines.shower_stations``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.shower_stations import reached
from cloudchamber.schema import Arrays
from cloudchamber.simulators.airshower.arrival_time import electromagnetic_front
from cloudchamber.simulators.airshower.showers import axes, station_geometry
from cloudchamber.simulators.airshower.surface_array import LIGHT

Floats = NDArray[np.float64]
SMALLEST_SIGNAL = 0.1
"""Of a trace [VEM]: noise may make less of a faint one."""


class Stations(NamedTuple):
    """Triggered stations, all (row,).

    Attributes:
        shower: number of its shower among those given.
        station: number in the array.
        distance: to the true axis [m].
        signal: sum of the trace [VEM].
        muon_fraction: part of it that muons left, at most 1.
        risetime: from 10 to 50 % of the signal [ns].
        delay: of the start time behind the true plane front [ns].
        front: delay of the true electromagnetic front behind the plane [ns].
        zenith: of the shower [degrees].
    """

    shower: NDArray[np.int64]
    station: NDArray[np.int64]
    distance: Floats
    signal: Floats
    muon_fraction: Floats
    risetime: Floats
    delay: Floats
    front: Floats
    zenith: Floats

    @property
    def residual(self) -> Floats:
        """Of the start time behind the true curved front [ns]."""
        return self.delay - self.front


def true_stations(showers: Arrays, places: Floats, altitude: float) -> Stations:
    """The table of stations.

    Args:
        showers: records with their truth, as ``data.surface_array.SHOWER_SCHEMA`` says.
        places: of the stations of the array (station, 3).
        altitude: of the array above the sea [m].
    """
    shower = np.repeat(np.arange(len(showers["stations"])), showers["stations"])
    station = showers["station"].astype(np.int64)
    axis = axes(showers["zenith"].astype(np.float64), showers["azimuth"].astype(np.float64))
    core = np.column_stack([showers["core_x"], showers["core_y"], np.zeros(len(axis))]).astype(np.float64)
    xmax = showers["xmax"].astype(np.float64)
    distance, front = np.zeros(len(shower)), np.zeros(len(shower))
    for row, (which, number) in enumerate(zip(shower, station, strict=True)):
        r, along, _, _ = station_geometry(places[number], core[which], axis[which], xmax[which], altitude)
        distance[row] = r
        front[row] = electromagnetic_front(r, along, xmax[which], axis[which, 2], altitude)
    away = ((places[station] - core[shower]) * axis[shower]).sum(axis=1)
    trace = showers["trace"].astype(np.float64)
    signal = np.maximum(trace.sum(axis=1), SMALLEST_SIGNAL)
    return Stations(
        shower, station, distance, signal,
        muon_fraction=np.minimum(showers["muon_signal"] / signal, 1.0),
        risetime=reached(trace, 0.5) - reached(trace, 0.1),
        delay=showers["start_time"].astype(np.float64) + away / LIGHT,
        front=front,
        zenith=np.degrees(showers["zenith"].astype(np.float64))[shower],
    )  # fmt: skip
