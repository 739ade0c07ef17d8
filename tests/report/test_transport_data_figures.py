"""Figures of the transport simulator beside data: panels, units, ratios, limits, legends on the page."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing

from cloudchamber.data.measured_fragments import AngularDistribution, Spectrum, carbon_62mev
from cloudchamber.metrics.fragment_cross_sections import CrossSection
from cloudchamber.metrics.measured import Measured
from cloudchamber.report import transport_data_figures as figures
from cloudchamber.report.style import svg
from cloudchamber.simulators.transport.reaction_cross_section import MEASURED_CARBON, kox

MEASURED = carbon_62mev()
BANDS = {"Boltzmann-Langevin": 0.8, "average (BUU)": 0.4}


def like(data: AngularDistribution | Spectrum, factor: float, *, empty: bool = False) -> CrossSection:
    """A simulation that is off by a factor, with nothing in the last point if ``empty``."""
    value = factor * data.cross_section
    if empty:
        value[-1] = 0
    return CrossSection(value, 0.1 * value, 0.5 * data.cross_section)


def angular(*, empty: bool = False) -> dict[str, dict[str, CrossSection]]:
    """Both simulations of all isotopes."""
    return {
        title: {name: like(one, factor, empty=empty) for name, one in MEASURED.angular.items()}
        for title, factor in BANDS.items()
    }


def is_on_the_page(drawing: Drawing) -> bool:
    """Whether the legend as it is drawn lies within the figure and on no panel."""
    drawing.draw_without_rendering()
    box, page = drawing.legends[0].get_window_extent(), drawing.bbox
    inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.x1 and box.y1 <= page.y1
    return bool(inside and all(not box.overlaps(axes.get_tightbbox()) for axes in drawing.axes))


def test_every_isotope_has_its_panel_with_points_band_and_ratio(legend: Callable[..., list[str]]) -> None:
    drawing = figures.angular_figure(MEASURED.angular, angular())
    labels = [text.get_text() for axes in drawing.axes for text in axes.texts]
    assert labels[:4] == ["$^{1}$H", "$^{2}$H", "$^{3}$H", "$^{4}$He"]
    assert len(labels) == 10
    assert len(drawing.axes) == 20
    above, below = drawing.axes[3], drawing.axes[8]
    points = above.containers[0].lines[0]
    np.testing.assert_allclose(points.get_ydata(), MEASURED.angular["He4"].cross_section)
    for place, factor in enumerate(BANDS.values()):
        full = [container.lines[0] for container in below.containers][2 * place]
        np.testing.assert_allclose(full.get_ydata(), factor)
    assert above.get_yscale() == below.get_yscale() == "log"
    assert "b/sr" in drawing.axes[0].get_ylabel()
    assert [axes.get_xlabel() for axes in drawing.axes if axes.get_xlabel()] == ["angle in the laboratory [degrees]"]
    assert legend(drawing) == ["measured", *BANDS]
    assert is_on_the_page(drawing)


def test_points_without_products_are_shown_as_limits(legend: Callable[..., list[str]]) -> None:
    drawing = figures.angular_figure(MEASURED.angular, angular(empty=True))
    assert legend(drawing) == ["measured", *BANDS, "68 % upper limit"]
    for axes in drawing.axes[:5]:
        limits = [line for line in axes.lines if line.get_marker() == "v"]
        assert [len(np.asarray(line.get_xdata())) for line in limits] == [1, 1]
        low, high = axes.get_ylim()
        assert all(low < float(np.asarray(line.get_ydata())[0]) < high for line in limits)
    for container in [
        one for axes in drawing.axes[5:10] for one in axes.containers if one.lines[0].get_marker() == "v"
    ]:
        assert list(container.lines[0].get_ydata()) == [0.5]


def test_a_simulation_far_off_stays_in_its_panels() -> None:
    simulated = {"far": {name: like(one, 20.0) for name, one in MEASURED.angular.items()}}
    drawing = figures.angular_figure(MEASURED.angular, simulated)
    for axes in drawing.axes[:5]:
        assert axes.get_ylim()[1] > max(np.asarray(axes.lines[-2].get_ydata()))
    ratios = drawing.axes[5].containers[0].lines[0].get_ydata()
    assert max(np.asarray(ratios)) < figures.RATIOS[1]


def test_three_isotopes_and_one_simulation_are_a_row(legend: Callable[..., list[str]]) -> None:
    few = {name: MEASURED.angular[name] for name in ("He4", "Li6", "B11")}
    drawing = figures.angular_figure(few, {"ours": {name: like(one, 1.0) for name, one in few.items()}})
    assert len(drawing.axes) == 6
    assert svg(drawing).startswith("<svg")
    assert legend(drawing) == ["measured", "ours"]
    assert is_on_the_page(drawing)
    seven = dict(list(MEASURED.angular.items())[:7])
    drawing = figures.angular_figure(seven, {"ours": {name: like(one, 1.0) for name, one in seven.items()}})
    assert [axes.axison for axes in drawing.axes[10:]] == [True] * 2 + [False] * 3 + [True] * 2 + [False] * 3


def test_spectra_are_a_column_an_isotope_and_a_row_an_angle(legend: Callable[..., list[str]]) -> None:
    keys = [(name, angle) for name in ("He4", "Li7", "Be7") for angle in (2.2, 7.6, 18.0)]
    keys += [("B11", angle) for angle in (2.2, 7.6, 14.4)]
    spectra = [MEASURED.spectra[key] for key in keys]
    simulated = {title: [like(one, factor) for one in spectra] for title, factor in BANDS.items()}
    drawing = figures.spectra_figure(spectra, simulated)
    labels = [axes.texts[0].get_text() for axes in drawing.axes]
    assert labels[:5] == ["$^{4}$He, 2.2°", "$^{7}$Li, 2.2°", "$^{7}$Be, 2.2°", "$^{11}$B, 2.2°", "$^{4}$He, 7.6°"]
    points = drawing.axes[3].containers[0].lines[0]
    np.testing.assert_allclose(points.get_xdata(), MEASURED.spectra["B11", 2.2].energy / 11)
    assert {axes.get_xlabel() for axes in drawing.axes[-4:]} == {"energy [MeV/u]"}
    assert "mb/(sr MeV)" in drawing.axes[4].get_ylabel()
    assert legend(drawing) == ["measured", *BANDS]
    assert is_on_the_page(drawing)


def test_reaction_cross_sections_stand_beside_both_parametrisations(legend: Callable[..., list[str]]) -> None:
    simulated = {
        "Boltzmann-Langevin": {62.0: Measured(1050, 15, 2000)},
        "average (BUU)": {62.0: Measured(1100, 20, 900)},
    }
    drawing = figures.reaction_figure((12, 6), (12, 6), MEASURED_CARBON, simulated)
    axes = drawing.axes[0]
    energy, value = (np.asarray(numbers) for numbers in axes.lines[0].get_data())
    assert value[0] == pytest.approx(kox((12, 6), (12, 6), energy[0]))
    assert "MeV per nucleon" in axes.get_xlabel()
    assert "[mb]" in axes.get_ylabel()
    assert legend(drawing) == ["Kox", "Tripathi", "measured", "Boltzmann-Langevin", "average (BUU)"]
    assert is_on_the_page(drawing)
    without = figures.reaction_figure((40, 20), (208, 82), [], {}, (30.0, 150.0))
    assert legend(without) == ["Kox", "Tripathi"]
