# mypy: disable-error-code="untyped-decorator"
"""A water-Cherenkov station: signal of particles, pulse, digitised trace, trigger.

The station of the Pierre Auger Observatory (NIM A 798 (2015) 172, arXiv:1502.01323): a cylinder of water of 10 m2 and
1.2 m, read at 40 MHz by two gains with 10 bits. Signals in VEM, what a muon through the centre, vertical, leaves; times
in ns; a trace is the charge in VEM in bins of BIN.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.simulators.airshower.surface_array import BIN

RADIUS, HEIGHT = 1.8, 1.2
"""Of the water [m]."""
AREA = math.pi * RADIUS**2
DECAY = 60.0
"""Of the light of a particle [ns]: it is reflected many times until it is absorbed or seen."""
KEPT = math.exp(-BIN / DECAY)
PHOTOELECTRONS = 270.0
"""A VEM, in three photomultipliers."""
COUNTS_PER_PEAK = 50.0
"""Counts of the highest bin of a VEM, high gain."""
COUNTS = COUNTS_PER_PEAK / (1 - KEPT)
"""Counts a VEM of charge, high gain."""
GAIN_RATIO, LARGEST_COUNT, BASELINE_NOISE = 32.0, 1023.0, 0.7
"""High over low gain, end of the range, and noise of the baseline [counts]."""
SATURATION = LARGEST_COUNT * GAIN_RATIO / COUNTS
"""Charge in a bin at which the low gain is clipped [VEM]."""
PEAK_TRIGGER = 3.2 * COUNTS_PER_PEAK
"""A bin above this [counts] triggers ..."""
LONG_TRIGGER, LONG_BINS = 0.2 * COUNTS_PER_PEAK, 13
"""... and so do so many bins above this, "time over threshold"."""


@njit(cache=True, nogil=True)
def projected_area(cos_zenith: float) -> float:
    """Area [m2] that the station shows a particle that comes at this angle."""
    return AREA * cos_zenith + 2 * RADIUS * HEIGHT * math.sqrt(max(1 - cos_zenith**2, 0.0))


@njit(cache=True, nogil=True)
def muon_signal(cos_zenith: float, rng: np.random.Generator) -> float:
    """Signal [VEM] of a muon through the station: its track in a cylinder, at a random place, over the height.

    Args:
        cos_zenith: of its direction.
        rng: the generator.
    """
    sin_zenith = math.sqrt(max(1 - cos_zenith**2, 0.0))
    if sin_zenith < 1e-6:
        return 1.0
    widest = 2 * RADIUS * cos_zenith + HEIGHT * sin_zenith
    while True:  # a vertical slice of the cylinder, as often as it is wide as seen by the muon
        beside = RADIUS * (2 * rng.random() - 1)
        width = 2 * math.sqrt(RADIUS**2 - beside**2)
        seen = width * cos_zenith + HEIGHT * sin_zenith
        if rng.random() * widest < seen:
            break
    place = seen * rng.random()
    track = min(place, seen - place) / (sin_zenith * cos_zenith)
    return min(track, HEIGHT / cos_zenith, width / sin_zenith) / HEIGHT


@njit(cache=True, nogil=True)
def add_pulse(charge: NDArray[np.float64], later: NDArray[np.float64], time: float, signal: float) -> None:
    """Add a particle's light: to its bin, and to what the bins after it will get (see ``spread``).

    Args:
        charge: (bin,) in VEM, changed.
        later: (bin,) in VEM, changed.
        time: since the start of the first bin.
        signal: in VEM.
    """
    number = int(time // BIN)
    if 0 <= number < len(charge):
        rest = math.exp(-(BIN * (number + 1) - time) / DECAY)
        charge[number] += signal * (1 - rest)
        if number + 1 < len(later):
            later[number + 1] += signal * rest


@njit(cache=True, nogil=True)
def spread(charge: NDArray[np.float64], later: NDArray[np.float64]) -> None:
    """Let the light that is left decay through the bins: ``charge`` (bin,) becomes the trace.

    Args:
        charge: (bin,) in VEM, changed.
        later: (bin,) in VEM, what arrives at the start of each bin.
    """
    left = 0.0
    for number in range(len(charge)):
        left += later[number]
        charge[number] += left * (1 - KEPT)
        left *= KEPT


@njit(cache=True, nogil=True)
def digitise(trace: NDArray[np.float64], rng: np.random.Generator) -> tuple[bool, bool]:
    """Photoelectrons, noise, two gains and clipping, in place; whether the station triggers, and whether it is clipped.

    Args:
        trace: (bin,) in VEM, changed.
        rng: the generator.
    """
    long, high, clipped = 0, False, False
    for number in range(len(trace)):
        light = trace[number]
        if light > 0:
            light = max(light + math.sqrt(light / PHOTOELECTRONS) * rng.standard_normal(), 0.0)
        counts = np.round(light * COUNTS + BASELINE_NOISE * rng.standard_normal())
        if counts >= LARGEST_COUNT:
            low = np.round(light * COUNTS / GAIN_RATIO + BASELINE_NOISE * rng.standard_normal())
            clipped = clipped or low >= LARGEST_COUNT
            counts = min(low, LARGEST_COUNT) * GAIN_RATIO
        high = high or counts > PEAK_TRIGGER
        long += counts > LONG_TRIGGER
        trace[number] = counts / COUNTS
    return high or long >= LONG_BINS, clipped
