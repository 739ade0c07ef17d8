"""Multiplet search: cosmic rays of one source, lined up by a coherent magnetic deflection that falls with energy.

After Pierre Auger Collaboration, Astropart. Phys. 35 (2012) 354, arXiv:1111.2472.

To first order in 1/E a cosmic ray arrives at ``theta = theta_s + D / E``. In the plane that touches the sphere at the
multiplet's most energetic member, the axis u is the one along which positions covary with 1/E (across it, along w, they
do not). A multiplet is a set of cosmic rays with

* a most energetic member, the seed, above ``seed_energy``, and all others within ``extent`` of it,
* correlation of u and 1/E of at least ``correlation``,
* width ``max |w - mean(w)|`` of at most ``width``.

The test statistic is the size of the largest multiplet plus its correlation, scaled to [0, 1), between multiplets of
the same size. 0: none with three members.

How the sets are found (ours; the publication grows them from pairs): around every seed, strips in ``strips`` directions
hold the candidates, each as wide as a multiplet between two neighbouring directions needs; as long as the two
conditions are not met, the member that is worst described by ``theta_s + D / E`` (least squares in the plane; never the
seed) leaves.

Scales: the publication has E > 20 EeV, a seed above 45 EeV, 20 degrees, correlation 0.9, width 1.5 degrees (protons).
Helium above 40 EeV has the same rigidities, so the seed is at 90 EeV and the extent stays. The blurring of the minimal
model (8 degrees at 20 EV) is far wider than 1.5 degrees and washes out the correlation; here the width is 6 degrees and
the correlation 0.7, a choice among six pairs by their sensitivity to simulated sources. The numbers of the publication,
the method and its energies are recalled, not re-read: check them there before quoting.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.baselines.sky_inputs import Floats, checked_skies
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Arrays, BadInput

Numbers = NDArray[np.int64]

SMALLEST = 3
"""Members of the smallest set that counts: two always lie on a line."""


class MultipletSearch:
    """Largest multiplet with deflections proportional to 1/E; see the module.

    Args:
        seed_energy: EeV, least energy of the most energetic member.
        extent: degrees, largest distance from it.
        correlation: least correlation of u and 1/E, 0 to 1.
        width: degrees, largest distance from the multiplet's mean across its axis.
        strips: directions around a seed in which candidates are collected.

    Raises:
        BadInput: a condition that no set or every set fulfils.
    """

    title = "multiplets"
    kind = "baseline"

    def __init__(
        self,
        seed_energy: float = 90.0,
        extent: float = 20.0,
        correlation: float = 0.7,
        width: float = 6.0,
        strips: int = 36,
    ) -> None:
        if not (0 < extent < 90 and 0 < correlation < 1 and width > 0 and strips > 3):
            raise BadInput(
                f"extent = {extent}, correlation = {correlation}, width = {width}, strips = {strips}: expected an "
                "extent of 0 to 90 degrees, a correlation between 0 and 1, a width above 0, 4 or more strips"
            )
        self.state: Arrays = {
            "seed_energy": np.array(float(seed_energy)),
            "extent": np.array(float(extent)),
            "correlation": np.array(float(correlation)),
            "width": np.array(float(width)),
            "strips": np.array(strips),
        }

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:  # noqa: ARG002
        """Nothing is learned: the conditions are written to ``multiplets.npz``.

        Skies may have any number of cosmic rays.
        """
        save_arrays(directory / "multiplets.npz", self.state)

    def restore(self, directory: Path) -> None:
        """Read ``multiplets.npz``."""
        self.state = load_arrays(directory / "multiplets.npz")

    def predict(self, inputs: Inputs) -> Prediction:
        """Test statistic, fraction (size of the multiplet over number), direction ``theta_s`` (sky, 5).

        Fraction 0 and direction nan where there is no multiplet.

        Raises:
            BadInput: no skies.
        """
        mean = np.empty((len(checked_skies(inputs)), 5))
        for row, sky in enumerate(inputs):
            members, correlation, source = self.largest(sky)
            size = len(members)
            least = float(self.state["correlation"])
            # scaled such that a perfect line stays below the next size
            tie = min((correlation - least) / (1 - least), 1 - 1e-9) if size else 0.0
            mean[row] = size + tie, size / len(sky), *source
        return Prediction(mean)

    def largest(self, sky: Inputs) -> tuple[Numbers, float, Floats]:
        """Members of the largest multiplet of a sky (cosmic_ray, 4): their numbers, correlation, direction of source.

        Without one: no members, nan, nan.
        """
        ordered = np.argsort(-sky[:, 3], kind="stable")
        members, correlation, source = _largest(
            np.ascontiguousarray(sky[ordered].astype(np.float64)),
            float(self.state["seed_energy"]),
            float(np.deg2rad(self.state["extent"])),
            float(self.state["correlation"]),
            float(np.deg2rad(self.state["width"])),
            int(self.state["strips"]),
        )
        return ordered[members], correlation, source


@njit(cache=True, nogil=True)
def _largest(
    sky: Floats, seed_energy: float, extent: float, least: float, width: float, strips: int
) -> tuple[Numbers, float, Floats]:
    """``MultipletSearch.largest`` for a sky in descending order of energy; angles in rad."""
    plane = np.empty((3, len(sky)))
    index, members = np.empty(len(sky), np.int64), np.empty(len(sky), np.int64)
    best, best_correlation, source = np.empty(0, np.int64), np.nan, np.full(3, np.nan)
    between = np.tan(np.pi / strips)
    for seed in range(len(sky)):
        if sky[seed, 3] < seed_energy:
            break
        g = sky[seed, :3]
        first, second = _frame(g)
        count = _candidates(sky, seed, np.cos(extent), first, second, plane, index)
        for strip in range(strips):
            angle = 2 * np.pi * strip / strips
            along = np.cos(angle) * plane[0, :count] + np.sin(angle) * plane[1, :count]
            across = np.cos(angle) * plane[1, :count] - np.sin(angle) * plane[0, :count]
            size = 0
            for j in range(count):
                if j == 0 or (along[j] > 0 and abs(across[j]) <= width + along[j] * between):
                    members[size] = j
                    size += 1
            while size >= SMALLEST and size >= len(best):
                correlation, widest, worst, p, q = _line(plane, members[:size])
                if correlation >= least and widest <= width:
                    if size > len(best) or correlation > best_correlation:
                        best, best_correlation = index[members[:size]], correlation
                        r = np.sqrt(p * p + q * q)
                        source = np.cos(r) * g + (np.sin(r) / r if r > 0 else 1.0) * (p * first + q * second)
                    break
                members[worst : size - 1] = members[worst + 1 : size].copy()
                size -= 1
    return best, best_correlation, source


@njit(cache=True, nogil=True)
def _frame(g: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors at right angles to ``g`` and to each other."""
    axis = np.zeros(3)
    axis[np.abs(g).argmin()] = 1.0
    first = np.cross(axis, g)
    first /= np.sqrt(np.square(first).sum())
    return first, np.cross(g, first)


