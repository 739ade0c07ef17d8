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


@dataclass(frozen=True)
class SignalRoc:
    """How well a score of cosmic rays separates signal from isotropy, cosmic rays of all skies together.

    Errors are standard deviations over bootstrap samples of skies, NaN for one sky.

    Attributes:
        false_positive: (point,), part of the isotropic cosmic rays above a threshold, 0 to 1 in equal steps.
        true_positive: (point,), part of the signal above it.
        true_positive_error: (point,), its error.
        auc: area under the curve; equal scores count half.
        auc_error: its error.
    """

    false_positive: Doubles
    true_positive: Doubles
    true_positive_error: Doubles
    auc: float
    auc_error: float


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


def signal_roc(
    score: NDArray[np.floating],
    signal: NDArray[Any],
    rng: np.random.Generator,
    bootstrap: int = 200,
    points: int = 201,
) -> SignalRoc:
    """The receiver operating characteristic of a score of cosmic rays, with errors from a bootstrap over skies.

    Scores are compared across skies as they are: divide by the sky's output first if its size shall not count.

    Args:
        score: (sky, cosmic_ray), larger for signal.
        signal: (sky, cosmic_ray), the truth, 0 or 1.
        rng: of the bootstrap.
        bootstrap: samples of skies; a sample without signal or without background is left out.
        points: of the curve.

    Raises:
        BadInput: shapes that do not fit, scores that are not finite, only signal or none, fewer than two samples.
    """
    if score.ndim != 2 or score.shape != signal.shape or not np.isfinite(score).all():
        raise BadInput(f"scores of shape {score.shape}, truth {signal.shape}: expected finite (sky, cosmic_ray) twice")
    truth = np.asarray(signal, dtype=bool)
    if truth.all() or not truth.any() or bootstrap < 2:
        raise BadInput(f"{truth.mean():.0%} signal, {bootstrap} bootstrap samples: need signal, background, and two")
    order = np.argsort(-score, axis=None, kind="stable")
    sorted_score, sorted_truth, sky = score.ravel()[order], truth.ravel()[order], order // score.shape[1]
    last = np.append(np.diff(sorted_score) != 0, True)  # the last of each group of equal scores
    grid = np.linspace(0, 1, points)

    def curve(weights: Doubles) -> tuple[Doubles, float]:
        """True positives on the grid, and the area, if each sky counts ``weights`` times."""
        weight = weights[sky]
        right = np.append(0.0, np.cumsum(weight * sorted_truth)[last])
        wrong = np.append(0.0, np.cumsum(weight * ~sorted_truth)[last])
        right, wrong = right / right[-1], wrong / wrong[-1]
        return np.interp(grid, wrong, right), float(np.trapezoid(right, wrong))

    line, area = curve(np.ones(len(score)))
    lines, areas = [], []
    for _ in range(bootstrap):
        counts = np.bincount(rng.integers(len(score), size=len(score)), minlength=len(score)).astype(np.float64)
        chosen = truth[counts > 0]
        if chosen.any() and not chosen.all():
            one = curve(counts)
            lines.append(one[0])
            areas.append(one[1])
    if len(score) == 1:
        return SignalRoc(grid, line, np.full(points, np.nan), area, float("nan"))
    return SignalRoc(grid, line, np.std(lines, axis=0, ddof=1), area, float(np.std(areas, ddof=1)))
