"""Figures of the transport simulator's checks: what is drawn where, units, limits, and legends on the page."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing

from cloudchamber.report import transport_figures as figures
from cloudchamber.report.style import svg

BOTH = ("Boltzmann-Langevin", "average (BUU)")


def is_on_the_page(drawing: Drawing) -> bool:
    """Whether the legend as it is drawn lies within the figure and on no panel."""
    drawing.draw_without_rendering()
    box, page = drawing.legends[0].get_window_extent(), drawing.bbox
    inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.x1 and box.y1 <= page.y1
    return bool(inside and all(not box.overlaps(axes.get_tightbbox()) for axes in drawing.axes))


def heights(drawing: Drawing, panel: int) -> list[list[float]]:
    """Heights of the step lines of a panel, without the areas under them."""
    patches = drawing.axes[panel].patches
    return [list(one.get_data()[0]) for one in patches if not one.get_fill()]  # type: ignore[attr-defined]


def looks_of(drawing: Drawing) -> list[tuple[object, object]]:
    """Colours and dashes of the lines with a label, of the first panel."""
    lines = [line for line in drawing.axes[0].lines if not str(line.get_label()).startswith("_")]
    return [(line.get_color(), line.get_marker()) for line in lines]


def test_the_beam_is_along_the_horizontal_axis_and_both_modes_share_colours() -> None:
    x, z = np.arange(-12, 12.1, 0.5), np.arange(-30, 30.1, 0.5)
    frames = np.zeros((3, 48, 120))
    frames[:, 28, 20:24] = 1.5  # at x = 2.25 fm, z = -20 to -18 fm
    drawing = figures.density_pictures({BOTH[0]: frames, BOTH[1]: 0.5 * frames}, np.array([0.0, 100, 200]), x, z)
    *panels, bar = drawing.axes
    assert [axes.get_title() for axes in panels] == ["0 fm/c", "100 fm/c", "200 fm/c", "", "", ""]
    assert [axes.texts[0].get_text() for axes in (panels[0], panels[3])] == list(BOTH)
    assert {axes.images[0].get_clim() for axes in panels} == {(0.0, 1.5)}
    assert panels[0].images[0].get_extent() == [-30, 30, -12, 12]
    assert panels[0].get_xlim() == (-21, 21)  # all that is seen, and as much on the other side
    assert panels[0].get_ylim() == pytest.approx((-8.4, 8.4))  # two fifths of it, though 3.5 were enough
    assert panels[0].images[0].get_array().mask.sum() == 48 * 120 - 4
    assert "fm$^{-2}$" in bar.get_ylabel()
    assert panels[4].get_xlabel() == "$z$, along the beam [fm]"
    assert svg(drawing).startswith("<svg")


def test_histograms_have_the_same_bins_and_sum_one_for_all_that_is_compared(legend: Callable[..., list[str]]) -> None:
    rng = np.random.default_rng(1)
    values = {BOTH[0]: rng.normal(8, 2, 300), BOTH[1]: rng.normal(9, 0.1, 50)}
    panels = [
        figures.Panel("largest fragment, A", values, step=0.5),
        figures.Panel("change", {BOTH[0]: np.array([0.01, 0.02])}, limits=(-0.1, 0.1)),
    ]
    drawing = figures.histograms(panels, "events", 2)
    first, second = heights(drawing, 0)
    assert sum(first) == pytest.approx(1)
    assert sum(second) == pytest.approx(1)
    assert len(first) == len(second)
    edges = panels[0].edges()
    np.testing.assert_allclose(edges, 0.5 * np.round(edges / 0.5))
    assert [line.get_xdata()[0] for line in drawing.axes[1].lines] == [-0.1, 0.1]  # type: ignore[index]
    low, high = drawing.axes[1].get_xlim()
    assert low < -0.1 < 0.1 < high
    assert drawing.axes[0].get_ylabel() == "share of events"
    assert legend(drawing) == list(BOTH)
    assert is_on_the_page(drawing)


@pytest.mark.parametrize("values", [[], [3.0], [0.0, 0.0], [np.nan, 1.0]])
def test_bins_hold_all_values_even_if_there_is_one_or_none(values: list[float]) -> None:
    given = np.array(values)
    for step in (0.0, 0.5):
        edges = figures.Panel("", {"": given}, step=step).edges()
        assert (np.diff(edges) > 0).all()
        assert np.histogram(given, edges)[0].sum() == np.isfinite(given).sum()


def test_nuclei_at_rest_begin_at_one_within_the_band_that_is_required(legend: Callable[..., list[str]]) -> None:
    time = np.arange(20.0, 201, 20)
    nuclei = {name: (time, 1 + 0.0001 * k * time, 0 * time) for k, name in enumerate(("He4", "C12", "Pb208"))}
    drawing = figures.ground_state_figure(nuclei, (-0.05, 0.04), 0.005)
    left, right = drawing.axes
    assert [line.get_ydata()[0] for line in left.lines[:3]] == [1, 1, 1]  # type: ignore[index]
    band = left.patches[0].get_extents().transformed(left.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx((0.95, 1.04))
    assert right.lines[-1].get_ydata()[0] == 0.005  # type: ignore[index]
    assert "fm/c" in left.get_xlabel()
    assert legend(drawing) == ["$^{4}$He", "$^{12}$C", "$^{208}$Pb"]
    assert len({shape for _, shape in looks_of(drawing)}) == 3  # colour is not the only difference
    assert is_on_the_page(drawing)
    bare = figures.ground_state_figure(nuclei, None, None)
    assert not bare.axes[0].patches
    assert len(bare.axes[1].lines) == 3


def test_occupation_is_a_line_where_it_is_known_and_points_elsewhere(legend: Callable[..., list[str]]) -> None:
    momentum = np.linspace(10, 400, 20)
    shares = {"true": momentum / 400, "counted": momentum / 410, "blocked": momentum / 420}
    drawing = figures.occupation_figure(momentum, shares, np.full(20, 0.1))
    (axes,) = drawing.axes
    assert [line.get_linestyle() for line in axes.lines[:3]] == ["-", "None", "None"]
    assert [len(container.lines[2]) for container in axes.containers] == [1, 0]  # the second has the bars
    assert "MeV/c" in axes.get_xlabel()
    assert legend(drawing) == list(shares)
    assert is_on_the_page(drawing)


def test_variances_lie_in_their_band_on_a_logarithmic_axis(legend: Callable[..., list[str]]) -> None:
    kept, error = np.array([0.2, 0.5, 0.9]), np.array([0.02, 0.05, 2.0])
    drawing = figures.variance_figure({BOTH[0]: (kept, kept, error), BOTH[1]: (kept, kept / 100, error)}, (0.5, 1.2))
    (axes,) = drawing.axes
    assert axes.get_yscale() == "log"
    band = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx((0.5, 1.2))
    np.testing.assert_allclose(axes.containers[1].lines[0].get_ydata(), kept / 100)
    assert all((segment[:, 1] > 0).all() for one in axes.containers for segment in one.lines[2][0].get_segments())
    assert legend(drawing) == list(BOTH)
    assert is_on_the_page(drawing)
    assert not figures.variance_figure({BOTH[0]: (kept, kept, error)}, (None, None)).axes[0].patches


def test_waves_are_points_about_the_line_of_linear_response(legend: Callable[..., list[str]]) -> None:
    time = np.linspace(0, 90, 181)
    waves = {name: (time, np.cos(time / k) + 0.01, np.cos(time / k)) for name, k in (("soft", 25), ("stiff", 22))}
    drawing = figures.wave_figure(waves)
    for axes, name in zip(drawing.axes, waves, strict=True):
        assert axes.get_title() == name
        line, points = axes.lines[1:]
        np.testing.assert_allclose(line.get_ydata(), waves[name][2])
        assert 20 < len(np.asarray(points.get_xdata())) <= 60
    assert legend(drawing) == ["linear response", "simulated"]
    assert is_on_the_page(drawing)
    assert len(figures.wave_figure({"soft": waves["soft"]}).axes) == 1


def test_lines_of_freeze_out_are_means_with_errors_and_the_usual_cut_is_thick(legend: Callable[..., list[str]]) -> None:
    rng = np.random.default_rng(2)
    time, cuts = np.array([120.0, 160, 200]), np.array([0.01, 0.02, 0.03])
    values = {"A of the largest": rng.normal(9, 1, (6, 3, 3)), "number": np.full((6, 3, 3), 2.0)}
    drawing = figures.freeze_out_figure(values, time, cuts, (200.0, 0.02))
    lines = [container.lines[0] for container in drawing.axes[0].containers]
    for place, line in enumerate(lines):
        np.testing.assert_allclose(line.get_ydata(), values["A of the largest"][:, :, place].mean(axis=0))
    assert np.argmax([line.get_linewidth() for line in lines]) == 1
    (bars,) = drawing.axes[0].containers[0].lines[2]
    low, high = bars.get_segments()[0][:, 1]
    assert high - low == pytest.approx(2 * values["A of the largest"][:, 0, 0].std(ddof=1) / np.sqrt(6))
    assert legend(drawing) == ["0.01 fm$^{-3}$", "0.02 fm$^{-3}$", "0.03 fm$^{-3}$"]
    assert is_on_the_page(drawing)
    svg(figures.freeze_out_figure({"one event": np.ones((1, 1, 2))}, time[:1], cuts[:2]))


def test_probabilities_are_means_of_bins_of_enough_events(legend: Callable[..., list[str]]) -> None:
    impact = np.linspace(0.01, 7.99, 800)
    few = np.linspace(0.5, 7.5, 12)
    drawing = figures.probability_figure({62.0: (impact, 1.0 * (impact < 5)), 95.0: (few, 1.0 * (few < 4))})
    many, sparse = [container.lines[0] for container in drawing.axes[0].containers]
    assert len(np.asarray(many.get_xdata())) == 16
    np.testing.assert_allclose(many.get_ydata(), np.repeat([1.0, 0.0], [10, 6]))
    assert len(np.asarray(sparse.get_xdata())) <= 3
    assert legend(drawing) == ["62 MeV per nucleon", "95 MeV per nucleon"]
    assert is_on_the_page(drawing)


def test_cost_is_logarithmic_with_the_limit_at_the_usual_setting() -> None:
    value = np.array([500.0, 100, 1000])
    costs = [figures.Cost("test particles", value, value / 100, 500), figures.Cost("time", value, value / 50, 200)]
    drawing = figures.cost_figure(costs, 5.0)
    for axes, one in zip(drawing.axes, costs, strict=True):
        assert axes.get_xscale() == axes.get_yscale() == "log"
        limit, usual, line = axes.lines
        assert limit.get_ydata()[0] == 5.0  # type: ignore[index]
        assert (usual.get_xdata()[0], usual.get_ydata()[0]) == (one.usual, 5.0)  # type: ignore[index]
        np.testing.assert_allclose(line.get_xdata(), [100, 500, 1000])
    assert "[s]" in drawing.axes[0].get_ylabel()
    assert [len(axes.lines) for axes in figures.cost_figure(costs[:1], None).axes] == [1]