@njit(cache=True, nogil=True)
def _candidates(
    sky: Floats, seed: int, nearest: float, first: Floats, second: Floats, plane: Floats, index: Numbers
) -> int:
    """Fill ``plane`` (position, position, 1/E; candidate) and ``index`` with the seed and its candidates.

    These are below the seed in energy and near it; returns how many. Positions are in rad, azimuthal equidistant:
    distances from the seed are true.
    """
    g = sky[seed, :3]
    count = 0
    for i in range(seed, len(sky)):
        cosine = sky[i, 0] * g[0] + sky[i, 1] * g[1] + sky[i, 2] * g[2]
        if i == seed or cosine > nearest:
            p = sky[i, 0] * first[0] + sky[i, 1] * first[1] + sky[i, 2] * first[2]
            q = sky[i, 0] * second[0] + sky[i, 1] * second[1] + sky[i, 2] * second[2]
            sine = np.sqrt(p * p + q * q)
            scale = np.arctan2(sine, cosine) / sine if i != seed and sine > 0 else 0.0
            plane[0, count], plane[1, count], plane[2, count] = p * scale, q * scale, 1 / sky[i, 3]
            index[count] = i
            count += 1
    return count


@njit(cache=True, nogil=True)
def _line(plane: Floats, members: Numbers) -> tuple[float, float, int, float, float]:
    """The line in 1/E through the members: correlation, width, worst member, position at 1/E = 0.

    The correlation is that of u and 1/E, -1 where there is no line; width and position are in rad. The seed, first of
    the members, is never the worst.
    """
    mean_a, mean_b, mean_x = 0.0, 0.0, 0.0
    for j in members:
        mean_a, mean_b, mean_x = mean_a + plane[0, j], mean_b + plane[1, j], mean_x + plane[2, j]
    mean_a, mean_b, mean_x = mean_a / len(members), mean_b / len(members), mean_x / len(members)
    cov_a, cov_b, var_x = 0.0, 0.0, 0.0
    for j in members:
        x = plane[2, j] - mean_x
        cov_a, cov_b, var_x = cov_a + x * (plane[0, j] - mean_a), cov_b + x * (plane[1, j] - mean_b), var_x + x * x
    length = np.sqrt(cov_a * cov_a + cov_b * cov_b)
    if var_x == 0 or length == 0:
        return -1.0, 0.0, 1, 0.0, 0.0
    var_u, widest, worst, worst_residual = 0.0, 0.0, 1, -1.0
    for k in range(len(members)):
        p, q, x = plane[0, members[k]] - mean_a, plane[1, members[k]] - mean_b, plane[2, members[k]] - mean_x
        u, w = (p * cov_a + q * cov_b) / length, (q * cov_a - p * cov_b) / length
        var_u += u * u
        widest = max(widest, abs(w))
        residual = w * w + (u - length / var_x * x) ** 2
        if k > 0 and residual > worst_residual:
            worst, worst_residual = k, residual
    correlation = length / np.sqrt(var_u * var_x)
    return correlation, widest, worst, mean_a - cov_a / var_x * mean_x, mean_b - cov_b / var_x * mean_x
