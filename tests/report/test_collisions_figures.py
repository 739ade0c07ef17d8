"""Figures of the emulator of nuclear collisions: what is drawn where, in which look, and what is not there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing

from cloudchamber.data.measured_fragments import carbon_62mev
from cloudchamber.data.phase_space_histograms import SHAPE
from cloudchamber.metrics.fragment_cross_sections import CrossSection
from cloudchamber.metrics.measured import Measured
from cloudchamber.report import collision_explanation_figures as explanations
from cloudchamber.report import collision_figures as drawings
from cloudchamber.report import collision_score_figures as scores
from cloudchamber.report.collision_figures import Distribution, EventPicture, Profile
from cloudchamber.report.interactions_figures import looks
from cloudchamber.report.style import svg

TITLES = {
    "flow": "flow matching, conserving", "held_out": "the same, never shown 62 MeV per nucleon",
    "vae": "variational autoencoder of histograms", "again": "simulator again",
}  # fmt: skip
KINDS = dict.fromkeys(TITLES, "network") | {"again": "floor"}


def is_on_the_page(drawing: Drawing) -> bool:
    """Whether the legend, as it is drawn, lies within the figure; renders it."""
    assert svg(drawing).startswith("<svg")
    box, page = drawing.legends[0].get_window_extent(), drawing.bbox
    return bool(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.x1 and box.y1 <= page.y1)


def test_fragments_are_discs_and_all_arrows_are_seen() -> None:
    momentum = np.array([[0.0, 0.0, 2000.0], [0.0, 0.0, -2000.0]])
    two = EventPicture(1.0, np.array([12.0, 11.5]), momentum / 60, momentum, np.zeros((50, 3)))
    none = EventPicture(0.2, np.zeros(0), np.zeros((0, 3)), np.zeros((0, 3)), np.ones((9, 3)))
    drawing = drawings.event_pictures([two, none])
    left, right = drawing.axes
    assert [text.get_text() for text in left.texts] == ["12.0", "11.5"]
    assert left.get_xlim()[1] > 2000 / 60 + drawings.SCALE * 2000 / 11.5
    assert not right.texts
    assert right.get_title() == "b = 0.2 fm"
    assert "[fm]" in left.get_xlabel()
    svg(drawing)


def test_empty_channels_of_histograms_are_left_out() -> None:
    histogram = np.zeros(SHAPE)
    histogram[0, 10, 3, 0], histogram[2, 12, 20, 5] = 11.0, 2.0
    drawing = drawings.histogram_maps(histogram)
    *panels, bar = drawing.axes
    assert len(panels) == 6
    assert [panels[row].get_ylabel().split()[0] for row in (0, 3)] == ["first", "third"]
    assert [text.get_text() for axes in panels[:3] for text in axes.texts] == [
        "11.0 nucleons", "0.0 nucleons", "11.0 nucleons"
    ]  # fmt: skip
    assert bar.get_ylabel() == "nucleons in a bin"
    svg(drawing)


def test_ratios_are_of_densities_and_of_well_filled_bins(legend: Callable[..., list[str]]) -> None:
    truth, model = np.repeat([1.0, 2.0, 3.0], [400, 400, 4]), np.repeat([1.0, 2.0, 3.0], [100, 50, 90])
    one = Distribution("A", truth, {"flow": model}, 800, {"flow": 200}, whole=True, logarithmic=True)
    drawing = drawings.distributions([one], TITLES, KINDS)
    above, below = drawing.axes
    assert above.get_yscale() == "log"
    (line,) = [bar.lines[0] for bar in below.containers]
    assert np.asarray(line.get_ydata()) == pytest.approx([1.0, 0.5])
    assert legend(drawing) == ["simulator", "flow matching, conserving"]
    assert is_on_the_page(drawing)


def test_seven_distributions_without_events_fill_three_rows() -> None:
    empty = Distribution("p [MeV/c]", np.zeros(0), {"flow": np.zeros(0)}, 0, {"flow": 0})
    drawing = drawings.distributions([empty] * 7, TITLES, KINDS, ratios=False)
    shown = [axes for axes in drawing.axes if axes.axison]
    assert len(shown) == 7
    assert is_on_the_page(drawing)


def test_means_and_spreads_are_those_of_the_bins() -> None:
    b = np.repeat([0.5, 1.5, 2.5], [4, 4, 3])
    values = np.array([1.0, 1, 3, 3, 5, 5, 5, 5, 9, 9, 9])
    found = drawings.binned(b, values, np.arange(4.0))
    assert found.mean == pytest.approx([2, 5, np.nan], nan_ok=True)
    assert found.spread == pytest.approx([np.sqrt(4 / 3), 0, np.nan], nan_ok=True)
    assert found.mean_error == pytest.approx([np.sqrt(1 / 3), 0, np.nan], nan_ok=True)
    assert found.spread_error == pytest.approx([np.sqrt(4 / 3 / 6), 0, np.nan], nan_ok=True)


@pytest.mark.parametrize(("events", "edges"), [(0, [0, 8, 3]), (60, [1, 4, 3]), (9000, [1, 4, 8])])
def test_bins_of_impact_parameter_follow_the_events(events: int, edges: list[int]) -> None:
    b = np.random.default_rng(1).uniform(1.2, 3.9, events)
    found = drawings.impact_bins(b)
    assert [found[0], found[-1], len(found) - 1] == edges


def test_profiles_have_a_mean_above_a_spread(legend: Callable[..., list[str]]) -> None:
    rng = np.random.default_rng(1)
    b = rng.uniform(0, 8, 90)
    one = Profile("free nucleons", 8 - b, {"flow": 9 - b, "vae": 8 - b})
    drawing = drawings.profiles([one] * 4, b, {"flow": b, "vae": b}, TITLES, KINDS)
    shown = [axes for axes in drawing.axes if axes.axison]
    assert len(shown) == 8
    points = shown[0].containers[0].lines[0]
    truth = drawings.binned(b, 8 - b, drawings.impact_bins(b))
    assert np.asarray(points.get_ydata()) == pytest.approx(truth.mean + 1)
    assert legend(drawing)[0] == "simulator"
    assert is_on_the_page(drawing)


def test_floors_are_in_the_panel_of_every_generator(legend: Callable[..., list[str]]) -> None:
    found = {
        "flow": {"fragments": Measured(0.1, 0.02, 9), "odd": Measured(0.2, float("nan"), 9)},
        "vae": {"fragments": Measured(0.3, 0.5, 9)},
    }
    floor = {"fragments": Measured(0.05, 0.01, 9), "not there": Measured(0.01, 0.01, 9)}
    labels = {"fragments": "fragments", "odd": "odd", "not there": "not there"}
    drawing = scores.score_panels(found, floor, labels, TITLES, KINDS, "W1 / sigma")
    left, right = drawing.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["fragments", "odd"]
    for axes in (left, right):
        assert any(list(line.get_xdata()) == [0.05, 0.05] for line in axes.lines)
    assert left.get_xscale() == "log"
    assert right.get_xlabel() == "W1 / sigma"
    assert legend(drawing) == ["simulator against simulator"]
    assert is_on_the_page(drawing)


def test_isotopes_have_generators_in_their_own_colours(legend: Callable[..., list[str]]) -> None:
    data = {name: one for name, one in carbon_62mev().angular.items() if name in ("H2", "He4", "B11")}
    known = {name: CrossSection(one.cross_section, one.error, one.cross_section) for name, one in data.items()}
    nothing = {name: CrossSection(0 * one.value, 0 * one.error, one.limit) for name, one in known.items()}
    drawing = scores.isotope_angles(data, known, {"vae": known, "flow": nothing}, TITLES, KINDS)
    assert len(drawing.axes) == 6
    assert legend(drawing) == ["measured", "simulator", TITLES["vae"], TITLES["flow"], "68 % upper limit"]
    colours = {line.get_color() for line in drawing.axes[0].lines}
    assert looks(KINDS)["vae"].colour in colours
    assert "b/sr" in drawing.axes[0].get_ylabel()
    assert is_on_the_page(drawing)


@pytest.mark.parametrize("simulator", [0, 2])
def test_the_simulator_stands_above_the_generators_in_time(simulator: int) -> None:
    drawing = scores.cost_figure(
        np.full(simulator, 5.0), {"flow": 0.0007, "vae": 0.01}, {"flow": 2400.0}, 1e-3, TITLES, KINDS
    )
    left, right = drawing.axes
    rows = [label.get_text().replace("\n", " ") for label in left.get_yticklabels()]
    assert rows == ["simulator"] * bool(simulator) + [TITLES["flow"], TITLES["vae"]]
    assert "[s]" in left.get_xlabel()
    assert [float(line.get_xdata()[0]) for line in right.lines] == [2400.0]
    svg(drawing)


def test_latent_spaces_share_the_colours_of_impact_parameters() -> None:
    b = np.linspace(0, 8, 30)
    one = explanations.Latent(b, b, np.column_stack([b, -b]), "0.98 ± 0.01", np.array([0.9, 0.1]))
    near = explanations.Latent(b / 2, b, np.column_stack([b, -b]), "0.5 ± 0.2", np.array([0.5, 0.2]))
    drawing = explanations.latent_figure({"vae": one, "flow": near}, TITLES)
    limits = {axes.collections[0].get_clim() for axes in drawing.axes[:4]}
    assert limits == {(0.0, 8.0)}
    assert "r = 0.98 ± 0.01" in [text.get_text() for text in drawing.axes[1].texts]
    assert "0.90" in drawing.axes[0].get_xlabel()
    svg(drawing)


def test_reconstructions_name_quantity_and_correlation() -> None:
    values = np.linspace(2, 12, 20)
    one = explanations.Reconstruction("A of the largest fragment", values, values + 0.1, "0.99 ± 0.01")
    constant = explanations.Reconstruction("its E* [MeV]", np.zeros(20), np.zeros(20), "–")
    drawing = explanations.reconstruction_figure({"vae": [one, constant]}, TITLES, KINDS)
    assert [axes.get_title().replace("\n", " ") for axes in drawing.axes] == [
        "A of the largest fragment r = 0.99 ± 0.01", "its E* [MeV] r = –"
    ]  # fmt: skip
    assert drawing.axes[0].get_xlim() == drawing.axes[0].get_ylim()
    svg(drawing)


def test_conditions_average_uniformly_over_the_impact_parameter(legend: Callable[..., list[str]]) -> None:
    rng = np.random.default_rng(1)
    b, energy = rng.uniform(0, 8, 200), np.repeat([45.0, 62.0], [20, 180])
    grid, energies = np.linspace(0, 8, 9), np.array([45.0, 62.0, 95.0])
    panel = explanations.Conditions("free nucleons", np.tile(grid, (3, 1)), b)
    drawing = explanations.conditions_figure([panel] * 4, (grid, energies), (b, energy), 62.0, "flow")
    below = drawing.axes[4]
    assert np.asarray(below.lines[0].get_ydata()) == pytest.approx([4.0] * 3)
    (points,) = below.containers
    seen = np.asarray(points.lines[0].get_ydata())
    assert seen[1] == pytest.approx(b[20:].mean())
    assert np.isnan(seen[2])
    assert legend(drawing)[:2] == ["flow, 45 MeV/u", "simulator, 45 MeV/u"]
    assert is_on_the_page(drawing)
