"""Evaporation: a heavy hot nucleus emits n, p, d, t, 3He and 4He one after the other (Weisskopf and Ewing).

The width for emission of a particle j with kinetic energy e (of the relative motion) is (Weisskopf, Phys. Rev. 52
(1937) 295; Weisskopf and Ewing, Phys. Rev. 57 (1940) 472)::

    Gamma_j(e) ~ (2 s_j + 1) mu_j sigma_j(e) e rho(E* - S_j - e),    rho(E) = exp(2 sqrt(a E)),    a = A / 8 per MeV,

with S_j the separation energy, mu_j the reduced mass, and a of the nucleus that remains. The cross sections of the
inverse reaction are those of Dostrovsky, Fraenkel and Friedlander, Phys. Rev. 116 (1959) 683::

    neutrons:           sigma = sigma_g alpha (1 + beta / e),
                        alpha = 0.76 + 2.2 A^(-1/3),    alpha beta = 2.12 A^(-2/3) - 0.05 MeV
    charged particles:  sigma = sigma_g (1 + c_j) (1 - k_j V_j / e) above k_j V_j, else 0
    V_j = z Z e^2 / (1.7 fm A^(1/3) + r),    sigma_g = pi (1.5 fm A^(1/3) + r)^2,    r = 1.2 fm, but 0 for n and p

with A, Z of the nucleus that remains. Their k and c are a table in Z, read linearly between its entries and constant
outside, for p and 4He, with k_d = k_p + 0.06, k_t = k_p + 0.12, k_3He = k_4He - 0.06, c_d = c_p / 2, c_t = c_p / 3,
c_3He = 4 c_4He / 3. Table and rules were checked against Geant4's ``paraMaker``, the radii against nothing. beta is not
let below 0.

Both cross sections times e are linear in e, so widths are closed expressions and kinetic energies are drawn without
tables. No pairing in rho, no fission, no competition of photons: a nucleus evaporates as long as a particle can leave.

Conventions: MeV, MeV/c, fm. Emission is isotropic in the rest frame, with exact two-body kinematics.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.simulators.transport.phase_space import Vector, decayed, put, relative_momentum

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL_DENSITY = 1 / 8
"""a / A [1/MeV], the usual empirical mean (a Fermi gas has about A / 15; Geant4 takes 0.075 A)."""

COUPLING = 1.43996448
"""e^2 [MeV fm]."""

BARRIER_RADIUS, AREA_RADIUS, COMPOSITE_RADIUS = 1.7, 1.5, 1.2
"""fm; the last is added for d, t, 3He and 4He."""

# n, p, d, t, 3He, 4He
PARTICLE_A = np.array([1, 1, 2, 3, 3, 4])
PARTICLE_Z = np.array([0, 1, 1, 1, 2, 2])
SPINS = np.array([2.0, 2.0, 3.0, 2.0, 2.0, 1.0])

CHARGES = np.array([10.0, 20.0, 30.0, 50.0, 70.0])
K_PROTON = np.array([0.42, 0.58, 0.68, 0.77, 0.80])
C_PROTON = np.array([0.50, 0.28, 0.20, 0.15, 0.10])
K_ALPHA = np.array([0.68, 0.82, 0.91, 0.97, 0.98])
C_ALPHA = np.array([0.10, 0.10, 0.10, 0.08, 0.06])
"""Table of Dostrovsky et al. by the charge of the nucleus that remains."""


@njit(cache=True, nogil=True)
def inverse_cross_section(j: int, A: int, Z: int) -> tuple[float, float, float]:
    """The cross section of particle j on a nucleus: ``sigma e = slope (e - barrier + offset)`` above the barrier.

    Args:
        j: index of the particle: n, p, d, t, 3He, 4He.
        A: mass number of the nucleus.
        Z: its charge number.

    Returns:
        slope [fm^2], barrier [MeV], offset [MeV].
    """
    root = A ** (1.0 / 3.0)
    more = COMPOSITE_RADIUS if PARTICLE_A[j] > 1 else 0.0
    area = math.pi * (AREA_RADIUS * root + more) ** 2
    if PARTICLE_Z[j] == 0:
        alpha = 0.76 + 2.2 / root
        return area * alpha, 0.0, max(2.12 / root**2 - 0.05, 0.0) / alpha
    charge = float(Z)
    if PARTICLE_Z[j] == 1:
        heavier = PARTICLE_A[j] - 1
        k = np.interp(charge, CHARGES, K_PROTON) + 0.06 * heavier
        c = np.interp(charge, CHARGES, C_PROTON) / PARTICLE_A[j]
    else:
        lighter = 4 - PARTICLE_A[j]
        k = np.interp(charge, CHARGES, K_ALPHA) - 0.06 * lighter
        c = np.interp(charge, CHARGES, C_ALPHA) * (1.0 + lighter / 3.0)
    return area * (1.0 + c), k * PARTICLE_Z[j] * Z * COUPLING / (BARRIER_RADIUS * root + more), 0.0


@njit(cache=True, nogil=True)
def log_spectrum_integral(room: float, a: float, offset: float) -> float:
    """Logarithm of the integral of ``(x + offset) exp(2 sqrt(a (room - x)))`` over x from 0 to ``room``.

    Args:
        room: E* - S - barrier [MeV], above 0.
        a: level-density parameter [1/MeV].
        offset: [MeV].

    Returns:
        The logarithm [of MeV^2].
    """
    s = math.sqrt(a * room)
    if s < 0.01:  # the exact expression cancels: the first terms of its series
        even, odd = s * s, s / 15.0
        return math.log(room * room / 2.0 * (1.0 + 16.0 * odd + even / 1.5) + offset * room * (1.0 + 20.0 * odd + even))
    small = math.exp(-2.0 * s)
    zeroth = ((2.0 * s - 1.0) + small) / (2.0 * a)
    # (room - y) = x with y = t^2 / a: the integral of y exp(2 sqrt(a y)) is that of 2 t^3 exp(2 t) / a^2
    first = (2.0 * s**3 - 3.0 * s**2 + 3.0 * s - 1.5 + 1.5 * small) / (2.0 * a * a)
    return 2.0 * s + math.log((room + offset) * zeroth - first)


@njit(cache=True, nogil=True)
def sampled_energy(room: float, a: float, offset: float, rng: np.random.Generator) -> float:
    """A kinetic energy above the barrier from ``(x + offset) exp(2 sqrt(a (room - x)))``.

    The exponent is concave in x, so its tangent at 0, an exponential of temperature ``sqrt(room / a)``, lies above it.

    Args:
        room: E* - S - barrier [MeV], above 0.
        a: level-density parameter [1/MeV].
        offset: [MeV].
        rng: random numbers.

    Returns:
        x [MeV].
    """
    s = math.sqrt(a * room)
    if s < 1.0:  # hardly an exponential: draw from the triangle or rectangle that (x + offset) makes
        triangle = 0.5 * room / (0.5 * room + offset)
        while True:
            x = room * (math.sqrt(rng.random()) if rng.random() < triangle else rng.random())
            if math.log(1.0 - rng.random()) < 2.0 * (math.sqrt(a * max(room - x, 0.0)) - s):
                return x
    temperature = math.sqrt(room / a)
    linear = temperature / (temperature + offset)
    while True:
        x = -temperature * math.log(1.0 - rng.random())
        if rng.random() < linear:
            x -= temperature * math.log(1.0 - rng.random())
        if x < room and math.log(1.0 - rng.random()) < 2.0 * (math.sqrt(a * (room - x)) - s) + x / temperature:
            return x


@njit(cache=True, nogil=True)
def log_widths(A: int, Z: int, excitation: float, table: Floats, slope: float, result: Floats) -> None:
    """Logarithms of the widths for all particles, up to one constant.

    Args:
        A: mass number of the hot nucleus.
        Z: its charge number.
        excitation: its excitation energy [MeV].
        table: masses [Z, A] [MeV].
        slope: a / A of the level density [1/MeV].
        result: (6,); -inf where a particle cannot leave.
    """
    for j in range(6):
        result[j] = -np.inf
        a, z = A - PARTICLE_A[j], Z - PARTICLE_Z[j]
        if a < 1 or z < 0 or z > a:
            continue
        light, heavy = table[PARTICLE_Z[j], PARTICLE_A[j]], table[z, a]
        factor, barrier, offset = inverse_cross_section(j, a, z)
        room = excitation + table[Z, A] - light - heavy - barrier
        if room > 0.0:
            reduced = light * heavy / (light + heavy)
            result[j] = math.log(SPINS[j] * reduced * factor) + log_spectrum_integral(room, slope * a, offset)


@njit(cache=True, nogil=True)
def emission(
    A: int, Z: int, excitation: float, table: Floats, slope: float, rng: np.random.Generator
) -> tuple[int, float]:
    """Which particle a hot nucleus emits next, and with which energy.

    Args:
        A: mass number of the hot nucleus.
        Z: its charge number.
        excitation: its excitation energy [MeV].
        table: masses [Z, A] [MeV].
        slope: a / A of the level density [1/MeV].
        rng: random numbers.

    Returns:
        Index of the particle, -1 if none can leave; kinetic energy of the relative motion [MeV].
    """
    width = np.empty(6)
    log_widths(A, Z, excitation, table, slope, width)
    largest = width.max()
    if largest == -np.inf:
        return -1, 0.0
    total = 0.0
    for j in range(6):
        width[j] = math.exp(width[j] - largest)
        total += width[j]
    left, chosen = total * rng.random(), 0
    for j in range(6):
        if width[j] > 0.0:
            chosen = j
            left -= width[j]
            if left < 0.0:
                break
    a, z = A - PARTICLE_A[chosen], Z - PARTICLE_Z[chosen]
    _, barrier, offset = inverse_cross_section(chosen, a, z)
    room = excitation + table[Z, A] - table[PARTICLE_Z[chosen], PARTICLE_A[chosen]] - table[z, a] - barrier
    return chosen, barrier + sampled_energy(room, slope * a, offset, rng)


@njit(cache=True, nogil=True)
def evaporate(
    A: Ints,
    Z: Ints,
    momentum: Floats,
    excitation: Floats,
    table: Floats,
    slope: float,
    smallest: int,
    rows: Floats,
    ends: Ints,
    rng: np.random.Generator,
) -> None:
    """Particles of hot nuclei, until none can leave or the nucleus is light.

    Args:
        A: mass numbers (nucleus,), changed to those of what remains.
        Z: charge numbers (nucleus,), changed likewise.
        momentum: (nucleus, 3) [MeV/c], changed likewise.
        excitation: (nucleus,) [MeV], changed likewise.
        table: masses [Z, A] [MeV].
        slope: a / A of the level density [1/MeV].
        smallest: nuclei with a smaller mass number do not evaporate.
        rows: result: A, Z, momentum, energy of the particles (row, 6); at least A rows a nucleus.
        ends: result: the row behind the last particle of each nucleus (nucleus,).
        rng: random numbers.
    """
    at = 0
    for i in range(len(A)):
        moving: Vector = (momentum[i, 0], momentum[i, 1], momentum[i, 2])
        while A[i] >= smallest:
            j, kinetic = emission(A[i], Z[i], excitation[i], table, slope, rng)
            if j < 0:
                break
            mass, light = table[Z[i], A[i]] + excitation[i], table[PARTICLE_Z[j], PARTICLE_A[j]]
            A[i] -= PARTICLE_A[j]
            Z[i] -= PARTICLE_Z[j]
            excitation[i] = max(mass - light - table[Z[i], A[i]] - kinetic, 0.0)
            size = relative_momentum(light, table[Z[i], A[i]] + excitation[i], kinetic)
            x, y, z = decayed(mass, moving, light, size, rng)
            moving = (moving[0] - x, moving[1] - y, moving[2] - z)
            at = put(rows, at, PARTICLE_A[j], PARTICLE_Z[j], light, (x, y, z))
        momentum[i, 0], momentum[i, 1], momentum[i, 2] = moving
        ends[i] = at
