"""The electric field of an air shower at an antenna: geomagnetic emission and charge excess, and the pulse's spectrum.

Lateral distribution: two Gaussians in the distance to the axis, the form of C. Glaser et al., Astropart. Phys. 104
(2019) 64, with the ring at the Cherenkov angle of the shower maximum; radiation energy: Pierre Auger Collaboration,
Phys. Rev. Lett. 116 (2016) 241101 (arXiv:1605.02564); charge excess: LOFAR, arXiv:1406.1355, and AERA, arXiv:1402.3677.

Conventions: x to the east, y to the north, z up; azimuth counter-clockwise from the east, zenith and azimuth of where
the shower comes from [rad]; v is where it goes. In the shower plane e1 is along v x B, e2 along v x (v x B). The
geomagnetic field is along -e1, that of the charge excess points to the axis: they add up on the side of +e1. Lengths in
m, energies in eV, fluences in eV/m2 between 30 and 80 MHz, frequencies in MHz, fields in uV/m.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.constants import c, e, epsilon_0
from scipy.special import erf

from .atmosphere import height, vertical_depth

Doubles = NDArray[np.float64]
Complexes = NDArray[np.complex128]

BAND = (30.0, 80.0)
"""In which antennas measure, and of radiation energies and fluences [MHz]."""
RADIATION_ENERGY = 15.8e6
"""Of a shower of 1 EeV perpendicular to a field of 24 uT [eV], arXiv:1605.02564."""
REFERENCE_FIELD = 24.0
"""Of that energy [uT]."""
REFRACTIVITY = 2.92e-4
"""n - 1 of air at sea level; proportional to the density."""
SHORTEST = 500.0
"""To the shower maximum [m]: those that lie lower, or under ground, radiate as from here."""
FLUENCE = epsilon_0 * c * 1e-12 * 1e-6 / e
"""Turns (uV/m)^2 us into eV/m2."""


def magnetic_field(strength: float, inclination: float, declination: float) -> Doubles:
    """Components (3,) of the field, in the unit of its strength.

    Args:
        strength: of the field.
        inclination: below the horizontal [degrees]; negative in the south, where the field points up.
        declination: of its horizontal part from north to east [degrees].
    """
    dip, east = np.radians(inclination), np.radians(declination)
    return strength * np.array([np.cos(dip) * np.sin(east), np.cos(dip) * np.cos(east), -np.sin(dip)])


def shower_plane(zenith: Doubles, azimuth: Doubles, field: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Unit vectors e1 and e2 (shower, 3), and the angle (shower,) between v and the magnetic field [rad].

    Args:
        zenith: (shower,).
        azimuth: (shower,).
        field: magnetic field (3,), not zero; along it e1 is any perpendicular direction.
    """
    v = -np.stack([np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth), np.cos(zenith)], axis=-1)
    b = np.asarray(field) / np.linalg.norm(field)
    cross = np.cross(v, b)
    sine = np.linalg.norm(cross, axis=-1)
    parallel = sine < 1e-9
    cross[parallel] = np.cross(v[parallel], [1.0, 0.0, 0.0] if abs(b[0]) < 0.9 else [0.0, 1.0, 0.0])
    e1 = cross / np.linalg.norm(cross, axis=-1, keepdims=True)
    return e1, np.cross(v, e1), np.arctan2(sine, v @ b)


def distance_of_maximum(depth: Doubles, zenith: Doubles, altitude: float) -> Doubles:
    """Metres (shower,) along the axis from the ground to the shower maximum, at least SHORTEST.

    Args:
        depth: of the maximum, slant [g/cm2], (shower,).
        zenith: (shower,).
        altitude: of the antennas above the sea.
    """
    above = height(depth * np.cos(zenith)) - altitude
    return np.asarray(np.maximum(above / np.cos(zenith), SHORTEST))


def ring_and_width(distance: Doubles, zenith: Doubles, altitude: float) -> tuple[Doubles, Doubles]:
    """Radius of the Cherenkov ring and Gaussian width of the footprint (shower,) in the shower plane.

    The ring: cos(angle) = 1 / n with n at the maximum. The width is our straight line through the widths of CoREAS
    showers in Glaser et al. at 1564 m: 55 m + 5.5 m per km, within 15 % for zenith angles of 30 to 70 degrees.

    Args:
        distance: to the maximum (shower,).
        zenith: (shower,).
        altitude: of the antennas above the sea.
    """
    where = altitude + distance * np.cos(zenith)
    density = vertical_depth(where - 50.0) - vertical_depth(where + 50.0)
    n = 1 + REFRACTIVITY * density / (vertical_depth(-50.0) - vertical_depth(50.0))
    return distance * np.tan(np.arccos(1 / n)), 55.0 + 5.5e-3 * distance


def geomagnetic_fluence(r: Doubles, energy: Doubles, ring: Doubles, width: Doubles) -> Doubles:
    """Fluence (shower,) whose integral over the shower plane is the radiation energy.

    Args:
        r: distance to the axis.
        energy: radiation energy.
        ring: radius of the Cherenkov ring.
        width: Gaussian width.
    """
    form = np.exp(-((r - ring) ** 2) / (2 * width**2)) + np.exp(-((r + ring) ** 2) / (2 * width**2))
    integral = 2 * width**2 * np.exp(-(ring**2) / (2 * width**2))
    integral = integral + np.sqrt(2 * np.pi) * ring * width * erf(ring / (np.sqrt(2) * width))
    return np.asarray(energy * form / (2 * np.pi * integral))


