"""Energies and charges of ultra-high-energy cosmic rays: the spectrum that the Pierre Auger Observatory measured.

Source: Pierre Auger Collaboration, Phys. Rev. Lett. 125 (2020) 121106, arXiv:2008.06486: indices 3.29, 2.51, 3.05 and
5.1, changing at 5, 13 and 46 EeV. The paper's transitions are smooth; here the breaks are sharp. No event exceeds
300 EeV. Energies in EeV. The composition is the same at every energy, an assumption.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.schema import BadInput, did_you_mean

BREAKS = (5.0, 13.0, 46.0)
"""Where the index changes [EeV]."""
INDICES = (3.29, 2.51, 3.05, 5.1)
"""Flux proportional to E^-index, between the breaks."""
LOWEST, HIGHEST = 1.0, 300.0
"""Range of the spectrum [EeV]; the measured indices begin at 2.5 EeV, the first is continued down to the lower end."""

CHARGES = {"H": 1, "He": 2, "C": 6, "N": 7, "O": 8, "CNO": 7, "Si": 14, "Fe": 26}
"""Charge numbers; CNO is taken as nitrogen."""
MIXTURES = {"mixed": "H:0.15,He:0.45,CNO:0.40"}

Pieces = NDArray[np.float64]
"""(piece, 4): lower end [EeV], (upper end / lower end)^(1 - index) - 1, 1 / (1 - index), probability up to its end."""


def spectrum_pieces(minimum: float) -> Pieces:
    """The power laws above a minimum energy, ready for ``energy_at``.

    Raises:
        BadInput: minimum outside [1, 300) EeV.
    """
    if not LOWEST <= minimum < HIGHEST:
        hint = ": this looks like eV, give EeV (1 EeV = 1e18 eV)" if minimum >= 1e15 else ""
        raise BadInput(f"minimum energy {minimum:g} EeV: the spectrum is known from 1 to 300 EeV{hint}", status=2)
    edges = (0.0, *BREAKS, HIGHEST)
    rows, weights = [], []
    level = 1.0  # flux at the lower end of the piece
    for start, end, index in zip(edges[:-1], edges[1:], INDICES, strict=True):
        if end <= minimum:
            continue
        low = max(start, minimum)
        ratio = (end / low) ** (1 - index) - 1
        rows.append([low, ratio, 1 / (1 - index), 0.0])
        weights.append(level * low * ratio / (1 - index))
        level *= (end / low) ** -index
    pieces = np.array(rows)
    pieces[:, 3] = np.cumsum(weights) / np.sum(weights)
    return pieces


@njit(cache=True, nogil=True)
def energy_at(pieces: Pieces, u: float) -> float:
    """The energy [EeV] below which a fraction ``u`` in [0, 1) of the spectrum lies."""
    below, i = 0.0, 0
    while i < len(pieces) - 1 and u >= pieces[i, 3]:
        below = pieces[i, 3]
        i += 1
    v = (u - below) / (pieces[i, 3] - below)
    energy: float = pieces[i, 0] * (1.0 + v * pieces[i, 1]) ** pieces[i, 2]
    return energy


@njit(cache=True, nogil=True)
def _energies(rng: np.random.Generator, pieces: Pieces, n: int) -> NDArray[np.float64]:
    energies = np.empty(n)
    for i in range(n):
        energies[i] = energy_at(pieces, rng.random())
    return energies


def draw_energies(rng: np.random.Generator, n: int, minimum: float = 40.0) -> NDArray[np.float64]:
    """``n`` independent energies [EeV] of the spectrum above ``minimum`` [EeV], by inversion.

    Raises:
        BadInput: minimum outside [1, 300) EeV.
    """
    energies: NDArray[np.float64] = _energies(rng, spectrum_pieces(minimum), n)
    return energies


def charges_of(composition: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Charge numbers and their fractions (sum 1) of a composition.

    Args:
        composition: an element ("H", "He", "C", "N", "O", "CNO" as nitrogen, "Si", "Fe"), "mixed" (15 % H, 45 % He,
            40 % CNO), or fractions such as "H:0.15,He:0.45,CNO:0.40".

    Raises:
        BadInput: unknown element, a fraction that is no number in [0, 1], or a sum other than 1.

    Examples:
        >>> charges, fractions = charges_of("mixed")
        >>> charges.tolist(), fractions.tolist()
        ([1, 2, 7], [0.15, 0.45, 0.4])
    """
    text = MIXTURES.get(composition.strip(), composition)
    charges, fractions = [], []
    for part in text.split(","):
        name, colon, value = (word.strip() for word in part.partition(":"))
        if name not in CHARGES:
            raise BadInput(
                f"composition {composition!r}: unknown {name!r}{did_you_mean(name, [*CHARGES, *MIXTURES])}", status=2
            )
        try:
            fraction = float(value) if colon else 1.0
        except ValueError:
            fraction = math.nan
        if not 0 <= fraction <= 1:
            raise BadInput(f"composition {composition!r}: {name} needs a fraction between 0 and 1", status=2)
        charges.append(CHARGES[name])
        fractions.append(fraction)
    if abs(sum(fractions) - 1) > 1e-3:
        raise BadInput(
            f"composition {composition!r}: the fractions add up to {sum(fractions):g}, expected 1 "
            "(such as H:0.15,He:0.45,CNO:0.40)",
            status=2,
        )
    return np.array(charges, np.int64), np.array(fractions) / sum(fractions)


def draw_charges(rng: np.random.Generator, n: int, composition: str) -> NDArray[np.int64]:
    """``n`` independent charge numbers of a composition (see ``charges_of``)."""
    charges, fractions = charges_of(composition)
    return charges[np.minimum(np.searchsorted(np.cumsum(fractions), rng.random(n), side="right"), len(charges) - 1)]


@njit(cache=True, nogil=True)
def charge_at(charges: NDArray[np.int64], fractions: NDArray[np.float64], u: float) -> int:
    """The charge number that a uniform number ``u`` in [0, 1) picks."""
    total = 0.0
    for i in range(len(charges) - 1):
        total += fractions[i]
        if u < total:
            return int(charges[i])
    return int(charges[-1])
