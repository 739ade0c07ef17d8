"""Figures of searches for sources: open points are extrapolated, axes have units, labels do not lie."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing
from scipy.stats import norm

from cloudchamber.metrics.classification import auc, roc
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.significance import Crossing, MedianSignificance, fit_tail, p_value
from cloudchamber.report import skies_figures as sky
from cloudchamber.report.style import svg

KINDS = {"scan": "baseline", "net": "network"}


TITLES = {"scan": "top-hat scan", "net": "DeepSphere"}


def drawn(drawing: Drawing) -> str:
    """The picture of the figure; it must come out."""
    text = svg(drawing)
    assert text.startswith("<svg")
    return text


def legend(drawing: Drawing) -> list[str]:
    return [text.get_text() for text in drawing.legends[0].get_texts()]


def rows(numbers: list[int], sigmas: list[float], far: list[bool]) -> list[MedianSignificance]:
    return [
        MedianSignificance(n, float(norm.sf(s)), s, 0.2, e, 50) for n, s, e in zip(numbers, sigmas, far, strict=True)
    ]


def test_extrapolated_significances_are_drawn_as_open_points() -> None:
    world = {
        "scan": rows([10, 20, 40], [0.5, 2.0, 6.0], [False, False, True]),
        "net": rows([10, 20, 40], [1.0, 3.0, 9.0], [False, True, True]),
    }
    drawing = sky.significance_figure({"minimal, He": world, "JF12, He": world}, dict.fromkeys(
        ["minimal, He", "JF12, He"], (9999, 99)), TITLES, KINDS)  # fmt: skip
    axes = drawing.axes[0]
    assert axes.get_title() == "minimal, He"
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert (low, high) == (pytest.approx(norm.sf(8)), 1.0)  # small p-values are below
    open_points, filled = [], []
    for container in axes.containers:
        line = container[0]
        points = list(zip(np.asarray(line.get_xdata()), np.asarray(line.get_ydata()), strict=True))
        (open_points if line.get_markerfacecolor() == "white" else filled).extend(points)
    assert sorted(open_points) == [(20, pytest.approx(norm.sf(3))), (40, pytest.approx(norm.sf(9))),
                                   (40, pytest.approx(norm.sf(6)))]  # fmt: skip
    assert len(filled) == 3
    heights = [float(np.asarray(line.get_ydata())[0]) for line in axes.lines if len(np.asarray(line.get_ydata())) == 2]
    assert pytest.approx(norm.sf(5)) in heights
    assert {1 / 10_000, 1 / 100} < set(heights)
    assert {"top-hat scan", "DeepSphere", "counted", "from the fitted tail"} < set(legend(drawing))
    drawn(drawing)


def test_signal_needed_is_open_where_extrapolated_or_not_reached() -> None:
    found = {
        "minimal": {"scan": Crossing(36, 2, True, 300), "net": Crossing(31, 1, False, 300)},
        "JF12": {"scan": Crossing(float("nan"), float("nan"), False, 300)},
    }
    drawing = sky.needed_figure(found, TITLES, KINDS, published=30)
    first, second = drawing.axes[:2]
    faces = {float(np.asarray(c[0].get_xdata())[0]): c[0].get_markerfacecolor() for c in first.containers}
    assert faces[36] == "white"
    assert faces[31] != "white"
    assert [text.get_text() for text in second.texts] == ["not reached"]
    assert "published: about 30" in legend(drawing)
    drawn(drawing)


def test_tail_is_drawn_with_the_skies_counted_beyond() -> None:
    rng = np.random.default_rng(2)
    tails = {}
    for name, isotropic in (("scan", rng.exponential(size=3000)), ("net", np.minimum(rng.exponential(size=3000), 1))):
        tails[name] = (isotropic, fit_tail(isotropic))
    drawing = sky.tail_figure(tails, TITLES)
    axes = drawing.axes[0]
    survival = axes.lines[0]
    assert survival.get_drawstyle() == "steps-post"
    for x, p in zip(np.asarray(survival.get_xdata())[::50], np.asarray(survival.get_ydata())[::50], strict=True):
        assert p == pytest.approx((tails["scan"][0] >= x).sum() / 3001)
    fitted = axes.lines[1]
    assert np.asarray(fitted.get_ydata())[-1] == pytest.approx(1e-8)
    assert "shape" in axes.texts[0].get_text()
    saturated = next(one for one in drawing.axes if one.get_title() == "DeepSphere")
    assert "no tail" in saturated.texts[0].get_text()
    assert {"isotropic skies", "fitted tail", "its error (1σ)", "measurement ends"} == set(legend(drawing))
    drawn(drawing)


def test_uniform_p_values_stay_in_the_band() -> None:
    rng = np.random.default_rng(3)
    isotropic = rng.normal(size=5000)
    p = {name: p_value(rng.normal(shift, 1, 1000), isotropic) for name, shift in (("scan", 0.0), ("net", 0.5))}
    drawing = sky.uniformity_figure(p, dict.fromkeys(p, 5000), TITLES, KINDS)
    axes = drawing.axes[0]
    band = 1.3581 * np.sqrt(1 / 1000 + 1 / 5000)  # Kolmogorov's 95 %
    inside = [bool(np.abs(np.asarray(line.get_ydata())).max() < band) for line in axes.lines[:2]]
    assert inside == [True, False]
    edges = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert edges.y1 == pytest.approx(band, rel=1e-3)
    assert "DeepSphere (P < 0.1 %)" in legend(drawing)
    drawn(drawing)


def test_drawn_roc_of_cosmic_rays_keeps_its_area() -> None:
    rng = np.random.default_rng(4)
    truth = rng.random(5000) < 0.05
    score = truth + rng.normal(size=5000)
    drawing = sky.roc_figure({"relevance": roc(truth, score)}, {"relevance": auc(truth, score, rng)})
    line = drawing.axes[0].lines[0]
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    # the drawing leaves out points, not area
    assert np.trapezoid(y, x) == pytest.approx(auc(truth, score, rng).value, abs=2e-3)
    assert "AUC 0.7" in line.get_label()
    drawn(drawing)


def test_deletion_is_in_percent_and_density_on_a_logarithm() -> None:
    steps = np.array([0.0, 0.05, 0.1])
    mean, error = np.array([4.0, 1.0, -1.0]), np.array([1.0, 0.0, float("nan")])
    drawing = sky.deletion_figure(
        steps, {"largest relevance first": (mean, error), "at random": (mean + 1, error)}, "log-odds"
    )
    line = drawing.axes[0].lines[0]
    assert np.asarray(line.get_xdata()) == pytest.approx([0, 5, 10])
    assert np.asarray(line.get_ydata()) == pytest.approx([4, 1, -1])
    assert drawing.axes[0].get_xlabel() == "cosmic rays deleted [%]"
    drawn(drawing)
    points = {name: [Measured(0.9, 0.01, 50), Measured(0.6, float("nan"), 50)] for name in KINDS}
    drawing = sky.density_figure(np.array([1e-4, 1e-2]), points, TITLES, KINDS)
    assert drawing.axes[0].get_xscale() == "log"
    assert legend(drawing) == ["top-hat scan", "DeepSphere", "no skill"]
    drawn(drawing)