def charge_excess_fraction(r: Doubles, zenith: Doubles, strength: float = 0.14) -> Doubles:
    """Field of the charge excess over the geomagnetic one at sin(alpha) = 1, (shower,).

    Our power law through three published numbers: 0.14 on average (AERA; here at 150 m and 40 degrees), 0.033 at 25 m
    for very inclined (50 degrees) and 0.203 at 225 m for almost vertical showers (10 degrees; LOFAR). Constant above
    225 m, where nothing was published.

    Args:
        r: distance to the axis.
        zenith: (shower,).
        strength: the 0.14; 0 turns the charge excess off.
    """
    near = np.minimum(r, 225.0) / 150.0
    return np.asarray(strength * near**0.786 * (np.cos(zenith) / np.cos(np.radians(40.0))) ** 0.21)


def field_of_shower(
    position: Doubles,
    zenith: Doubles,
    lg_energy: Doubles,
    depth: Doubles,
    angle: Doubles,
    strength: float,
    altitude: float,
    charge_excess: float,
) -> tuple[Doubles, Doubles]:
    """Direction and size of the field at antennas: square root of the fluence along e1 and e2 (shower, 2), and ring.

    The radiation energy goes as ``(E B sin(alpha))^2``.

    Args:
        position: of the antenna along e1 and e2 (shower, 2).
        zenith: (shower,).
        lg_energy: log10(E / eV), (shower,).
        depth: of the shower maximum [g/cm2], (shower,).
        angle: alpha, between v and the magnetic field (shower,).
        strength: of the magnetic field [uT].
        altitude: of the antennas above the sea.
        charge_excess: as of ``charge_excess_fraction``.

    Returns:
        The field (eV^1/2 / m), and the radius of the Cherenkov ring (shower,).
    """
    r = np.hypot(position[:, 0], position[:, 1])
    ring, width = ring_and_width(distance_of_maximum(depth, zenith, altitude), zenith, altitude)
    energy = RADIATION_ENERGY * (10 ** (lg_energy - 18.0) * strength / REFERENCE_FIELD) ** 2
    perpendicular = np.sqrt(geomagnetic_fluence(r, energy, ring, width))
    excess = charge_excess_fraction(r, zenith, charge_excess) * perpendicular * (REFERENCE_FIELD / strength)
    inward = -position / np.maximum(r, 1e-9)[:, None]
    field = excess[:, None] * inward
    field[:, 0] -= np.sin(angle) * perpendicular
    return field, ring


def spectral_slope(r: Doubles, ring: Doubles, flattest: float, steepest: float, scale: float) -> Doubles:
    """m_f [1/MHz] (shower,): flattest on the Cherenkov ring, where the pulse is shortest, and steeper away from it.

    Our form: a straight line in the distance to the ring that ends at the steepest.

    Args:
        r: distance to the axis.
        ring: radius of the Cherenkov ring.
        flattest: on the ring.
        steepest: far from the ring.
        scale: distance to the ring at which the slope is the steepest [m].
    """
    return np.asarray(flattest + (steepest - flattest) * np.minimum(np.abs(r - ring) / scale, 1.0))


def pulse_spectrum(frequency: Doubles, amplitude: Doubles, slope: Doubles, phase: Doubles, time: Doubles) -> Complexes:
    """``E(f) = A 10^(m_f f) exp(i (phi0 - 2 pi f t0))`` (pulse, frequency) in uV/m/MHz, for f > 0.

    The sign of t0 is that of ``numpy.fft``: a larger t0 is a later pulse. A is such that the fluence between 30 and 80
    MHz, ``2 eps0 c`` times the integral of ``abs(E(f))^2``, is the amplitude's square.

    Args:
        frequency: (frequency,).
        amplitude: square root of the fluence with a sign [eV^1/2 / m], (pulse,).
        slope: m_f [1/MHz], not 0, (pulse,).
        phase: phi0 (pulse,).
        time: t0 [us], (pulse,).
    """
    decay = 2 * np.log(10) * slope
    integral = (np.exp(decay * BAND[1]) - np.exp(decay * BAND[0])) / decay  # of 10^(2 m_f f)
    a = amplitude / np.sqrt(2 * FLUENCE * integral)
    size = a[:, None] * 10 ** (slope[:, None] * frequency)
    return np.asarray(size * np.exp(1j * (phase[:, None] - 2 * np.pi * time[:, None] * frequency)))


def fluence(traces: NDArray[np.floating], sampling: float) -> Doubles:
    """``eps0 c dt sum E^2`` (trace,) in eV/m2.

    Args:
        traces: [uV/m], (..., sample).
        sampling: samples per us [MHz].
    """
    return np.asarray(FLUENCE / sampling * np.sum(np.asarray(traces, np.float64) ** 2, axis=-1))
