"""Masses of nuclei from the evaluation AME2020, an estimate where it has none, and the names of nuclei.

The atomic masses of AME2020 (Wang et al., Chinese Physics C 45 (2021) 030003; as shipped by ``periodictable``) are
turned into nuclear ones as there: ``M(Z, A) = M_atom - Z m_e + B_el(Z)``, with the binding energy of the electrons
``B_el = 14.4381 Z^2.39 + 1.55468e-6 Z^5.35`` eV (Lunney, Pearson, Thibault, Rev. Mod. Phys. 75 (2003) 1021, eq. A4).

A transport code makes nuclei that nobody measured. ``mass_or_estimate`` takes for them

* up to A = 16: the lightest set of measured nuclei into which they can fall apart, so they are unbound, by nothing;
* beyond: the semi-empirical formula of Bethe and Weizsäcker (parameters of Rohlf, Modern Physics (Wiley, 1994); no
  pairing), shifted to agree with the nearest measured isotope of the same element, and never below zero binding.

Conventions: MeV, c = 1; masses are of bare nuclei in their ground states; tables are indexed [Z, A].
"""

from __future__ import annotations

import functools
import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cloudchamber.schema import BadInput, did_you_mean

Floats = NDArray[np.float64]

ATOMIC_MASS_UNIT = 931.49410242
"""MeV, as in AME2020."""

ELECTRON_MASS = 0.51099895
"""MeV."""

LARGEST_Z, LARGEST_A = 190, 480
"""Ends of the table: two uranium nuclei together have (184, 476)."""

LIGHT = 16
"""Up to this mass number an unmeasured nucleus is a set of measured ones."""

VOLUME, SURFACE, COULOMB, ASYMMETRY = 15.75, 17.8, 0.711, 23.7
"""MeV, of the semi-empirical formula."""


def electron_binding(Z: ArrayLike) -> Floats:
    """Binding energy of all electrons of a neutral atom [MeV].

    Args:
        Z: charge number, any shape.

    Returns:
        The energy, of the same shape.
    """
    charge = np.asarray(Z, np.float64)
    energy: Floats = 1e-6 * (14.4381 * charge**2.39 + 1.55468e-6 * charge**5.35)
    return energy


@functools.cache
def mass_table() -> Floats:
    """Nuclear masses (Z, A) [MeV] of AME2020, ``nan`` for nuclei that it does not list. Read-only; built once."""
    import periodictable

    table = np.full((LARGEST_Z + 1, LARGEST_A + 1), np.nan)
    table[0, 1] = periodictable.n.mass * ATOMIC_MASS_UNIT
    for element in periodictable.elements:
        Z = element.number
        if Z > 0:
            for A in element.isotopes:
                table[Z, A] = element[A].mass * ATOMIC_MASS_UNIT - Z * ELECTRON_MASS + float(electron_binding(Z))
    table.setflags(write=False)
    return table


