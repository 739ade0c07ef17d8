"""Moments in bins of centrality against those of the events themselves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import skew

from cloudchamber.baselines.centrality_moments import CENTRALITY_EDGES, centrality_moments
from cloudchamber.data.nuclei import PIXELS

COLUMNS, EVENTS = 50, 40
"""Columns of the image that hold events, each as many: so that every edge of centrality is one of columns."""


@pytest.mark.parametrize("channels", [(0,), (0, 1)])
def test_features_are_the_moments_of_the_events_in_each_bin(channels: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    row = (PIXELS * rng.beta(2, 5, (COLUMNS, EVENTS))).astype(np.int64)
    column = 3 + np.repeat(np.arange(COLUMNS)[:, None], EVENTS, axis=1)
    size = rng.normal(0, 1, (COLUMNS, EVENTS))
    count, total = np.zeros((PIXELS, PIXELS)), np.zeros((PIXELS, PIXELS))
    np.add.at(count, (row, column), 1)
    np.add.at(total, (row, column), size)
    image = np.stack([count, total / np.sqrt(np.maximum(count, 1))]).astype(np.float32)
    expected: list[float] = []
    for low, high in pairwise(CENTRALITY_EDGES):
        inside = slice(COLUMNS - round(high * COLUMNS), COLUMNS - round(low * COLUMNS))
        v2, multiplicity = ((one[inside].ravel() + 0.5) / PIXELS for one in (row, column))
        expected += [v2.mean(), v2.std(), skew(v2), (v2**2).mean(), multiplicity.mean(), multiplicity.std()]
        expected += [np.cov(v2, multiplicity, ddof=0)[0, 1]]
        if 1 in channels:
            pt = size[inside].ravel()
            expected += [pt.mean(), *(np.cov(pt, one, ddof=0)[0, 1] for one in (v2, v2**2))]
    # the images are single precision
    np.testing.assert_allclose(centrality_moments(image[None], channels), [expected], rtol=1e-5, atol=1e-6)
