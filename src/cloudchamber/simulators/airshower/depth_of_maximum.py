"""The depth of the shower maximum, drawn for a primary, an energy and a model of hadronic interactions.

M. De Domenico, M. Settimo, S. Riggi, E. Bertin, "Reinterpreting the development of extensive air showers initiated by
nuclei and photons", JCAP 07 (2013) 050: a generalised Gumbel distribution, ``Xmax = mu - sigma ln G`` with G of a gamma
distribution of shape lambda and mean 1, whose mu, sigma and lambda are polynomials of ln A and lg(E / 10 EeV).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput, did_you_mean

MASS_NUMBER = {"H": 1, "He": 4, "C": 12, "N": 14, "O": 16, "Si": 28, "Fe": 56}
"""Primaries that are known."""

# rows: powers of lg(E / 10 EeV); columns: powers of ln A; in g/cm2, lambda without unit
COEFFICIENTS = {
    "EPOS-LHC": {
        "mu": [[775.589, -7.047, -2.427], [57.589, -0.743, 0.214], [-0.820, -0.169, -0.027]],
        "sigma": [[29.403, 13.553, -3.154], [0.096, -0.961, 0.150]],
        "lambda": [[0.563, 0.711, 0.058], [0.039, 0.067, -0.004]],
    },
    "QGSJetII-04": {
        "mu": [[761.383, -11.719, -1.372], [57.344, -1.731, 0.309], [-0.355, 0.273, -0.137]],
        "sigma": [[35.221, 12.335, -2.889], [0.307, -1.147, 0.271]],
        "lambda": [[0.673, 0.694, -0.007], [0.060, -0.019, 0.017]],
    },
}


def mass_number(primary: str) -> int:
    """The mass number of a primary; BadInput (status 2) with did-you-mean if it is unknown.

    Examples:
        >>> mass_number("Fe")
        56
    """
    if primary not in MASS_NUMBER:
        raise BadInput(f"unknown primary {primary!r}{did_you_mean(primary, MASS_NUMBER)}", status=2)
    return MASS_NUMBER[primary]


def gumbel(model: str, lg_energy: NDArray[np.float64], mass: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """The parameters mu and sigma [g/cm2] and lambda of the distribution.

    Args:
        model: of the hadronic interactions, a key of COEFFICIENTS.
        lg_energy: log10(E / eV), (shower,).
        mass: mass numbers (shower,).

    Raises:
        BadInput: unknown model; status 2.
    """
    if model not in COEFFICIENTS:
        raise BadInput(f"unknown hadronic model {model!r}{did_you_mean(model, COEFFICIENTS)}", status=2)
    l, a = lg_energy - 19.0, np.log(mass)  # noqa: E741
    return {
        name: np.asarray(sum(l**power * np.polynomial.polynomial.polyval(a, row) for power, row in enumerate(rows)))
        for name, rows in COEFFICIENTS[model].items()
    }


def depth_of_maximum(
    model: str, lg_energy: NDArray[np.float64], mass: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Xmax (shower,) in g/cm2; arguments as of ``gumbel``, and the generator."""
    found = gumbel(model, lg_energy, mass)
    shape = found["lambda"]
    return np.asarray(found["mu"] - found["sigma"] * np.log(rng.standard_gamma(shape) / shape))
