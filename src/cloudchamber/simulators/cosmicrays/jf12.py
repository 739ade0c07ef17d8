"""The Galactic magnetic field of Jansson and Farrar (JF12) and its variant tuned to Planck data (JF12b), in numba.

Regular part: ApJ 757 (2012) 14 = arXiv:1204.3662, section 5 and table 1; random part (disk arms and halo):
ApJ 761 (2012) L11 = arXiv:1210.7820, table 1; JF12b: Planck XLII, arXiv:1601.00546, table 3.

Conventions: Galactocentric, x from the Sun to the Galactic centre, y to l = 90 deg, z north; the Sun is at x = -8.5
kpc; r and phi are cylindrical, d is the distance to the centre. Lengths in kpc, fields in muG. The plane z = 0 counts
as north. The field ends sharply at d = 20 kpc, as in the paper. The paper gives the ring between 3 and 5 kpc no radial
dependence; here it falls with 5 kpc / r like the arms, as in common implementations.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SUN = -8.5
"""x of the Sun [kpc]."""
RADIUS = 20.0
"""The field is zero farther than this from the Galactic centre [kpc]."""


class JF12(NamedTuple):
    """The parameters of the model, names as in the papers' tables; lengths in kpc, fields in muG.

    Attributes:
        arms: b_1 ... b_8, regular field of the spiral arms at r = 5 kpc.
        ring: b_ring, regular field of the ring at r = 5 kpc; with 5/r like the arms.
        h_disk, w_disk: height and width of the transition from disk to halo.
        b_north, b_south, r_north, r_south, w_halo, z_halo: the toroidal halo.
        b_x, r_x_core, r_x: the X field; its inclination outside is ``tan_x``, ``sin_x``, ``cos_x`` of Theta_X^0.
        striation: beta, mean square of the striated field in units of that of the regular field.
        random_arms, random_inner, random_z: rms of the random field of the arms at r = 5 kpc, within 5 kpc, and its
            scale height.
        random_halo, random_halo_r, random_halo_z: rms of the random field of the halo and its scales.
    """

    arms: Floats = np.array([0.1, 3.0, -0.9, -0.8, -2.0, -4.2, 0.0, 2.7])
    ring: float = 0.1
    h_disk: float = 0.40
    w_disk: float = 0.27
    b_north: float = 1.4
    b_south: float = -1.1
    r_north: float = 9.22
    r_south: float = 17.0  # the paper's fit gives a lower limit of 16.7
    w_halo: float = 0.20
    z_halo: float = 5.3
    b_x: float = 4.6
    r_x_core: float = 4.8
    r_x: float = 2.9
    tan_x: float = math.tan(math.radians(49.0))
    sin_x: float = math.sin(math.radians(49.0))
    cos_x: float = math.cos(math.radians(49.0))
    striation: float = 1.36
    random_arms: Floats = np.array([10.81, 6.96, 9.59, 6.96, 1.96, 16.34, 37.29, 10.35])
    random_inner: float = 7.63
    random_z: float = 0.61
    random_halo: float = 4.68
    random_halo_r: float = 10.97
    random_halo_z: float = 2.84


JF12_PAPER = JF12()
"""The best fit of the two papers."""

JF12_PLANCK = JF12(
    arms=np.array([0.1, 3.0, -0.9, -0.8, -2.0, -3.5, 0.0, 2.7]),
    b_x=1.8,
    random_arms=np.array([3.12, 6.24, 3.12, 6.24, 3.12, 6.24, 3.12, 6.24]),
    random_inner=3.90,
    random_halo=7.332,
)
"""JF12b of Planck XLII: sixth arm and X field weaker, random field of the arms weaker and of the halo stronger."""

_R_INNER, _R_DISK = 3.0, 5.0
_SIN_PITCH, _COS_PITCH, _TAN_PITCH = (f(math.radians(11.5)) for f in (math.sin, math.cos, math.tan))
# Where the arms' outer boundaries cross the negative x axis; arm 1 also begins where arm 8 ends, one turn further in.
_LOG_CROSSINGS = np.log([5.1, 6.3, 7.1, 8.3, 9.8, 11.4, 12.7, 15.5])
_TURN = 2 * math.pi * _TAN_PITCH
# Beyond this many widths above h the disk's share 1 - L is below 1e-15: not worth an arc tangent and a logarithm.
_DISK_WIDTHS = 17.5


@njit(cache=True, nogil=True)
def arm(x: float, y: float, r: float) -> int:
    """The spiral arm (0 ... 7) at a place with r > 0.

    Arms are bounded by ``r = r_-x exp((phi - pi) tan 11.5 deg)`` with ``r_-x`` of the arm's outer edge; a whole turn is
    added or taken off where a place lies outside the eight.
    """
    crossing = math.log(r) - math.atan2(-y, -x) * _TAN_PITCH  # atan2(-y, -x) is phi - pi in -pi ... pi
    if crossing > _LOG_CROSSINGS[7]:
        crossing -= _TURN
    elif crossing < _LOG_CROSSINGS[7] - _TURN:
        crossing += _TURN
    for i in range(7):
        if crossing < _LOG_CROSSINGS[i]:
            return i
    return 7


@njit(cache=True, nogil=True)
def regular(x: float, y: float, z: float, p: JF12) -> tuple[float, float, float]:
    """The regular field (b_x, b_y, b_z) [muG] at (x, y, z) [kpc]; zero for d > 20 kpc.

    In the paper's equations: disk field section 5.2, toroidal halo eq. 6, X field eqs. 7 to 10, logistic L eq. 5.
    """
    r2 = x * x + y * y
    d2 = r2 + z * z
    if d2 > RADIUS * RADIUS:
        return 0.0, 0.0, 0.0
    r = math.sqrt(r2)
    cos_phi, sin_phi = (x / r, y / r) if r > 0.0 else (1.0, 0.0)
    height = abs(z)
    b_r = b_phi = b_z = 0.0
    disk = 0.0  # 1 - L(z, h_disk, w_disk)
    if height < p.h_disk + _DISK_WIDTHS * p.w_disk:
        disk = 1.0 / (1.0 + math.exp(2.0 * (height - p.h_disk) / p.w_disk))
        if r > _R_DISK:
            b = p.arms[arm(x, y, r)] * (_R_DISK / r) * disk
            b_r, b_phi = b * _SIN_PITCH, b * _COS_PITCH
        elif r > _R_INNER:
            b_phi = p.ring * (_R_DISK / r) * disk
    if d2 > 1.0:
        if z >= 0.0:
            b, edge, side = p.b_north, p.r_north, 1.0
        else:
            b, edge, side = p.b_south, p.r_south, -1.0
        b_phi += b * math.exp(-height / p.z_halo) * (1.0 - disk) / (1.0 + math.exp(2.0 * (r - edge) / p.w_halo))
        core = p.r_x_core + height / p.tan_x
        if r < core:
            shrink = p.r_x_core / core
            b = p.b_x * math.exp(-r * shrink / p.r_x) * shrink * shrink
            # tan Theta = |z| / (r - r_p) = tan Theta_0 * core / r: finite in the plane too
            b /= math.sqrt(r2 + (p.tan_x * core) ** 2)
            b_r += side * b * r
            b_z = b * p.tan_x * core
        else:
            foot = r - height / p.tan_x
            b = p.b_x * math.exp(-foot / p.r_x) * foot / r
            b_r += side * b * p.cos_x
            b_z = b * p.sin_x
    return b_r * cos_phi - b_phi * sin_phi, b_r * sin_phi + b_phi * cos_phi, b_z


@njit(cache=True, nogil=True)
def random_rms(x: float, y: float, z: float, p: JF12) -> float:
    """Root mean square of the isotropic random field [muG] at (x, y, z) [kpc]: disk and halo in quadrature.

    The arms are those of the regular field and fall with 5 kpc / r; vertically the disk is a Gaussian.
    """
    r2 = x * x + y * y
    if r2 + z * z > RADIUS * RADIUS:
        return 0.0
    r = math.sqrt(r2)
    vertical = z / p.random_z
    disk = 0.0
    if abs(vertical) < 6.0:  # a Gaussian's 1e-8
        disk = p.random_arms[arm(x, y, r)] * (_R_DISK / r) if r > _R_DISK else p.random_inner
        disk *= math.exp(-0.5 * vertical * vertical)
    halo = p.random_halo * math.exp(-r / p.random_halo_r - 0.5 * (z / p.random_halo_z) ** 2)
    return math.sqrt(disk * disk + halo * halo)
