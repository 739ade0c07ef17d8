# mypy: disable-error-code="untyped-decorator"
"""Air showers and what an array of water-Cherenkov stations records of them, particle by particle.

A shower is drawn (primary, energy, direction, core, depth of maximum, muons), the expected numbers of its muons and
electromagnetic particles at every station follow from ``development``, and every particle that hits a station has its
own arrival time (``arrival_time``) and signal (``water_cherenkov``). The start time of a station is that of the bin in
which its first particle arrives: it carries the bias and the spread of the first of n, and the trace what can correct
them.

Coordinates in m, east, north and up from the centre of the array; times in ns, 0 when the plane front reaches the core;
the axis is the unit vector towards where the shower comes from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.airshower.arrival_time import (
    SPREAD,
    electromagnetic_front,
    electromagnetic_median,
    muon_delay,
)
from cloudchamber.simulators.airshower.atmosphere import depth_above, height_of
from cloudchamber.simulators.airshower.depth_of_maximum import depth_of_maximum, mass_number
from cloudchamber.simulators.airshower.development import (
    INTERACTION_LENGTH,
    INVISIBLE,
    MUON_SPREAD,
    electromagnetic_signal,
    muon_density,
    muon_number,
)
from cloudchamber.simulators.airshower.surface_array import BIN, LIGHT, PRE_TRIGGER, ShowerOptions
from cloudchamber.simulators.airshower.water_cherenkov import (
    AREA,
    DECAY,
    add_pulse,
    digitise,
    muon_signal,
    projected_area,
    spread,
)

HALO = 0.12
"""Electromagnetic signal that muons bring along by their decay, over the muon signal."""
PARTICLE_SIGNAL = 0.1
"""Mean of the exponential distribution of the signal of an electromagnetic particle that is seen [VEM]."""
BINNED = 200
"""With more electromagnetic particles in a station they are drawn bin by bin instead of one by one."""
MOST_MUONS = 400
"""With more muons in a station so many are drawn, each for several."""
LONGEST = 800
"""Bins behind the plane front in which particles are recorded: 20 microseconds."""
BACKGROUND = 2.5e-6
"""Atmospheric muons through a station per ns."""
ATTEMPTS = 1000
"""Showers drawn for one that triggers, at most."""


@njit(cache=True, nogil=True)
def station_geometry(
    position: NDArray[np.float64], core: NDArray[np.float64], axis: NDArray[np.float64], xmax: float, ground: float
) -> tuple[float, float, float, float]:
    """Where a station stands in a shower.

    Args:
        position: of the station (3,).
        core: (3,).
        axis: (3,).
        xmax: depth of the maximum [g/cm2].
        ground: height of the array above the sea [m].

    Returns:
        Distance to the axis [m]; how far up the axis the station's plane crosses it [m]; depth behind the maximum along
        the line from the maximum to the station [g/cm2]; cosine of that line's zenith angle. A maximum below 1500 m
        above the array counts as there for the line, so that it has a direction.
    """
    away = position - core
    along = away[0] * axis[0] + away[1] * axis[1] + away[2] * axis[2]
    r = math.sqrt(max((away * away).sum() - along * along, 100.0))
    height = max(height_of(xmax * axis[2]), ground + 1500.0)
    line = axis * ((height - ground) / axis[2]) - away
    cosine = max(line[2] / math.sqrt((line * line).sum()), 0.05)
    behind = (depth_above(ground + position[2]) - xmax * axis[2]) / cosine
    return r, along, behind, cosine


@njit(cache=True, nogil=True)
def expected(
    r: float, behind: float, cosine: float, xmax: float, length: float, energy: float, muons: float
) -> tuple[float, float]:
    """Expected muons through a station, and expected electromagnetic signal [VEM].

    Args:
        r: distance to the axis [m].
        behind: depth of the station behind the maximum [g/cm2].
        cosine: of the zenith angle of the particles.
        xmax: depth of the maximum [g/cm2].
        length: lambda of the Gaisser-Hillas profile [g/cm2].
        energy: calorimetric [GeV].
        muons: number at the ground, without attenuation.
    """
    density = muon_density(muons, behind, r)
    light = electromagnetic_signal(energy, xmax, behind, length, r) * (AREA / 10)
    return density * projected_area(cosine), light + HALO * density * AREA


@njit(cache=True, nogil=True)
def _electromagnetic(
    charge: NDArray[np.float64],
    later: NDArray[np.float64],
    signal: float,
    front: float,
    median: float,
    phase: float,
    rng: np.random.Generator,
) -> float:
    """Add the light of electromagnetic particles, and give the time of the first (infinite if there is none)."""
    first = np.inf
    number = rng.poisson(signal / PARTICLE_SIGNAL)
    if number <= BINNED:
        for _ in range(number):
            time = front + median * math.exp(SPREAD * rng.standard_normal())
            first = min(first, time)
            add_pulse(charge, later, time + phase, PARTICLE_SIGNAL * rng.standard_exponential())
        return first
    inside = 1 - DECAY / BIN * (1 - math.exp(-BIN / DECAY))  # of the light of a particle at a random time in a bin
    below = 0.0
    for bin_number in range(int((front + phase) // BIN), len(charge)):
        late = BIN * (bin_number + 1) - phase - front
        upto = 0.5 * (1 + math.erf(math.log(late / median) / (SPREAD * math.sqrt(2)))) if late > 0 else 0.0
        inside_number = rng.poisson(number * (upto - below))
        below = upto
        if inside_number:
            if first == np.inf:
                first = BIN * (bin_number + 1 - (1 - rng.random()) ** (1 / inside_number)) - phase
            light = PARTICLE_SIGNAL * rng.standard_gamma(float(inside_number))
            charge[bin_number] += light * inside
            if bin_number + 1 < len(later):
                later[bin_number + 1] += light * (1 - inside)
        elif upto > 1 - 1e-5:
            break
    return first


@njit(cache=True, nogil=True)
def _station(
    geometry: tuple[float, float, float, float],
    shower: NDArray[np.float64],
    ground: float,
    timing_noise: float,
    trace: NDArray[np.float32],
    rng: np.random.Generator,
) -> tuple[bool, float, bool, float]:
    """Record one station of one shower: whether it triggers, start time behind the plane front, clipped, muon signal.

    ``shower`` holds xmax, lambda, the calorimetric energy, the muons, and the cosine of the zenith angle; ``trace`` is
    written.
    """
    r, along, behind, cosine = geometry
    xmax, length, energy, muons, cos_zenith = shower
    through, light = expected(r, behind, cosine, xmax, length, energy, muons)
    seen = rng.poisson(through)
    if seen == 0 and light < PARTICLE_SIGNAL:
        return False, 0.0, False, 0.0
    charge, later = np.zeros(LONGEST), np.zeros(LONGEST)
    phase = BIN * rng.random()  # of the station's clock
    front = electromagnetic_front(r, along, xmax, cos_zenith, ground)
    first = _electromagnetic(charge, later, light, front, electromagnetic_median(r, behind), phase, rng)
    drawn, of_muons = min(seen, MOST_MUONS), 0.0
    for _ in range(drawn):
        time = muon_delay(r, along, xmax, cos_zenith, ground, rng)
        signal = muon_signal(cosine, rng) * seen / drawn
        first = min(first, time)
        of_muons += signal
        add_pulse(charge, later, time + phase, signal)
    if first == np.inf:
        return False, 0.0, False, 0.0
    start = int((first + phase) // BIN) - PRE_TRIGGER
    if start + len(trace) > LONGEST:
        return False, 0.0, False, 0.0
    if rng.random() < BACKGROUND * BIN * len(trace):
        other = (max(start, 0) + rng.random() * len(trace)) * BIN
        add_pulse(charge, later, other, muon_signal(0.5 * (1 + math.sqrt(rng.random())), rng))
    spread(charge, later)
    window = np.zeros(len(trace))
    before = max(-start, 0)
    window[before:] = charge[start + before : start + len(trace)]
    triggered, clipped = digitise(window, rng)
    trace[:] = window
    time = BIN * (start + PRE_TRIGGER + 0.5) - phase + timing_noise * rng.standard_normal()
    return triggered, time, clipped, of_muons


@njit(cache=True, nogil=True)
def _record(
    shower: NDArray[np.float64],
    core: NDArray[np.float64],
    axis: NDArray[np.float64],
    array: NDArray[np.float64],
    working: NDArray[np.bool_],
    ground: float,
    timing_noise: float,
    trace: NDArray[np.float32],
    triggered: NDArray[np.bool_],
    start: NDArray[np.float64],
    clipped: NDArray[np.bool_],
    of_muons: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Record one shower with all stations; the last arrays but the generator are written, a row a station."""
    for station in range(len(array)):
        triggered[station] = False
        if not working[station]:
            continue
        geometry = station_geometry(array[station], core, axis, shower[0], ground)
        found, time, full, light = _station(geometry, shower, ground, timing_noise, trace[station], rng)
        if found:
            triggered[station] = True
            clipped[station] = full
            of_muons[station] = light
            start[station] = time - geometry[1] / LIGHT


