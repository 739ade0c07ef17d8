"""Counts with given means and variances that vary together: negative binomials joined by a Gaussian copula.

The multiplicity of a kind of particle is negative binomial of mean m and variance m + m^2 / k (Giovannini and Van Hove,
Z. Phys. C 30 (1986) 391). 1/k = 0 is Poisson's distribution; 1/k < 0 is a binomial of -k trials, or a mixture of two
with the whole numbers beside -k: the narrow multiplicities that little energy leaves. Gaussian variables of unit
variance, correlated, are turned into counts through the distribution functions (Cario and Nelson, Modeling and
generating random vectors with arbitrary marginal distributions and correlation matrix (1997)).
"""

from __future__ import annotations

from math import ceil, erfc, exp, log1p, sqrt

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LARGEST = 2000
"""Counts are below this."""


Start = tuple[float, float, float]


@numba.njit(cache=True, nogil=True)
def _binomial(mean: float, trials: int) -> Start:
    chance = min(mean / trials, 1 - 1e-9)
    odds = chance / (1 - chance)
    return exp(trials * log1p(-chance)), trials * odds, -odds


@numba.njit(cache=True, nogil=True)
def _starts(mean: float, inverse_k: float) -> tuple[float, Start, Start]:
    """Share of the first of two distributions, and of each the probability of 0, a and b.

    These are the constants of Panjer's recursion p(n + 1) / p(n) = (a + b n) / (n + 1).
    """
    if inverse_k > 1e-9:
        share = mean * inverse_k / (1 + mean * inverse_k)
        one = exp(-log1p(mean * inverse_k) / inverse_k), share / inverse_k, share
        return 1.0, one, one
    if inverse_k > -1e-3:
        one = exp(-mean), mean, 0.0
        return 1.0, one, one
    few = max(int(-1 / inverse_k), ceil(mean), 1)
    # such that share / few + (1 - share) / (few + 1) is -1 / k
    share = min(max((-inverse_k - 1 / (few + 1)) * few * (few + 1), 0.0), 1.0)
    return share, _binomial(mean, few), _binomial(mean, few + 1)


@numba.njit(cache=True, nogil=True)
def counts(normal: Floats, mean: Floats, inverse_k: Floats) -> Integers:
    """Counts (event, kind) at the quantiles of standard normal variables (event, kind).

    Args:
        normal: variables.
        mean: (event, kind).
        inverse_k: 1/k (event, kind).

    Examples:
        >>> counts(np.array([[0.0, 1.0]]), np.array([[3.0, 3.0]]), np.array([[0.0, 0.5]])).tolist()
        [[3, 5]]
    """
    found = np.zeros(normal.shape, np.int64)
    for event in range(normal.shape[0]):
        for kind in range(normal.shape[1]):
            level = 0.5 * erfc(-normal[event, kind] / sqrt(2.0))
            share, (one, a, b), (two, c, d) = _starts(mean[event, kind], inverse_k[event, kind])
            total, n = share * one + (1 - share) * two, 0
            while total < level and n < LARGEST:
                one *= max(a + b * n, 0.0) / (n + 1)
                two *= max(c + d * n, 0.0) / (n + 1)
                n += 1
                total += share * one + (1 - share) * two
                if max(one, two) < 1e-15 and n > mean[event, kind]:
                    break
            found[event, kind] = n
    return found


@numba.njit(cache=True, nogil=True)
def _levels(found: Integers, mean: Floats, inverse_k: Floats, uniform: Floats) -> Floats:
    levels = np.empty(found.shape)
    for event in range(found.shape[0]):
        for kind in range(found.shape[1]):
            share, (one, a, b), (two, c, d) = _starts(mean[event, kind], inverse_k[event, kind])
            below = 0.0
            for n in range(found[event, kind]):
                below += share * one + (1 - share) * two
                one *= max(a + b * n, 0.0) / (n + 1)
                two *= max(c + d * n, 0.0) / (n + 1)
            levels[event, kind] = below + uniform[event, kind] * (share * one + (1 - share) * two)
    return levels


def scores(found: Integers, mean: Floats, inverse_k: Floats, rng: np.random.Generator) -> Floats:
    """Standard normal variables (event, kind) that ``counts`` would turn into these counts; drawn where several do."""
    levels = _levels(found, mean, inverse_k, rng.random(found.shape))
    return np.asarray(ndtri(np.clip(levels, 1e-6, 1 - 1e-6)))


def correlation_root(correlation: Floats) -> Floats:
    """A matrix whose square is a correlation matrix near to a symmetric one (kind, kind), with clipped eigenvalues."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 1e-6))
    return np.asarray(root / np.linalg.norm(root, axis=1, keepdims=True))
