"""Unbinned likelihood scans for one source: the searches that know how a source looks at each energy.

The density of a sky with the signal fraction f is ``prod_i [(1 - f) + f s_i] / 4 pi``; ``s_i`` is the density of a
signal cosmic ray in units of the isotropic one. The test statistic is the logarithm of the likelihood ratio
``sum_i ln(1 + f (s_i - 1))``, maximal over the source's position (and orientation) on a grid and over a few f (Braun et
al., Astropart. Phys. 29 (2008) 299, arXiv:0801.1604, eqs. 1 to 4, with the energy in the width instead of a spectrum).
``s_i = kappa / sinh(kappa) exp(kappa cos(angle))`` is the von Mises-Fisher density times 4 pi, exactly normalised;
``kappa_i = (R_i / S)^2``: the blurring is ``S / R_i``. The rigidity ``R_i = E_i / charge`` supposes one charge for all.

* ``VonMisesFisherScan``: angle to the source; S = 4.5 rad EV takes the coherent deflection for blurring too.
* ``TemplateScan``: angle to ``m_i = cos(A/R_i) g + sin(A/R_i) (cos(phi) t1 + sin(phi) t2)``, the source ``g`` moved
  along the direction ``phi``: with the simulation's A and S this is the model itself, as the minimal model has it.

Limits: both suppose uniform exposure (with another one, s_i would be divided by the exposure-weighted mean of its
density); for mixed composition or in a Galactic field both are mis-specified: a stated charge stands for all.

What is left out: pairs with ``kappa (1 - cos) > 14`` count as s_i = 0; that is ``exp(-14)`` of a source's cosmic rays.
The exponential is a sixth-order polynomial to the 128th power (4e-9 of s_i where that is within exp(-10) of its
maximum), because that is multiplications only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.baselines.sky_inputs import Floats, checked_skies, pixel_blocks, pixel_centres
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Arrays, BadInput

FRACTIONS = (0.01, 0.02, 0.04, 0.07)
FAR = 14.0
"""A pair with a larger kappa (1 - cos) counts as s_i = 0."""
BITS = 900.0
"""Products are turned into logarithms before they can grow beyond 2 to this power."""


class Best(NamedTuple):
    """Where the likelihood of a sky is largest.

    Attributes:
        value: test statistic there.
        fraction: signal fraction f.
        source: direction of the source (3,).
        kappa: concentration of each cosmic ray (cosmic_ray,).
        cosine: of the angle between each cosmic ray and where the model expects it (cosmic_ray,).
    """

    value: float
    fraction: float
    source: Floats
    kappa: Floats
    cosine: Floats


class LikelihoodScan(ABC):
    """What the scans share: a hypothesis that is kept on disk, and answers from where its likelihood is largest.

    Args:
        hypothesis: numbers by name.
        fractions: signal fractions f that are tried, between 0 and 1.
        nside: of the HEALPix grid of positions.

    Raises:
        BadInput: a fraction out of range.
    """

    title = ""
    kind = "baseline"
    file = ""

    def __init__(self, hypothesis: Arrays, fractions: tuple[float, ...], nside: int) -> None:
        self.state: Arrays = {**hypothesis, "fractions": checked_fractions(fractions), "nside": np.array(nside)}

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:  # noqa: ARG002
        """Nothing is learned: the hypothesis is written to a file.

        The likelihood ratio needs no ensemble, so skies may have any number of cosmic rays.
        """
        save_arrays(directory / self.file, self.state)

    def restore(self, directory: Path) -> None:
        """Read that file."""
        self.state = load_arrays(directory / self.file)

    def predict(self, inputs: Inputs) -> Prediction:
        """Test statistic, fraction, direction of the source (sky, 5) at the maximum of the likelihood.

        Raises:
            BadInput: no skies.
        """
        best = [self.best(sky.astype(np.float64)) for sky in checked_skies(inputs)]
        return Prediction(np.array([(one.value, one.fraction, *one.source) for one in best]).reshape(-1, 5))

    def event_weights(self, inputs: Inputs) -> Floats:
        """Probability (sky, cosmic_ray) of each cosmic ray to come from the best-fit source.

        It is ``f s_i / (1 + f (s_i - 1))``.

        Raises:
            BadInput: no skies.
        """
        weights = np.empty(checked_skies(inputs).shape[:2])
        for row, sky in enumerate(inputs.astype(np.float64)):
            best = self.best(sky)
            weights[row] = probability(best.fraction, best.kappa, best.cosine)
        return weights

    @abstractmethod
    def best(self, sky: Floats) -> Best:
        """Where the likelihood of a sky (cosmic_ray, 4) is largest."""


class VonMisesFisherScan(LikelihoodScan):
    """Source at every pixel centre, all deflections taken as blurring around it; see the module.

    Args:
        charge: of every cosmic ray, by hypothesis.
        spread: S in rad EV.
        fractions: signal fractions f that are tried, between 0 and 1.
        nside: of the HEALPix grid of positions.

    Raises:
        BadInput: charge, spread or a fraction out of range.
    """

    title = "likelihood scan, von Mises-Fisher"
    file = "von_mises_fisher_scan.npz"

    def __init__(
        self, charge: float = 2.0, spread: float = 4.5, fractions: tuple[float, ...] = FRACTIONS, nside: int = 16
    ) -> None:
        super().__init__({"charge": positive("charge", charge), "spread": positive("spread", spread)}, fractions, nside)

    def best(self, sky: Floats) -> Best:
        """Where the likelihood of a sky (cosmic_ray, 4) is largest."""
        nside, fractions = int(self.state["nside"]), self.state["fractions"]
        kappa = concentration(sky, self.state["charge"], self.state["spread"])
        blocks, radii = pixel_blocks(nside, max(1, nside // 8))
        ratios = _scan_positions(
            np.ascontiguousarray(sky[:, :3]),
            kappa,
            normalisation(kappa),
            far_angle(kappa),
            fractions / (1 - fractions),
            np.ascontiguousarray(pixel_centres(nside).T),
            blocks,
            radii,
        )
        ratios += len(sky) * np.log1p(-fractions)[:, None]
        fraction, pixel = np.unravel_index(int(ratios.argmax()), ratios.shape)
        source = pixel_centres(nside)[pixel]
        return Best(float(ratios[fraction, pixel]), float(fractions[fraction]), source, kappa, sky[:, :3] @ source)


class TemplateScan(LikelihoodScan):
    """Source at every pixel centre, coherent deflection in every orientation, blurring around that; see the module.

    Args:
        charge: of every cosmic ray, by hypothesis.
        coherent: A in rad EV.
        blurring: S in rad EV.
        fractions: signal fractions f that are tried, between 0 and 1.
        nside: of the HEALPix grid of positions.
        orientations: number of directions phi, evenly around.

    Raises:
        BadInput: charge, blurring or a fraction out of range.
    """

    title = "likelihood scan, coherent and blur template"
    file = "template_scan.npz"

    def __init__(
        self,
        charge: float = 2.0,
        coherent: float = 5.1,
        blurring: float = 2.79,
        fractions: tuple[float, ...] = FRACTIONS,
        nside: int = 8,
        orientations: int = 12,
    ) -> None:
        deflection = {"coherent": np.array(float(coherent)), "blurring": positive("blurring", blurring)}
        charges = {"charge": positive("charge", charge)}
        super().__init__({**charges, **deflection, "orientations": np.array(orientations)}, fractions, nside)

    def best(self, sky: Floats) -> Best:
        """Where the likelihood of a sky (cosmic_ray, 4) is largest."""
        fractions, number = self.state["fractions"], int(self.state["orientations"])
        kappa = concentration(sky, self.state["charge"], self.state["blurring"])
        shift = self.state["coherent"] * self.state["charge"] / sky[:, 3]
        reach = far_angle(kappa) + np.abs(shift)
        centres = pixel_centres(int(self.state["nside"]))
        first, second = tangents(centres)
        angles = 2 * np.pi * np.arange(number) / number
        value, pixel, orientation, fraction = _scan_orientations(
            np.ascontiguousarray(sky[:, :3].T),
            np.stack([kappa, normalisation(kappa), np.cos(shift), np.sin(shift)]),
            np.where(reach < np.pi, np.cos(np.minimum(reach, np.pi)), -2.0),
            fractions / (1 - fractions),
            len(sky) * np.log1p(-fractions),
            np.stack([centres, first, second]),
            np.stack([np.cos(angles), np.sin(angles)]),
        )
        source, angle = centres[pixel], angles[orientation]
        along = np.cos(angle) * first[pixel] + np.sin(angle) * second[pixel]
        cosine = np.cos(shift) * (sky[:, :3] @ source) + np.sin(shift) * (sky[:, :3] @ along)
        return Best(value, float(fractions[fraction]), source, kappa, cosine)


def positive(name: str, value: float) -> Floats:
    """The value as an array without axes; BadInput unless it is above zero."""
    if not value > 0:
        raise BadInput(f"{name} = {value}: expected a number above 0")
    return np.array(float(value))


def checked_fractions(fractions: tuple[float, ...]) -> Floats:
    """The fractions as an array; BadInput unless there are some, all between 0 and 1."""
    if not fractions or not all(0 < fraction < 1 for fraction in fractions):
        raise BadInput(f"fractions = {fractions}: expected numbers between 0 and 1")
    return np.array(fractions, dtype=np.float64)


def concentration(sky: Floats, charge: Floats, spread: Floats) -> Floats:
    """Concentration kappa (cosmic_ray,) of the blurring ``spread`` (rad EV) at the rigidity of each cosmic ray.

    Args:
        sky: (cosmic_ray, 4), the energy in EeV last.
        charge: of every cosmic ray.
        spread: S in rad EV.

    Examples:
        >>> sky = np.array([[0, 0, 1.0, 40.0]])  # helium of 40 EeV: 20 EV
        >>> concentration(sky, np.array(2.0), np.array(2.5)).tolist()
        [64.0]
    """
    kappa: Floats = np.square(sky[:, 3] / (charge * spread))
    return kappa


def normalisation(kappa: Floats) -> Floats:
    """s_i at the source's direction, ``kappa / sinh(kappa) exp(kappa)``."""
    return -2 * kappa / np.expm1(-2 * kappa)