def draw(options: ShowerOptions, count: int, rng: np.random.Generator) -> Arrays:
    """Showers (shower,) as they arrive, without the array.

    Args:
        options: what showers there are.
        count: how many.
        rng: the generator.

    Returns:
        mass_number; lg_energy; zenith, azimuth [rad]; core_x, core_y [m]; xmax, profile_length [g/cm2]; muons (number
        at the ground without attenuation); calorimetric_energy [GeV].
    """
    mass = rng.choice([mass_number(primary) for primary in options.primaries], count)
    low, high, power = options.lg_energy_min, options.lg_energy_max, 1 - options.spectral_index
    u = rng.random(count)
    if abs(power) < 1e-9:
        lg_energy = low + u * (high - low)
    else:
        lg_energy = low + np.log10(1 + u * (10 ** (power * (high - low)) - 1)) / power
    zenith = np.arccos(np.sqrt(1 - rng.random(count) * math.sin(math.radians(options.zenith_max)) ** 2))
    azimuth = rng.uniform(-math.pi, math.pi, count)
    radius, angle = options.core_radius * np.sqrt(rng.random(count)), rng.uniform(-math.pi, math.pi, count)
    xmax = depth_of_maximum(options.hadronic_model, lg_energy, mass, rng)
    length = INTERACTION_LENGTH * (1 + 0.05 * np.clip(rng.standard_normal(count), -3, 3))
    fluctuation = np.exp(MUON_SPREAD / np.sqrt(mass) * rng.standard_normal(count))
    muons = options.muon_scale * fluctuation * muon_number(lg_energy, mass)
    unseen = INVISIBLE * muons / muon_number(lg_energy, np.ones_like(mass))
    energy = 10 ** (lg_energy - 9) * np.clip(1 - unseen, 0.5, 1)
    return {
        "mass_number": mass, "lg_energy": lg_energy, "zenith": zenith, "azimuth": azimuth,
        "core_x": radius * np.cos(angle), "core_y": radius * np.sin(angle), "xmax": xmax, "profile_length": length,
        "muons": muons, "calorimetric_energy": energy,
    }  # fmt: skip


