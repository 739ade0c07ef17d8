"""Pictures of the air showers that a surface array records, as arrays: what predictors read, and what lies behind it.

Conventions: as in ``explain.shower_stations``; a class of stations has a mean over those of all showers looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Records
from cloudchamber.data.surface_array import DEAD, SILENT, TRIGGERED
from cloudchamber.explain.shower_stations import Floats, Stations, true_stations
from cloudchamber.schema import Arrays
from cloudchamber.simulators.airshower.development import (
    INTERACTION_LENGTH,
    INVISIBLE,
    muon_number,
    profile_maximum,
    profile_shape,
)
from cloudchamber.simulators.airshower.showers import axes, expected, station_geometry
from cloudchamber.simulators.airshower.surface_array import ShowerOptions, offset_grid

MOST = 4000
"""Showers whose stations are looked at."""
FEW = 200
"""Showers whose expected signals are worked out."""
SHOWN = ((18.7, 25.0), (19.9, 25.0), (19.8, 56.0))
"""log10(E / eV) and zenith angle [degrees] of the showers whose arrays are drawn: small, large, inclined."""
TRACES_AT = (600.0, 1100.0, 1800.0)
"""Distances to the axis [m] of the stations of the large shower whose traces are drawn."""
LATERAL = ((19.3, 19.5), (20.0, 40.0))
"""Range of log10(E / eV) and of the zenith angle [degrees] in which signals against distance are averaged."""
RADII = np.geomspace(200.0, 3000.0, 13)
DELAY_RADII = np.linspace(0.0, 2500.0, 11)
"""Edges of bins in distance to the axis [m]."""
ZENITHS = ((0.0, 30.0), (45.0, 60.0))
"""Classes of showers whose delays are shown [degrees]."""
XMAX_ENERGIES = (19.0, 19.5)
"""log10(E / eV) of the showers whose depths of maximum are counted."""
PROFILES = 3
"""Showers a primary whose longitudinal profile is drawn."""


def places_of(config: ShowerOptions) -> Floats:
    """Positions of the stations (station, 3) [m]: the study's layout, or rows and columns."""
    layout: Any = getattr(config, "layout", None)
    return offset_grid(config) if layout is None else np.array(layout, dtype=np.float64)


def shower_gallery(config: ShowerOptions, records: Records) -> Arrays:
    """What the pictures of the data are made of.

    Args:
        config: of the study.
        records: the simulated showers.

    Returns:
        The arrays of ``arrays_of_showers``, ``depths``, ``lateral`` and ``delays``.
    """
    places = places_of(config)
    everything = np.arange(len(records), dtype=np.int64)
    names = ["lg_energy", "zenith", "xmax", "mass_number"]
    truth = records.read(everything, names)
    some = records.read(everything[:MOST])
    stations = true_stations(some, places, config.altitude)
    return {
        **arrays_of_showers(records, truth, places, config.altitude),
        **depths(truth),
        **lateral(config, some, stations, places),
        **delays(stations),
    }


def arrays_of_showers(records: Records, truth: Arrays, places: Floats, altitude: float) -> Arrays:
    """Three showers on the array, and traces of the second.

    Returns:
        ``places`` (station, 3); ``map_status``, ``map_time`` (nan where not triggered), ``map_signal`` (shower,
        station); ``map_truth`` (shower, 7): log10(E/eV), zenith and azimuth [rad], core x, y [m], depth of maximum,
        mass number; ``trace`` (station, bin) with ``trace_distance``, ``trace_signal``, ``trace_muon_fraction``.
    """
    zenith = np.degrees(truth["zenith"])
    near = [
        int(np.hypot((truth["lg_energy"] - energy) / 0.1, (zenith - angle) / 3).argmin()) for energy, angle in SHOWN
    ]
    chosen = [records.read(np.array([one])) for one in near]
    status = np.full((len(near), len(places)), SILENT)
    time, signal = np.full(status.shape, np.nan), np.zeros(status.shape)
    for row, one in enumerate(chosen):
        status[row, one["working"][0] == 0] = DEAD
        status[row, one["station"]] = TRIGGERED
        time[row, one["station"]] = one["start_time"] - one["start_time"].min()
        signal[row, one["station"]] = one["trace"].sum(axis=1)
    columns = ("lg_energy", "zenith", "azimuth", "core_x", "core_y", "xmax", "mass_number")
    large = chosen[1]
    stations = true_stations(large, places, altitude)
    rows = list(dict.fromkeys(int(np.abs(np.log(stations.distance / at)).argmin()) for at in TRACES_AT))
    return {
        "places": places,
        "map_status": status,
        "map_time": time,
        "map_signal": signal,
        "map_truth": np.array([[float(one[name][0]) for name in columns] for one in chosen]),
        "trace": large["trace"][rows],
        "trace_distance": stations.distance[rows],
        "trace_signal": stations.signal[rows],
        "trace_muon_fraction": stations.muon_fraction[rows],
    }


