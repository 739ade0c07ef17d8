"""The study of one file: what its likelihood says of its own errors."""

from __future__ import annotations

import numpy as np

from cloudchamber.studies.photon_mean_free_path import PhotonConfig, histogram, maximum_likelihood, simulate


def test_stated_error_of_the_likelihood_is_its_scatter() -> None:
    config = PhotonConfig()
    records = simulate(config, 0, 2000, np.random.SeedSequence(1))
    said = maximum_likelihood(histogram(config, records, None), config)
    path = records["mean_free_path"]
    inner = (path > 1.5) & (path < 5)  # away from the ends of the grid, where estimates pile up
    assert said.std is not None
    pulls = (said.mean[inner, 0] - path[inner]) / said.std[inner, 0]
    # some 780 pulls: their width is known to 1 / sqrt(2 * 780) = 0.025
    assert abs(np.sqrt(np.square(pulls).mean()) - 1) < 0.08
