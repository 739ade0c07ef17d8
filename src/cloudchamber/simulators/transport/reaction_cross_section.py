"""Reaction cross sections of two nuclei from the parametrisations of Kox and of Tripathi, from 4He to the heaviest.

Papers: S. Kox et al., Phys. Rev. C 35 (1987) 1678, with the transparency C(E) that was fitted to its figure for the
Geant4 toolkit; R. K. Tripathi, F. A. Cucinotta, J. W. Wilson, Nucl. Instr. Meth. B 117 (1996) 347 (NASA TP 3621). Both
have the form::

    sigma = pi r0^2 (A_P^(1/3) + A_T^(1/3) + overlap - transparency(E) + neutron excess)^2 (1 - barrier / E_cm)

They agree with each other and with what was measured of 12C + 12C within 6 %; far from there trust neither: Tripathi's
density term puts 6Li + 12C at 790 MeV/u 23 % above the 688 mb of I. Tanihata et al., Phys. Rev. Lett. 55 (1985) 2676.

Conventions: nuclei are (A, Z), energies MeV per nucleon of the projectile in the laboratory, E_cm the total kinetic
energy in the centre of mass [MeV] with masses A u, cross sections mb, lengths fm. The papers' target is the heavier
nucleus, so that the order of the two means nothing. Tripathi's radii are 1.29 = sqrt(5/3) times the rms radii of
Wilson's table. Geant4 has others, 0.742 A^(1/3) fm times 1.29, which lowers 12C + 12C at 62 MeV/u from 1073 to 1065 mb.
"""

from __future__ import annotations

import math

from cloudchamber.schema import BadInput

Nucleus = tuple[int, int]
"""Mass number A and charge number Z."""

ATOMIC_MASS_UNIT = 931.494
"""MeV."""

COULOMB = 1.44
"""e^2 [MeV fm]."""

R0 = 1.1
"""fm, of both papers."""

RMS_RADII = (
    0.85, 2.095, 1.976, 1.671, 1.986, 2.57, 2.41, 2.23, 2.519, 2.45, 2.42, 2.471, 2.440, 2.58, 2.611, 2.730, 2.662,
    2.727, 2.9, 3.040, 2.867, 2.969, 2.94, 3.075, 3.11, 3.06,
)  # fmt: skip
"""fm, of A = 1 to 26 (J. W. Wilson et al., NASA RP-1257)."""

ALPHA = (4, 2)

LEAST_ENERGY, LARGEST_ENERGY = 10.0, 3000.0
"""MeV per nucleon: where both parametrisations are used."""

MEASURED_CARBON = ((30.0, 1316.0, 40.0), (83.0, 965.0, 30.0), (200.0, 864.0, 45.0))
"""12C + 12C: MeV per nucleon, mb and its error, as measured by Kox et al. (1987) and listed in the manual of Geant4."""


def kox(projectile: Nucleus, target: Nucleus, energy: float) -> float:
    """Reaction cross section of Kox et al. [mb], 0 below the barrier.

    ``R = r0 (A_P^(1/3) + A_T^(1/3) + 1.85 s - C(E)) + D``, ``s = (A_P A_T)^(1/3) / (A_P^(1/3) + A_T^(1/3))``,
    ``D = 5 (A_T - 2 Z_T) Z_P / (A_P A_T)`` fm, barrier ``1.44 Z_P Z_T / (1.3 (A_P^(1/3) + A_T^(1/3)))`` MeV.

    Args:
        projectile: (A, Z).
        target: (A, Z).
        energy: MeV per nucleon.

    Raises:
        BadInput: nuclei that cannot be or are lighter than 4He, or an energy outside LEAST_ENERGY to LARGEST_ENERGY.

    Examples:
        >>> round(kox((12, 6), (12, 6), 62))
        1018
    """
    light, heavy = ordered(projectile, target, energy)
    (a_p, z_p), (a_t, z_t) = light, heavy
    size, overlap = sizes(a_p, a_t)
    barrier = COULOMB * z_p * z_t / (1.3 * size)
    excess = 5 * (a_t - 2 * z_t) * z_p / (a_p * a_t)
    radius = R0 * (size + 1.85 * overlap - kox_transparency(energy)) + excess
    return 10 * math.pi * radius**2 * max(1 - barrier / energy_in_cm(a_p, a_t, energy), 0.0)


def kox_transparency(energy: float) -> float:
    """C(E) of Kox: ``2 - 10 / x^5`` with ``x = log10(energy)`` above x = 1.5 (32 MeV/u: a kink), below as x^3.

    Args:
        energy: MeV per nucleon.
    """
    x = math.log10(energy)
    return 2 - 10 / x**5 if x > 1.5 else (2 - 10 / 1.5**5) * (x / 1.5) ** 3