def depths(truth: Arrays) -> Arrays:
    """Longitudinal profiles of a few showers, and distributions of the depth of maximum, by primary.

    Returns:
        ``primary`` mass numbers; ``profile_depth`` [g/cm2], ``profile`` (primary, shower, depth), billions of particles
        at 10 EeV with the mean width of profiles; ``xmax_edges``, ``xmax_count`` (primary, bin).
    """
    primaries = np.unique(truth["mass_number"])
    depth = np.linspace(0.0, 1400.0, 141)
    edges = np.linspace(500.0, 1200.0, 36)
    size = profile_maximum(1e10 * (1 - INVISIBLE), 750.0, INTERACTION_LENGTH) / 1e9
    profiles = np.full((len(primaries), PROFILES, len(depth)), np.nan)
    counts = np.zeros((len(primaries), len(edges) - 1), np.int64)
    for row, mass in enumerate(primaries):
        here = np.flatnonzero(truth["mass_number"] == mass)
        near = here[np.argsort(np.abs(truth["lg_energy"][here] - 19.0))][:PROFILES]
        for column, shower in enumerate(near):
            xmax = float(truth["xmax"][shower])
            profiles[row, column] = [size * profile_shape(one, xmax, INTERACTION_LENGTH) for one in depth]
        inside = (truth["lg_energy"][here] >= XMAX_ENERGIES[0]) & (truth["lg_energy"][here] < XMAX_ENERGIES[1])
        counts[row] = np.histogram(truth["xmax"][here[inside]], edges)[0]
    return {
        "primary": primaries,
        "profile_depth": depth,
        "profile": profiles,
        "xmax_edges": edges,
        "xmax_count": counts,
        "xmax_energies": np.array(XMAX_ENERGIES),
    }


def lateral(config: ShowerOptions, some: Arrays, stations: Stations, places: Floats) -> Arrays:
    """Signals against the distance to the axis in a narrow range of energies and zenith angles.

    Returns:
        ``radius`` edges [m]; ``signal``, ``signal_error``, ``muon_signal`` of triggered stations and ``station_count``
        (bin,); ``expected_muon``, ``expected_electromagnetic``, of all stations, triggered or not, and ``triggered``,
        the part of the working stations that triggered (bin,); ``lateral_range`` (2, 2).
    """
    zenith = np.degrees(some["zenith"])
    (low, high), (least, most) = LATERAL
    inside = (some["lg_energy"] >= low) & (some["lg_energy"] < high) & (zenith >= least) & (zenith < most)
    rows = inside[stations.shower]
    number = np.digitize(stations.distance[rows], RADII) - 1
    count = len(RADII) - 1
    total = stations.signal[rows]
    muons = total * stations.muon_fraction[rows]
    found: dict[str, Floats] = {name: np.full(count, np.nan) for name in ("signal", "signal_error", "muon_signal")}
    n = np.array([(number == one).sum() for one in range(count)])
    for one in np.flatnonzero(n > 1):
        here = number == one
        found["signal"][one], found["muon_signal"][one] = total[here].mean(), muons[here].mean()
        found["signal_error"][one] = total[here].std(ddof=1) / np.sqrt(n[one])
    chosen = np.flatnonzero(inside)[:FEW]
    return {
        "radius": RADII,
        "station_count": n,
        "lateral_range": np.array(LATERAL),
        **found,
        **expectation(config, some, chosen, places, stations),
    }


