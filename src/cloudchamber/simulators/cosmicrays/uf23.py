"""The coherent Galactic magnetic field of Unger and Farrar (UF23), base variant, in numba.

arXiv:2311.12120 = ApJ 970 (2024) 95; equation numbers below are the paper's. Parameters, with more digits than the
paper's table 3, and test vectors are those that the authors publish with their own program (BSD 2-Clause,
github.com/MichaelUnger/GalacticMagneticFieldUF23).

Conventions: as in jf12, but the Sun is at x = -8.2 kpc and the field ends at 30 kpc from the Galactic centre. Lengths
in kpc, fields in muG, angles in degrees in the table only. The plane z = 0 counts as north.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

SUN = -8.2
"""x of the Sun [kpc]."""
RADIUS = 30.0
"""The field is zero farther than this from the Galactic centre [kpc]."""


class UF23(NamedTuple):
    """The parameters of the base variant.

    Attributes:
        b1, b2, b3: amplitudes of the three modes of the spiral disk field; phase1, phase2, phase3 their phases [rad].
        sin_pitch, cos_pitch, tan_pitch: of the spiral's pitch angle.
        h_disk, w_disk: height and width of the transition from disk to halo.
        b_poloidal, p, r_poloidal, w_poloidal, z_poloidal: the poloidal (X) field, with exponent p.
        b_north, b_south, r_toroidal, w_toroidal, z_toroidal: the toroidal halo.
        striation: xi.
    """

    b1: float = 1.0878565
    b2: float = 2.6605034
    b3: float = 3.1166311
    phase1: float = math.radians(263.16589)
    phase2: float = math.radians(97.782269)
    phase3: float = math.radians(35.112281)
    sin_pitch: float = math.sin(math.radians(10.106900))
    cos_pitch: float = math.cos(math.radians(10.106900))
    tan_pitch: float = math.tan(math.radians(10.106900))
    h_disk: float = 0.79408965
    w_disk: float = 0.10720909
    b_poloidal: float = 0.97775487
    p: float = 1.4266186
    r_poloidal: float = 7.2925417
    w_poloidal: float = 0.11188158
    z_poloidal: float = 4.4597373
    b_north: float = 3.2556760
    b_south: float = -3.0914569
    r_toroidal: float = 10.193815
    w_toroidal: float = 1.6936993
    z_toroidal: float = 4.0242749
    striation: float = 0.34557571


UF23_BASE = UF23()
"""The base variant."""

_R_SPIRAL, _R_OUTER, _W_EDGE = 5.0, 20.0, 0.5  # eq. 14: inner and outer edge of the spiral and their width
_DISK_WIDTHS = 35.0  # where the disk's share of eq. 13 is below 1e-15


@njit(cache=True, nogil=True, inline="always")
def _falling(x: float, edge: float, width: float) -> float:
    """1 - logistic((x - edge) / width)."""
    return 1.0 / (1.0 + math.exp((x - edge) / width))


@njit(cache=True, nogil=True)
def regular(x: float, y: float, z: float, p: UF23) -> tuple[float, float, float]:
    """The coherent field (b_x, b_y, b_z) [muG] at (x, y, z) [kpc]; zero for d > 30 kpc."""
    r2 = x * x + y * y
    if r2 + z * z > RADIUS * RADIUS:
        return 0.0, 0.0, 0.0
    r = math.sqrt(r2)
    cos_phi, sin_phi = (x / r, y / r) if r > 0.0 else (1.0, 0.0)
    height = abs(z)
    b_r = b_phi = 0.0

    disk = 0.0
    if height < p.h_disk + _DISK_WIDTHS * p.w_disk:
        disk = _falling(height, p.h_disk, p.w_disk)  # eq. 13
        if r > 1e-6:
            phi0 = math.atan2(y, x) - math.log(r / _R_SPIRAL) / p.tan_pitch  # eq. 12
            # eq. 14; the first factor closes the field at the centre
            radial = -math.expm1(-r2) * _falling(r, _R_OUTER, _W_EDGE) * (1.0 - _falling(r, _R_SPIRAL, _W_EDGE))
            b = p.b1 * math.cos(phi0 - p.phase1)  # eq. 10
            b += p.b2 * math.cos(2.0 * (phi0 - p.phase2)) + p.b3 * math.cos(3.0 * (phi0 - p.phase3))
            b *= disk * radial * _R_SPIRAL / r  # eq. 11
            b_r, b_phi = b * p.sin_pitch, b * p.cos_pitch

    side, b_halo = (1.0, p.b_north) if z >= 0.0 else (-1.0, p.b_south)
    toroidal = _falling(r, p.r_toroidal, p.w_toroidal) * (1.0 - disk) * math.exp(-height / p.z_toroidal)
    b_phi += b_halo * toroidal  # eq. 21

    # Poloidal field with n = p, in the limit of an infinite scale of eq. 38 (all variants but expX). Field lines obey
    # r / a = g^(1/p), g = 1 + (|z|/z_0)^p, with a their radius in the plane; flux conservation gives b_z and b_r.
    u = (height / p.z_poloidal) ** p.p
    g = 1.0 + u
    stretch = g ** (1.0 / p.p)
    a = r / stretch
    b0 = p.b_poloidal * _falling(a, p.r_poloidal, p.w_poloidal)  # eqs. 28, 32
    b_z = b0 / (stretch * stretch)  # eq. 36
    if height > 0.0:
        b_r += side * b_z * r * u / (g * height)  # eq. 35: b_r / b_z is the slope of the field line
    return b_r * cos_phi - b_phi * sin_phi, b_r * sin_phi + b_phi * cos_phi, b_z