@functools.cache
def estimated_table() -> Floats:
    """Nuclear masses (Z, A) [MeV], measured or estimated, ``nan`` only for Z > A and A = 0. Read-only; built once."""
    known = mass_table()
    table = known.copy()
    proton, neutron = known[1, 1], known[0, 1]
    for A in range(2, LIGHT + 1):  # lighter ones first: each partition in two holds the best partitions of its parts
        for Z in range(A + 1):
            if np.isnan(table[Z, A]):
                table[Z, A] = min(
                    table[z, a] + table[Z - z, A - a]
                    for a in range(1, A // 2 + 1)
                    for z in range(max(0, Z - A + a), min(a, Z) + 1)
                )
    Z, A = np.meshgrid(np.arange(LARGEST_Z + 1.0), np.arange(LARGEST_A + 1.0), indexing="ij")
    free = Z * proton + (A - Z) * neutron
    size = np.maximum(A, 1.0)
    drop = VOLUME * A - SURFACE * size ** (2 / 3) - COULOMB * Z * (Z - 1) / size ** (1 / 3)
    drop -= ASYMMETRY * (A - 2 * Z) ** 2 / size
    for z in range(1, LARGEST_Z + 1):
        measured = np.flatnonzero(np.isfinite(known[z]))
        if len(measured):
            nearest = measured[np.abs(np.arange(LARGEST_A + 1)[:, None] - measured).argmin(axis=1)]
            drop[z] += (free[z] - known[z] - drop[z])[nearest]
    drop[0] = 0.0  # neutrons alone are not bound
    missing = np.isnan(table) & (LIGHT < A) & (Z <= A)
    table[missing] = (free - np.maximum(drop, 0.0))[missing]
    table.setflags(write=False)
    return table


def exists(Z: ArrayLike, A: ArrayLike) -> NDArray[np.bool_]:
    """Whether AME2020 lists a nucleus (unbound ones such as 5He and 8Be are listed, too).

    Args:
        Z: charge numbers, any shape.
        A: mass numbers, of the same shape.

    Returns:
        True where the nucleus is listed.
    """
    charge, mass = np.asarray(Z), np.asarray(A)
    inside = (charge >= 0) & (charge <= LARGEST_Z) & (mass >= 0) & (mass <= LARGEST_A)
    listed: NDArray[np.bool_] = inside & np.isfinite(
        mass_table()[np.where(inside, charge, 0), np.where(inside, mass, 0)]
    )
    return listed


def nuclear_mass(Z: ArrayLike, A: ArrayLike) -> Floats:
    """Masses of bare nuclei in their ground states [MeV], ``nan`` where AME2020 has none.

    Args:
        Z: charge numbers, any shape.
        A: mass numbers, of the same shape.

    Returns:
        The masses, of the same shape.

    Examples:
        >>> print(round(float(nuclear_mass(2, 4)), 3), float(nuclear_mass(0, 4)))
        3727.379 nan
    """
    masses: Floats = np.where(exists(Z, A), mass_table()[np.asarray(Z) % (LARGEST_Z + 1), _column(A)], np.nan)
    return masses


def mass_or_estimate(Z: ArrayLike, A: ArrayLike) -> Floats:
    """Masses of bare nuclei [MeV]: of AME2020, or estimated as the module says.

    Args:
        Z: charge numbers, any shape.
        A: mass numbers, of the same shape.

    Returns:
        The masses, of the same shape.

    Raises:
        BadInput: a nucleus with Z > A, without nucleons, or larger than the table.
    """
    charge, mass = np.asarray(Z), np.asarray(A)
    bad = (charge < 0) | (mass < np.maximum(charge, 1)) | (charge > LARGEST_Z) | (mass > LARGEST_A)
    if np.any(bad):
        z, a = (int(np.broadcast_to(x, bad.shape)[bad].flat[0]) for x in (charge, mass))
        raise BadInput(f"no nucleus has Z = {z}, A = {a}; give 0 <= Z <= A, 1 <= A <= {LARGEST_A}, Z <= {LARGEST_Z}")
    masses: Floats = estimated_table()[charge, mass]
    return masses


def binding_energy(Z: ArrayLike, A: ArrayLike) -> Floats:
    """Binding energies ``Z m_p + (A - Z) m_n - M`` [MeV], ``nan`` where AME2020 has no mass.

    Args:
        Z: charge numbers, any shape.
        A: mass numbers, of the same shape.

    Returns:
        The energies, of the same shape.

    Examples:
        >>> print(round(float(binding_energy(2, 4)), 2))
        28.3
    """
    table = mass_table()
    charge, mass = np.asarray(Z), np.asarray(A)
    energies: Floats = charge * table[1, 1] + (mass - charge) * table[0, 1] - nuclear_mass(charge, mass)
    return energies


def nucleus_of(text: str) -> tuple[int, int]:
    """The nucleus that a name such as "C12", "12C", "Pb208" or "He-4" means.

    Args:
        text: symbol of the element and mass number, in either order, upper or lower case.

    Returns:
        (A, Z).

    Raises:
        BadInput: not such a name, no such element, A < Z, or a nucleus that AME2020 does not list.

    Examples:
        >>> nucleus_of("C12"), nucleus_of("208Pb")
        ((12, 6), (208, 82))
    """
    import periodictable

    found = re.fullmatch(r"\s*(?:([A-Za-z]{1,2})-?(\d{1,3})|(\d{1,3})-?([A-Za-z]{1,2}))\s*", text)
    if found is None:
        raise BadInput(f"{text!r} is no nucleus; give the element's symbol and the mass number, such as C12 or 208Pb")
    symbol, A = (found[1] or found[4]).capitalize(), int(found[2] or found[3])
    charges = {element.symbol: element.number for element in periodictable.elements if element.number > 0}
    if symbol not in charges:
        raise BadInput(f"no element has the symbol {symbol!r} of {text!r}{did_you_mean(symbol, charges)}")
    Z = charges[symbol]
    if A < Z:
        raise BadInput(f"{text!r} has A = {A} below Z = {Z} of {symbol}; give the mass number, such as {symbol}{2 * Z}")
    if not exists(Z, A):
        isotopes = [f"{symbol}{a}" for a in np.flatnonzero(np.isfinite(mass_table()[Z]))]
        raise BadInput(f"AME2020 lists no nucleus {symbol}{A}{did_you_mean(f'{symbol}{A}', isotopes)}")
    return A, Z


def _column(A: ArrayLike) -> NDArray[np.int64]:
    column: NDArray[np.int64] = np.clip(np.asarray(A), 0, LARGEST_A)
    return column
