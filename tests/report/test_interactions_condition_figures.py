"""Maps of conditions: held-out ones are framed, unknown ones grey."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cloudchamber.report import interactions_condition_figures as conditions


def test_held_out_conditions_are_framed_and_unknown_ones_grey(legend: Callable[..., list[str]]) -> None:
    values = {("pi+", "H", 5.0): 0.5, ("pi+", "C", 20.0): 0.7, ("p", "C", 5.0): 0.6}
    drawing = conditions.condition_maps(values, "AUC", 0.5, 0.7, lambda projectile, target, energy: target == "C")
    axes = drawing.axes[0]
    assert axes.get_title() == "pi+"
    assert len(axes.patches) == 2  # carbon at two energies
    shown = np.ma.asarray(axes.images[0].get_array())
    assert shown.mask.tolist() == [[False, True], [True, False]]
    assert legend(drawing) == ["not in the training"]
    assert "GeV" in axes.get_xlabel()
    assert not conditions.condition_maps(values, "AUC", 0.5, 0.7, lambda *_: False).legends