def probability(fraction: float, kappa: Floats, cosine: Floats) -> Floats:
    """Probability (cosmic_ray,) to be signal, given the cosine to the direction that the model expects."""
    ratio = normalisation(kappa) * np.exp(kappa * (cosine - 1))
    weights: Floats = fraction * ratio / (1 + fraction * (ratio - 1))
    return weights


def far_angle(kappa: Floats) -> Floats:
    """Angle in rad beyond which s_i counts as zero; pi: nowhere."""
    return np.arccos(np.maximum(1 - FAR / kappa, -1.0))


def tangents(centres: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors (pixel, 3) at right angles to each centre and to each other: west to east, south to north."""
    east = np.stack([-centres[:, 1], centres[:, 0], np.zeros(len(centres))], axis=1)
    east /= np.linalg.norm(east, axis=1, keepdims=True)  # no HEALPix pixel has its centre at a pole
    return east, np.cross(centres, east)


@njit(cache=True, nogil=True, fastmath=True)
def _exponential(exponent: float) -> float:
    """The exponential of a number in [-40, 0], below that exp(-40)."""
    x = max(exponent, -40.0) * (1.0 / 128.0)
    power = 1 + x * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x * (1 / 720))))))
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    return power


@njit(cache=True, nogil=True, fastmath=True)
def _scan_positions(
    directions: Floats,
    kappa: Floats,
    peak: Floats,
    far: Floats,
    odds: Floats,
    centres: Floats,
    blocks: Floats,
    radii: Floats,
) -> Floats:
    """``sum_i ln(1 + odds s_i)`` (fraction, pixel).

    Args:
        directions: (cosmic_ray, 3).
        kappa: (cosmic_ray,) see ``concentration``.
        peak: (cosmic_ray,) see ``normalisation``.
        far: (cosmic_ray,) see ``far_angle``.
        odds: (fraction,) f / (1 - f).
        centres: (3, pixel), the pixels of a block next to each other.
        blocks: (block, 3) centres of blocks of pixels.
        radii: (block,) rad, angle around a block's centre that holds its pixels' centres.
    """
    pixels, size = centres.shape[1], centres.shape[1] // len(blocks)
    gx, gy, gz = centres
    sums = np.zeros((len(odds), pixels))
    products = np.ones((len(odds), pixels))
    ratio = np.empty(size)
    bits = 0.0
    for i in range(len(directions)):
        x, y, z = directions[i]
        step = np.log2(1 + odds.max() * peak[i])
        if bits + step > BITS:
            sums += np.log(products)
            products[:] = 1
            bits = 0.0
        bits += step
        for block in range(len(blocks)):
            reach = far[i] + radii[block]
            cosine = x * blocks[block, 0] + y * blocks[block, 1] + z * blocks[block, 2]
            if reach < np.pi and cosine < np.cos(reach):
                continue
            start = block * size
            for j in range(size):
                cosine = x * gx[start + j] + y * gy[start + j] + z * gz[start + j]
                ratio[j] = peak[i] * _exponential(kappa[i] * (cosine - 1))
            for f in range(len(odds)):
                row = products[f, start : start + size]
                odd = odds[f]
                for j in range(size):
                    row[j] *= 1 + odd * ratio[j]
    return sums + np.log(products)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _log_likelihood(offset: float, odds: float, ratio: Floats, bits: Floats, count: int) -> float:
    """``offset + sum_i ln(1 + odds s_i)`` over the first ``count`` of ``ratio`` (s_i).

    Logarithms are taken of products; ``bits`` are the most that each factor adds to the product's exponent of 2.
    """
    value = offset
    start = 0
    while start < count:
        stop, used = start, 0.0
        while stop < count and used + bits[stop] < BITS:
            used += bits[stop]
            stop += 1
        product = 1.0
        for j in range(start, stop):
            product *= 1 + odds * ratio[j]
        value += np.log(product)
        start = stop
    return value


@njit(cache=True, nogil=True, fastmath=True)
def _scan_orientations(
    directions: Floats,
    template: Floats,
    near: Floats,
    odds: Floats,
    offsets: Floats,
    frames: Floats,
    orientations: Floats,
) -> tuple[float, int, int, int]:
    """Largest ``offset + sum_i ln(1 + odds s_i)``, and its pixel, orientation and fraction.

    Args:
        directions: (3, cosmic_ray).
        template: (4, cosmic_ray) kappa, peak, and cosine and sine of the coherent deflection.
        near: (cosmic_ray,) with a smaller cosine to the source, s_i counts as zero.
        odds: (fraction,) f / (1 - f).
        offsets: (fraction,) N ln(1 - f).
        frames: (3, pixel, 3) source, and two tangents.
        orientations: (2, orientation) cosine and sine of phi.
    """
    x, y, z = directions
    kappa, peak, cosine, sine = template
    number = len(x)
    along = np.empty(number)
    centre, first, second = np.empty(number), np.empty(number), np.empty(number)
    height, bits = np.empty(number), np.empty(number)
    ratio = np.empty(number)
    best, best_pixel, best_orientation, best_fraction = -np.inf, 0, 0, 0
    step = np.log2(1 + odds.max() * peak)
    for pixel in range(frames.shape[1]):
        g, t1, t2 = frames[0, pixel], frames[1, pixel], frames[2, pixel]
        for i in range(number):
            along[i] = x[i] * g[0] + y[i] * g[1] + z[i] * g[2]
        count = 0
        for i in range(number):
            if along[i] > near[i]:
                # kappa (m . n - 1) as centre + cos(phi) first + sin(phi) second
                centre[count] = kappa[i] * (cosine[i] * along[i] - 1)
                first[count] = kappa[i] * sine[i] * (x[i] * t1[0] + y[i] * t1[1] + z[i] * t1[2])
                second[count] = kappa[i] * sine[i] * (x[i] * t2[0] + y[i] * t2[1] + z[i] * t2[2])
                height[count] = peak[i]
                bits[count] = step[i]
                count += 1
        for orientation in range(orientations.shape[1]):
            a, b = orientations[0, orientation], orientations[1, orientation]
            for j in range(count):
                ratio[j] = height[j] * _exponential(centre[j] + a * first[j] + b * second[j])
            for f in range(len(odds)):
                value = _log_likelihood(offsets[f], odds[f], ratio, bits, count)
                if value > best:
                    best, best_pixel, best_orientation, best_fraction = value, pixel, orientation, f
    return best, best_pixel, best_orientation, best_fraction