def axes(zenith: NDArray[np.float64], azimuth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors (shower, 3) towards where showers come from."""
    return np.stack([np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth), np.cos(zenith)], axis=1)


def simulate_showers(
    options: ShowerOptions, array: NDArray[np.float64], count: int, rng: np.random.Generator
) -> Arrays:
    """Showers that the array sees: drawn again until enough stations trigger.

    Args:
        options: what showers there are, and the array's hardware.
        array: positions of the stations (station, 3) [m].
        count: how many showers.
        rng: the generator.

    Returns:
        What ``draw`` gives; ``working`` (shower, station); ``stations`` (shower,), how many triggered; and for each of
        these, shower by shower: ``station`` (its number), ``start_time`` [ns], ``saturated``, ``muon_signal`` [VEM] and
        ``trace`` (row, bin) [VEM].

    Raises:
        BadInput: such showers do not trigger the array.
    """
    if len(array) < options.least_stations:
        raise BadInput(f"the array has {len(array)} stations, an event needs {options.least_stations}: add stations")
    showers: list[Arrays] = []
    rows: list[Arrays] = []
    drawn = 0
    while len(showers) < count:
        if drawn > ATTEMPTS * (len(showers) + 1):
            raise BadInput(
                f"of {drawn} showers {len(showers)} triggered {options.least_stations} stations: "
                "ask for higher energies, cores within the array, or a denser array"
            )
        some = draw(options, max(count - len(showers), 16), rng)
        drawn += len(some["zenith"])
        for shower, found in _triggered(options, array, some, rng):
            showers.append(shower)
            rows.append(found)
            if len(showers) == count:
                break
    return {name: np.stack([one[name] for one in showers]) for name in showers[0]} | {
        name: np.concatenate([one[name] for one in rows]) for name in rows[0]
    }


def _triggered(
    options: ShowerOptions, array: NDArray[np.float64], drawn: Arrays, rng: np.random.Generator
) -> Iterator[tuple[Arrays, Arrays]]:
    """The showers of ``draw`` that trigger, with their working stations and how many triggered; and those stations."""
    axis = axes(drawn["zenith"], drawn["azimuth"])
    columns = ("xmax", "profile_length", "calorimetric_energy", "muons")
    shower = np.stack([*(drawn[name] for name in columns), axis[:, 2]], axis=1)
    core = np.stack([drawn["core_x"], drawn["core_y"], np.zeros(len(axis))], axis=1)
    working = rng.random((len(axis), len(array))) >= options.dead_fraction
    trace = np.zeros((len(array), options.bins), np.float32)
    triggered, clipped = np.zeros(len(array), np.bool_), np.zeros(len(array), np.bool_)
    start, of_muons = np.zeros(len(array)), np.zeros(len(array))
    for number in range(len(axis)):
        _record(
            shower[number], core[number], axis[number], array, working[number], options.altitude,
            options.timing_noise, trace, triggered, start, clipped, of_muons, rng,
        )  # fmt: skip
        chosen = np.flatnonzero(triggered)
        if len(chosen) >= options.least_stations:
            one = {name: values[number] for name, values in drawn.items()}
            rows = {"station": chosen, "start_time": start[chosen], "saturated": clipped[chosen]}
            yield (
                one | {"working": working[number], "stations": np.array(len(chosen))},
                rows | {"muon_signal": of_muons[chosen], "trace": trace[chosen]},
            )
