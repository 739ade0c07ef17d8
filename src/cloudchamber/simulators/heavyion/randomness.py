"""Counter-based random numbers: any number of any event is a pure function of (seed, event, trial, purpose, counter).

SplitMix64 (Steele, Lea, Flood, OOPSLA 2014, doi:10.1145/2660193.2660195): the n-th output of the stream with state
``key`` is ``mix(key + n * GOLDEN)``. An event is therefore the same in any batch and any order, and two nuclei of
different shape see the same numbers (common random numbers).
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math

import numpy as np
from numba import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)

# Purposes: one stream for each, so that a change in one draw never shifts another.
IMPACT, ORIENTATION_A, ORIENTATION_B, NUCLEONS_A, NUCLEONS_B, PLACEMENT_A, PLACEMENT_B = range(7)
PAIRS, FLUCTUATION_A, FLUCTUATION_B, CONSTITUENTS_A, CONSTITUENTS_B = range(7, 12)


@njit(cache=True, nogil=True, inline="always")
def mix(z: np.uint64) -> np.uint64:
    """SplitMix64's finaliser (variant 13 of Stafford)."""
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@njit(cache=True, nogil=True)
def key_of(parent: np.uint64, number: int) -> np.uint64:
    """The key of child stream ``number`` of ``parent``."""
    return mix(mix(parent + np.uint64(number) * GOLDEN) ^ GOLDEN)


@njit(cache=True, nogil=True, inline="always")
def bits(key: np.uint64, counter: int) -> np.uint64:
    """64 random bits."""
    return mix(key + np.uint64(counter + 1) * GOLDEN)


@njit(cache=True, nogil=True, inline="always")
def as_uniform(word: np.uint64) -> float:
    """A number in [0, 1) from the upper 53 bits (through a signed integer: that conversion vectorises everywhere)."""
    return np.int64(word >> _S11) * 1.1102230246251565e-16


@njit(cache=True, nogil=True, inline="always")
def uniform(key: np.uint64, counter: int) -> float:
    """A number in [0, 1) with 53 random bits."""
    return as_uniform(bits(key, counter))


@njit(cache=True, nogil=True, inline="always")
def open_uniform(key: np.uint64, counter: int) -> float:
    """A number in (0, 1): safe for a logarithm."""
    return (np.int64(bits(key, counter) >> _S11) + 0.5) * 1.1102230246251565e-16


@njit(cache=True, nogil=True)
def normal_pair(key: np.uint64, counter: int) -> tuple[float, float]:
    """Two standard normal numbers (Box and Muller) from counters ``counter`` and ``counter + 1``."""
    radius = math.sqrt(-2.0 * math.log(open_uniform(key, counter)))
    angle = 2.0 * math.pi * uniform(key, counter + 1)
    return radius * math.cos(angle), radius * math.sin(angle)


@njit(cache=True, nogil=True)
def unit_gamma(key: np.uint64, shape: float) -> float:
    """A gamma number of mean 1 (Marsaglia and Tsang, ACM TOMS 26 (2000) 363); ``key`` must be this number's own.

    shape 1 is an exponential; shape below 1 uses Gamma(k) = Gamma(k + 1) u^(1/k).
    """
    if shape == 1.0:
        return -math.log(open_uniform(key, 0))
    k = shape if shape >= 1.0 else shape + 1.0
    d = k - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    counter = 1
    while True:
        x, _ = normal_pair(key, counter)
        v = 1.0 + c * x
        if v > 0.0:
            v = v * v * v
            if math.log(open_uniform(key, counter + 2)) < 0.5 * x * x + d - d * v + d * math.log(v):
                break
        counter += 3
    value = d * v / shape
    if shape < 1.0:
        value *= math.exp(math.log(open_uniform(key, 0)) / shape)
    return value
