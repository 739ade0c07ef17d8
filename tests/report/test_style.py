"""The look of the house: the same bytes for the same figure, nothing leaks, colours differ."""

from __future__ import annotations

import warnings

import numpy as np

from cloudchamber.data.samples import Prediction
from cloudchamber.report import figures, style


def test_svg_is_one_element_without_links_and_always_the_same() -> None:
    truth = np.linspace(0, 1, 20)[:, None]
    said = {"net": Prediction(truth.astype(np.float32), np.full((20, 1), 0.1, np.float32))}
    texts = [
        style.svg(figures.coverage_curves(truth, said, [0], ["x"], {"net": "the net"}, {"net": "network"}))
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert texts[0].startswith("<svg")
    assert texts[0].rstrip().endswith("</svg>")
    assert "<metadata>" not in texts[0]


def test_style_does_not_leak() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figures.training_curves([], {}, {})
        assert dict(mpl.rcParams) == before


def test_colours_differ_and_the_floor_is_grey() -> None:
    kinds = {"mean": "floor", **{f"b{i}": "baseline" for i in range(6)}, **{f"n{i}": "network" for i in range(3)}}
    found = style.colours(kinds)
    assert found["mean"] == style.GREY
    assert len(set(found.values())) == len(kinds)
    assert found["n0"] == style.PETROFF[0]
