"""Figures of nuclear shapes: the grid of densities is that of the talk."""

from __future__ import annotations

import numpy as np

from cloudchamber.report import nuclei_figures as drawings


def test_density_grid_is_the_talks() -> None:
    drawing = drawings.nuclear_density_grid("U", [-0.5, 0.0, 0.5], [-0.2, 0.2])
    titles = [axes.get_title() for axes in drawing.axes if axes.get_title()]
    assert len(titles) == 6
    assert "-0.50" in titles[0]
    assert "-0.2" in titles[0]
    assert "0.50" in titles[-1]
    first = np.asarray(drawing.axes[0].images[0].get_array())
    middle = len(first) // 2
    assert (first[middle] > 0.5).sum() > (first[:, middle] > 0.5).sum()  # oblate: wider than high