def tripathi(projectile: Nucleus, target: Nucleus, energy: float) -> float:
    """Reaction cross section of Tripathi et al. [mb], 0 below the barrier.

    ``sigma = pi r0^2 (A_P^(1/3) + A_T^(1/3) + delta)^2 (1 - B / E_cm)`` with
    ``delta = 1.85 s + 0.16 s / E_cm^(1/3) - C_E + 0.91 (A_T - 2 Z_T) Z_P / (A_T A_P)``,
    ``C_E = D (1 - exp(-E / 40)) - 0.292 exp(-E / 792) cos(0.229 E^0.453)`` and
    ``B = 1.44 Z_P Z_T / (r_P + r_T + 1.2 (A_P^(1/3) + A_T^(1/3)) / E_cm^(1/3))``.

    Args:
        projectile: (A, Z).
        target: (A, Z).
        energy: MeV per nucleon.

    Raises:
        BadInput: nuclei that cannot be or are lighter than 4He, or an energy outside LEAST_ENERGY to LARGEST_ENERGY.

    Examples:
        >>> round(tripathi((12, 6), (12, 6), 62))
        1073
    """
    light, heavy = ordered(projectile, target, energy)
    (a_p, z_p), (a_t, z_t) = light, heavy
    in_cm = energy_in_cm(a_p, a_t, energy)
    size, overlap = sizes(a_p, a_t)
    radius: float = 1.29 * (rms_radius(a_p) + rms_radius(a_t)) + 1.2 * size / in_cm ** (1 / 3)
    barrier = COULOMB * z_p * z_t / radius
    transparency: float = pauli_strength(light, heavy, energy) * (1 - math.exp(-energy / 40))
    transparency -= 0.292 * math.exp(-energy / 792) * math.cos(0.229 * energy**0.453)
    excess = 0.91 * (a_t - 2 * z_t) * z_p / (a_t * a_p)
    delta: float = overlap * (1.85 + 0.16 / in_cm ** (1 / 3)) - transparency + excess
    return 10 * math.pi * R0**2 * (size + delta) ** 2 * max(1 - barrier / in_cm, 0.0)


def pauli_strength(light: Nucleus, heavy: Nucleus, energy: float) -> float:
    """D of the transparency of Tripathi et al., which simulates Pauli blocking.

    1.75 times the mean density of the two nuclei over that of 12C, of spheres with the radii of ``rms_radius``; with
    4He ``2.77 - 0.008 A_T + 1.8e-5 A_T^2 - 0.8 / (1 + exp((250 - E) / 75))``.

    Args:
        light: (A, Z) of the lighter nucleus.
        heavy: (A, Z) of the other.
        energy: MeV per nucleon.
    """
    a = heavy[0]
    if light == ALPHA:
        return 2.77 - 8e-3 * a + 1.8e-5 * a * a - 0.8 / (1 + math.exp((250 - energy) / 75))
    densities = [mass / rms_radius(mass) ** 3 for mass in (light[0], a, 12)]
    return 1.75 * (densities[0] + densities[1]) / (2 * densities[2])


def rms_radius(mass_number: int) -> float:
    """Root mean square radius [fm] of Wilson's table, beyond it ``0.84 A^(1/3) + 0.55``.

    Args:
        mass_number: A.
    """
    if mass_number <= len(RMS_RADII):
        return RMS_RADII[mass_number - 1]
    return 0.84 * math.cbrt(mass_number) + 0.55


def sizes(a_p: int, a_t: int) -> tuple[float, float]:
    """``A_P^(1/3) + A_T^(1/3)``, and the overlap term s of both papers: the product of the two roots over their sum.

    Args:
        a_p: mass number of one nucleus.
        a_t: mass number of the other.
    """
    one, two = math.cbrt(a_p), math.cbrt(a_t)
    return one + two, one * two / (one + two)


def energy_in_cm(a_p: int, a_t: int, energy: float) -> float:
    """Kinetic energy in the centre of mass [MeV], relativistic.

    Args:
        a_p: mass number of one nucleus.
        a_t: mass number of the other.
        energy: MeV per nucleon of either in the rest frame of the other.
    """
    one, two = ATOMIC_MASS_UNIT * a_p, ATOMIC_MASS_UNIT * a_t
    total = one + two
    # sqrt(s) - M with s = M^2 + 2 T m, without the cancellation
    gain = 2 * a_p * energy * two
    return gain / (math.sqrt(total * total + gain) + total)


def ordered(projectile: Nucleus, target: Nucleus, energy: float) -> tuple[Nucleus, Nucleus]:
    """The lighter and the heavier nucleus, checked.

    Args:
        projectile: (A, Z).
        target: (A, Z).
        energy: MeV per nucleon.

    Raises:
        BadInput: nuclei that cannot be or are lighter than 4He, or an energy outside LEAST_ENERGY to LARGEST_ENERGY.
    """
    for a, z in (projectile, target):
        if not 1 <= z <= a or a < 4:
            raise BadInput(f"a nucleus of A = {a}, Z = {z}: expected A of 4 or more and Z from 1 to A", status=2)
    if not LEAST_ENERGY <= energy <= LARGEST_ENERGY:
        raise BadInput(
            f"{energy:g} MeV per nucleon: reaction cross sections are parametrised from {LEAST_ENERGY:g} to"
            f" {LARGEST_ENERGY:g}",
            status=2,
        )
    light, heavy = sorted((projectile, target))
    return light, heavy