def expectation(
    config: ShowerOptions, some: Arrays, chosen: NDArray[np.int64], places: Floats, stations: Stations
) -> Arrays:
    """Expected muon and electromagnetic signals by distance, whether stations trigger or not, and how often they do.

    A muon counts as 1 VEM for each time the area that a vertical one sees, as its mean signal is; energy and number of
    muons are the mean ones of energy and primary.

    Args:
        config: what showers there are.
        some: records.
        chosen: numbers of the showers that are looked at.
        places: of the stations (station, 3).
        stations: the triggered ones of ``some``.
    """
    count = len(RADII) - 1
    sums, number = np.zeros((3, count)), np.zeros(count)
    axis = axes(some["zenith"].astype(np.float64), some["azimuth"].astype(np.float64))
    lit = np.zeros(some["working"].shape, bool)
    lit[stations.shower, stations.station] = True
    energy, mass = some["lg_energy"].astype(np.float64), some["mass_number"].astype(np.int64)
    muons = config.muon_scale * muon_number(energy, mass)
    seen = 10 ** (energy - 9) * (1 - INVISIBLE * muons / muon_number(energy, np.ones_like(mass)))
    for one in chosen:
        core = np.array([some["core_x"][one], some["core_y"][one], 0.0], dtype=np.float64)
        xmax = float(some["xmax"][one])
        for station in np.flatnonzero(some["working"][one]):
            r, _, behind, cosine = station_geometry(places[station], core, axis[one], xmax, config.altitude)
            bin_number = int(np.digitize(r, RADII)) - 1
            if not 0 <= bin_number < count:
                continue
            through, light = expected(r, behind, cosine, xmax, INTERACTION_LENGTH, float(seen[one]), float(muons[one]))
            sums[:, bin_number] += through * mean_track(cosine), light, lit[one, station]
            number[bin_number] += 1
    mean = sums / np.where(number > 0, number, np.nan)
    return {"expected_muon": mean[0], "expected_electromagnetic": mean[1], "triggered": mean[2]}


def mean_track(cosine: float) -> float:
    """Mean signal [VEM] of a muon at this cosine of its angle: volume of the water over the area that it sees.

    Examples:
        >>> round(mean_track(1.0), 6)
        1.0
    """
    from cloudchamber.simulators.airshower.water_cherenkov import AREA, projected_area

    return float(AREA / projected_area(cosine))


def delays(stations: Stations) -> Arrays:
    """Delay of start times behind the true plane front against the distance to the axis.

    Returns:
        ``delay_radius`` edges [m]; ``delay`` (class, 3, bin), quantiles 16, 50 and 84 %, and ``delay_front`` (class,
        bin), median delay of the simulated electromagnetic front [ns]; ``delay_zenith`` (class, 2) [degrees].
    """
    count = len(DELAY_RADII) - 1
    quantiles, front = np.full((len(ZENITHS), 3, count), np.nan), np.full((len(ZENITHS), count), np.nan)
    number = np.digitize(stations.distance, DELAY_RADII) - 1
    for row, (low, high) in enumerate(ZENITHS):
        inside = (stations.zenith >= low) & (stations.zenith < high)
        for column in range(count):
            here = inside & (number == column)
            if here.sum() >= 10:
                quantiles[row, :, column] = np.quantile(stations.delay[here], (0.16, 0.5, 0.84))
                front[row, column] = np.median(stations.front[here])
    return {
        "delay_radius": DELAY_RADII,
        "delay": quantiles,
        "delay_front": front,
        "delay_zenith": np.array(ZENITHS),
    }
