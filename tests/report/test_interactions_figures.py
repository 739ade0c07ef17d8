"""Figures of interactions: axes have units, ratios are of densities per event, legends name what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing

from cloudchamber.metrics.measured import Measured
from cloudchamber.report import interactions_condition_figures as conditions
from cloudchamber.report import interactions_figures as drawings
from cloudchamber.report.interactions_figures import Distribution
from cloudchamber.report.interactions_tables import LABELS
from cloudchamber.report.style import svg
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_of

TITLES = {"flow": "flow matching", "gan": "GAN", "again": "Geant4 again"}


KINDS = {"flow": "network", "gan": "network", "again": "floor"}


LONG = {
    "flow": "flow matching, conserving", "unprojected": "flow matching before the projection",
    "gan": "GAN, as published", "conserving_gan": "GAN with our kinds and projection",
    "parametrisation": "negative binomial, transverse mass, rapidity",
    "resampling": "resampling at the nearest condition", "again": "Geant4 again (truth against truth)",
}  # fmt: skip  # fmt: skip
"""Titles as the studies have them."""


LONG_KINDS = dict.fromkeys(LONG, "network") | {"again": "floor"}


def is_on_the_page(drawing: Drawing) -> bool:
    """Whether the legend as it is drawn lies within the figure."""
    svg(drawing)
    box, page = drawing.legends[0].get_window_extent(), drawing.bbox
    return bool(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.x1 and box.y1 <= page.y1)


def event() -> Events:
    """A pion of 25 GeV that passes a carbon nucleus and leaves it as it was, with a muon that is none of ours."""
    beam = Beam(np.array([211], np.int32), np.array([6], np.int32), np.array([25.0]), np.array([[0.0, 0.0, 1.0]]))
    nucleus, incoming = incoming_of(beam)
    rest = np.array([11.17486338798439, 0.0, 0.0, 0.0])
    momentum = np.stack([incoming[0] - rest, rest, [0.2, 0.1, 0.0, 0.1]])
    kind = np.array([211, nucleus[0], 13], np.int32)
    return Events(beam, nucleus, incoming, np.zeros(1, np.uint8), np.array([0, 3]), kind, momentum)


def test_rapidity_is_that_of_the_rest_frame() -> None:
    one = event()
    across, rapidity = drawings.in_rest_frame(one)
    assert across[:2] == pytest.approx([0, 0])
    boost = np.arctanh(one.incoming[0, 3] / one.incoming[0, 0])
    assert rapidity[1] == pytest.approx(-boost)


def test_an_event_is_shown_by_its_kinds(legend: Callable[..., list[str]]) -> None:
    drawing = drawings.event_display(event(), ["pi+ on C"])
    assert legend(drawing) == ["π±", "nuclei", "others"]
    assert "GeV" in drawing.axes[0].get_ylabel()
    assert svg(drawing).startswith("<svg")


def test_ratios_are_per_event(legend: Callable[..., list[str]]) -> None:
    truth, model = np.repeat([1.0, 2.0, 3.0], 400), np.repeat([1.0, 2.0, 3.0], 100)
    one = Distribution("particles", truth, {"flow": model}, 1200, {"flow": 300}, whole=True)
    drawing = drawings.distributions([one], TITLES, KINDS, "truth, Geant4")
    points = drawing.axes[1].containers[0].lines[0]
    assert np.asarray(points.get_ydata()) == pytest.approx([1, 1, 1])
    assert legend(drawing) == ["truth, Geant4", "flow matching"]
    assert drawing.axes[1].get_ylim() == (0.5, 1.5)
    assert svg(drawing).startswith("<svg")


def test_a_model_far_off_gets_a_wider_ratio_and_an_empty_one_none(legend: Callable[..., list[str]]) -> None:
    rng = np.random.default_rng(1)
    truth = rng.exponential(size=3000)
    models = {"flow": 2 * rng.exponential(size=3000), "gan": np.zeros(0)}
    one = Distribution("$p_T$ [GeV]", truth, models, 1000, {"flow": 1000, "gan": 1000})
    drawing = drawings.distributions([one], TITLES, KINDS, "truth", logarithmic=True)
    assert legend(drawing) == ["truth", "flow matching", "GAN"]
    assert drawing.axes[1].get_ylim() == (0, 2)
    assert drawing.axes[0].get_yscale() == "log"
    assert svg(drawing).startswith("<svg")


def test_floors_of_observables_are_crosses_without_bars(legend: Callable[..., list[str]]) -> None:
    scores = {
        "flow": {"n": Measured(0.1, 0.02, 9), "odd": Measured(0.2, float("nan"), 9)},
        "again": {"n": Measured(0.01, 0.01, 9)},
    }
    drawing = drawings.observable_dots(scores, TITLES, KINDS, {"n": "particles", "odd": "odd", "absent": "absent"})
    axes = drawing.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["particles", "odd"]
    assert axes.get_xscale() == "log"
    assert legend(drawing) == ["flow matching", "Geant4 again"]


def test_legends_of_long_titles_stay_on_the_page(legend: Callable[..., list[str]]) -> None:
    rng = np.random.default_rng(1)
    values = {name: rng.exponential(size=300) for name in LONG}
    one = Distribution("$p_T$ [GeV]", rng.exponential(size=300), values, 100, dict.fromkeys(LONG, 100))
    seven = drawings.distributions([one] * 3, LONG, LONG_KINDS, "truth, UrQMD")
    scores = {name: {"n": Measured(0.1, 0.02, 9)} for name in LONG}
    dots = drawings.observable_dots(scores, LONG, LONG_KINDS, {"n": "particles"})
    events = event()
    events = replace(events, channel=np.ones(1, np.uint8))
    hadrons = conditions.multiplicity_grid(events, dict.fromkeys(LONG, events), LONG, LONG_KINDS, "truth, UrQMD")
    for drawing, first in ((seven, ["truth, UrQMD"]), (dots, []), (hadrons, ["truth, UrQMD"])):
        assert legend(drawing) == [*first, *LONG.values()]
        assert is_on_the_page(drawing)


@pytest.mark.parametrize("models", [["flow"], ["flow", "gan"], ["flow", "gan", "again"]])
def test_correlations_have_a_panel_a_model(models: list[str]) -> None:
    rng = np.random.default_rng(1)
    draw = lambda: {name: rng.normal(size=50) for name in "abc"} | {"constant": np.ones(50)}  # noqa: E731
    drawing = drawings.correlation_maps(draw(), {name: draw() for name in models}, TITLES, {"a": "first"}, "truth, X")
    titles = [axes.get_title() for axes in drawing.axes if axes.get_title()]
    assert len(titles) == 1 + len(models)
    assert titles[0] == "truth, X"
    bars = [axes.get_xlabel() for axes in drawing.axes if axes.get_xlabel()]
    assert bars == [f"correlation coefficient, {what}" for what in ("truth", "model minus truth")]
    assert [label.get_text() for label in drawing.axes[0].get_yticklabels()] == ["first", "b", "c"]


def test_labels_of_eighteen_correlated_observables_do_not_overlap() -> None:
    rng = np.random.default_rng(1)
    draw = lambda: {name: rng.normal(size=50) for name in LABELS}  # noqa: E731
    models = {name: draw() for name in ("flow", "unprojected", "resampling")}
    drawing = drawings.correlation_maps(draw(), models, LONG, LABELS, "truth, Geant4")
    svg(drawing)
    assert len(LABELS) == 18
    for axes in drawing.axes[:4]:
        assert axes.get_position().width > 0.3
    for text in (drawing.axes[0].get_yticklabels(), drawing.axes[2].get_yticklabels()):
        boxes = sorted((box.y0, box.y1) for box in (one.get_window_extent() for one in text))
        assert all(upper[0] >= lower[1] - 1 for lower, upper in pairwise(boxes))
        assert [one.get_text() for one in text] == list(LABELS.values())
    below = drawing.axes[3].get_xticklabels()
    boxes = sorted((box.x0, box.x1) for box in (one.get_window_extent() for one in below))
    assert all(right[0] >= left[1] - 1 for left, right in pairwise(boxes))


def test_simulators_and_generators_have_their_speed(legend: Callable[..., list[str]]) -> None:
    rows = [
        {"model": model, "projectile": "pi+", "target": target, "energy": 25, "batch": batch, "events_per_second": 9.0}
        for model, targets in (("geant4", "HC"), ("flow", "H"))
        for target in targets
        for batch in (1, 10)
    ]
    drawing = drawings.speed_figure(rows, {**TITLES, "geant4": "Geant4"}, KINDS)
    assert legend(drawing) == ["Geant4", "flow matching"]
    assert [axes.get_title() for axes in drawing.axes] == ["pi+ on H, 25 GeV", "pi+ on C, 25 GeV"]
    assert drawing.axes[0].get_ylabel() == "events per second"
    assert svg(drawing).startswith("<svg")


def test_every_reaction_has_a_panel_of_speed() -> None:
    rows = [
        {"model": name, "projectile": "pi+", "target": target, "energy": 25, "batch": 10, "events_per_second": 9.0}
        for target in ("H", "C", "Fe", "Pb", "W")
        for name in LONG
    ]
    drawing = drawings.speed_figure(rows, LONG, LONG_KINDS)
    titles = [axes.get_title() for axes in drawing.axes if axes.get_title()]
    assert titles == [f"pi+ on {target}, 25 GeV" for target in ("H", "C", "Fe", "Pb", "W")]
    assert is_on_the_page(drawing)


def test_every_score_of_a_training_has_a_panel(legend: Callable[..., list[str]]) -> None:
    history = [
        {"predictor": name, "epoch": str(epoch), "train_loss": "1.5", "w1_over_sigma": one, "mean_distance": other}
        for name, one, other in (("flow", "0.2", ""), ("flow/counts", "0.3", ""), ("gan", "", "0.7"), ("x", "1", ""))
        for epoch in range(3)
    ]
    scores = {"w1_over_sigma": "W1", "mean_distance": "distance"}
    drawing = drawings.training_figure(history, TITLES, KINDS, scores)
    assert [axes.get_ylabel() for axes in drawing.axes] == ["training loss", "W1", "training loss", "distance"]
    assert [len(axes.lines) for axes in drawing.axes] == [2, 2, 1, 1]
    assert drawing.axes[3].lines[0].get_ydata() == pytest.approx([0.7] * 3)
    assert legend(drawing) == ["flow matching", "flow matching: counts", "GAN"]
    assert is_on_the_page(drawing)
