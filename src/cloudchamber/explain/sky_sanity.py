"""Does the relevance of cosmic rays explain? What it names must matter to the search, and be signal.

Deletion: Petsiuk, Das, Saenko, arXiv:1806.07421, section 4.2, with cosmic rays for pixels; a deleted cosmic ray keeps
its energy and gets an isotropic direction, so that neither number nor spectrum tells. Truth: simulated skies know which
cosmic rays came from the source. Randomised weights: ``sanity.randomization_similarity`` takes relevance as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.explain.sanity import mean_and_error, places
from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays.exposure import isotropic_directions

Doubles = NDArray[np.float64]
Statistic = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Cosmic rays (sky, cosmic_ray, 4) to a test statistic (sky,), larger for signal."""

FRACTIONS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
RESAMPLES = 100
"""Bootstrap samples: the error itself is then known to 7 %."""


@dataclass(frozen=True)
class SkyDeletion:
    """A test statistic against the part of the cosmic rays deleted, in the order of relevance and at random.

    Errors are standard errors over skies (NaN for one sky).

    Attributes:
        fraction: (step,), part deleted.
        statistic: (step,), mean over skies, most relevant ones deleted first.
        statistic_error: (step,), its error.
        random: (step,), as ``statistic``, in random order.
        random_error: (step,), its error.
        difference: (step,), random minus relevance, paired by sky: positive if relevance means something.
        difference_error: (step,), its error.
    """

    fraction: Doubles
    statistic: Doubles
    statistic_error: Doubles
    random: Doubles
    random_error: Doubles
    difference: Doubles
    difference_error: Doubles


def deletion_by_relevance(
    statistic: Statistic,
    cosmic_rays: NDArray[np.floating],
    relevance: NDArray[np.floating],
    fractions: Sequence[float],
    rng: np.random.Generator,
    exposure: str = "full",
) -> SkyDeletion:
    """The loss of a test statistic when cosmic rays get isotropic directions, the most relevant first.

    Both orders use the same isotropic directions, and each sky its own random order.

    Args:
        statistic: see ``Statistic``.
        cosmic_rays: (sky, cosmic_ray, 4): x, y, z, E.
        relevance: (sky, cosmic_ray).
        fractions: (step,), increasing parts of the cosmic rays, e.g. ``FRACTIONS``.
        rng: of directions and orders.
        exposure: with which the isotropic sky is seen.

    Raises:
        BadInput: shapes that do not fit, relevance that is not finite, fractions outside 0 to 1 or not increasing.
    """
    parts = np.asarray(fractions, dtype=np.float64)
    if parts.ndim != 1 or not len(parts) or not (np.diff(parts) > 0).all() or parts[0] < 0 or parts[-1] > 1:
        raise BadInput(f"fractions {parts.tolist()}: give increasing numbers between 0 and 1")
    rays = np.asarray(cosmic_rays, dtype=np.float32)
    if rays.ndim != 3 or rays.shape[2] != 4 or not len(rays):
        raise BadInput(f"cosmic rays of shape {rays.shape}: expected (sky, cosmic_ray, 4) with x, y, z, E")
    if relevance.shape != rays.shape[:2] or not np.isfinite(relevance).all():
        raise BadInput(f"relevance of shape {relevance.shape}: expected one finite number for each of {rays.shape[:2]}")
    isotropic = isotropic_directions(rng, rays.shape[0] * rays.shape[1], exposure).reshape(*rays.shape[:2], 3)
    given, random = (places(scores, rng) for scores in (relevance.astype(np.float64), rng.random(relevance.shape)))

    def curve(ranks: NDArray[np.int64]) -> Doubles:
        found = np.empty((len(rays), len(parts)))
        for step, part in enumerate(parts):
            changed = rays.copy()
            deleted = ranks < round(part * rays.shape[1])
            changed[deleted, :3] = isotropic[deleted]
            found[:, step] = statistic(changed)
        return found

    by_relevance, by_chance = curve(given), curve(random)
    return SkyDeletion(
        parts, *mean_and_error(by_relevance), *mean_and_error(by_chance), *mean_and_error(by_chance - by_relevance)
    )


def signal_auc(score: NDArray[np.floating], signal: NDArray[Any], rng: np.random.Generator) -> tuple[float, float]:
    """Area under the ROC curve of cosmic rays of all skies together, and its error (NaN for one sky).

    Equal scores count half. The error is the standard deviation over RESAMPLES bootstrap samples of skies; a sample
    without signal or without background is left out. Scores are compared across skies as they are: divide by the sky's
    output first if its size shall not count.

    Args:
        score: (sky, cosmic_ray), larger for signal.
        signal: (sky, cosmic_ray), the truth, 0 or 1.
        rng: of the bootstrap.

    Raises:
        BadInput: shapes that do not fit, scores that are not finite, only signal or none.
    """
    if score.ndim != 2 or score.shape != signal.shape or not np.isfinite(score).all():
        raise BadInput(f"scores of shape {score.shape}, truth {signal.shape}: expected finite (sky, cosmic_ray) twice")
    truth = np.asarray(signal, dtype=bool)
    if truth.all() or not truth.any():
        raise BadInput(f"{truth.mean():.0%} signal: need signal and background")
    order = np.argsort(-score, axis=None, kind="stable")
    sorted_score, sorted_truth, sky = score.ravel()[order], truth.ravel()[order], order // score.shape[1]
    last = np.append(np.diff(sorted_score) != 0, True)  # the last of each group of equal scores

    def area(weights: Doubles) -> float:
        """If each sky counts ``weights`` times."""
        weight = weights[sky]
        right = np.append(0.0, np.cumsum(weight * sorted_truth)[last])
        wrong = np.append(0.0, np.cumsum(weight * ~sorted_truth)[last])
        right, wrong = right / right[-1], wrong / wrong[-1]
        return float(np.trapezoid(right, wrong))

    areas = []
    for _ in range(RESAMPLES):
        counts = np.bincount(rng.integers(len(score), size=len(score)), minlength=len(score)).astype(np.float64)
        chosen = truth[counts > 0]
        if chosen.any() and not chosen.all():
            areas.append(area(counts))
    error = float("nan") if len(score) == 1 else float(np.std(areas, ddof=1))
    return area(np.ones(len(score))), error
