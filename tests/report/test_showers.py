"""The air-shower report from a made-up run directory: every part is there, and words follow the numbers."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber.data.samples import Prediction
from cloudchamber.data.surface_array import TARGETS
from cloudchamber.metrics import measured
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.showers import shower_rows
from cloudchamber.report import showers_answers, showers_results
from cloudchamber.report.interactions_figures import looks
from cloudchamber.report.page import Section, write_page
from cloudchamber.report.showers import shower_sections
from cloudchamber.report.showers_figures import ANSWERS, bias_figure, own_looks, resolution_figure
from cloudchamber.report.showers_run import QUANTITIES, Found, Names, paired_ratio, read_run
from cloudchamber.schema import BadInput

PREDICTORS = {
    "mean": ("training <mean>", "floor"),
    "plane": ("plane fit", "baseline"),
    "spherical": ("spherical fit", "baseline"),
    "standard": ("standard reconstruction", "baseline"),
    "times": ("network, times", "network"),
    "totals": ("network, totals", "network"),
    "traces": ("network, traces", "network"),
    "lstm": ("network, LSTM", "network"),
    "graph": ("graph network", "network"),
}
NOISE = {
    "plane": 2.0,
    "spherical": 1.0,
    "standard": 0.9,
    "times": 1.5,
    "totals": 0.9,
    "traces": 0.6,
    "lstm": 0.65,
    "graph": 0.4,
}
UNIT = np.array([0.01, 0.01, 30.0, 30.0, 0.03, 30.0])
"""Of the noise: 0.9 degrees, 45 m, 7 %, 30 g/cm2."""
COUNT = 300
FIGURES = {
    "resolution", "opening_angles", "what_traces_bring", "answers", "biases", "coverage", "coverage_in_bins",
    "array_maps", "traces", "depths", "lateral", "delays", "variables", "readout", "variable_traces", "relevance",
    "slopes", "stations_off", "training",
}  # fmt: skip


@dataclass(frozen=True)
class FakeConfig:
    """What the sections read of the study's configuration."""

    records: int = 3000
    primaries: tuple[str, ...] = ("H", "Fe")
    spacing: float = 1500.0
    altitude: float = 1400.0
    timing_noise: float = 8.0


def made_up_truth(rng: np.random.Generator) -> np.ndarray:
    zenith, azimuth = np.radians(rng.uniform(0, 60, COUNT)), rng.uniform(-3, 3, COUNT)
    return np.stack(
        [np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth), rng.uniform(-500, 500, COUNT),
         rng.uniform(-500, 500, COUNT), rng.uniform(18.5, 20, COUNT), rng.normal(750, 60, COUNT)], axis=1
    )  # fmt: skip


def made_up_answers(truth: np.ndarray, rng: np.random.Generator) -> dict[str, Prediction]:
    found = {"mean": Prediction(np.tile(truth.mean(axis=0), (COUNT, 1)))}
    for name, noise in NOISE.items():
        mean = truth + noise * UNIT * rng.standard_normal((COUNT, 6))
        std = np.tile(noise * UNIT, (COUNT, 1))
        if name == "plane":
            mean[:, 2:] = std[:, 2:] = np.nan
        found[name] = Prediction(mean.astype(np.float32), std.astype(np.float32))
    return found


def explanations(rng: np.random.Generator) -> dict[str, dict[str, np.ndarray]]:
    names = ("traces", "lstm", "graph")
    quantity = ["risetime", "muon_fraction", "start_residual", "log_signal", "distance", "zenith"]
    variables: dict[str, np.ndarray] = {
        "quantity": np.array(quantity, dtype=object), "stations": np.array(900),
        "signal_readout": np.full(6, 0.2), "signal_readout_error": np.full(6, 0.01),
    }  # fmt: skip
    relevance: dict[str, np.ndarray] = {
        "edges": np.array([0.0, 1000.0, 2000.0]), "class_trace": np.tile(np.exp(-np.arange(40) / 10.0), (2, 1)),
        "class_n": np.array([20, 30]),
    }  # fmt: skip
    for name in names:
        for ending in ("", "_untrained"):
            key = f"{name}{ending}"
            correlation = rng.uniform(-1, 1, (10, 6))
            correlation[9] = np.nan
            variables |= {
                f"{key}_correlation": correlation, f"{key}_error": np.full((10, 6), 0.01),
                f"{key}_readout": np.full(6, 0.1 if ending else 0.6), f"{key}_readout_error": np.full(6, 0.01),
                f"{key}_spread": np.append(rng.uniform(0.1, 1, 9), 0.0),
                f"{key}_active": np.append(np.full(9, 0.7), 0.0), f"{key}_trace": rng.uniform(0, 0.1, (10, 3, 40)),
            }  # fmt: skip
            for what in ("axis", "core", "lg_energy", "xmax"):
                for sort, count in (("distance", 2), ("signal", 8), ("time", 8)):
                    relevance[f"{key}_off_{what}_{sort}"] = rng.uniform(0.1, 1, (2, count))
        for what in ("axis", "lg_energy", "xmax"):
            for kind in ("size", "slope"):
                relevance[f"{name}_{what}_{kind}"] = rng.normal(size=(2, 40))
                relevance[f"{name}_{what}_{kind}_error"] = np.full((2, 40), 0.1)
        relevance |= {
            f"{name}_change": np.full(4, 0.5), f"{name}_completeness": np.array([0.01, 0.3, 0.02, 0.03]),
            f"{name}_similarity": np.array([0.0, 0.1, 0.9, -0.1]), f"{name}_similarity_error": np.full(4, 0.02),
        }  # fmt: skip
    return {"variables": variables, "relevance": relevance}


def gallery(rng: np.random.Generator) -> dict[str, np.ndarray]:
    places = np.array([[x, y, 0.0] for x in (-1500.0, 0.0, 1500.0) for y in (-1500.0, 0.0, 1500.0)])
    status = np.tile([1, 1, 1, 0, 1, 0, -1, 1, 0], (3, 1))
    bins = 6
    return {
        "places": places, "map_status": status, "map_time": np.where(status == 1, 1000.0, np.nan) * rng.random((3, 9)),
        "map_signal": np.where(status == 1, 50.0, 0.0),
        "map_truth": np.tile([19.0, 0.5, 1.0, 100.0, -50.0, 750, 1], (3, 1)),
        "trace": rng.random((3, 40)), "trace_distance": np.array([500.0, 1000, 1800]),
        "trace_signal": np.array([900.0, 60, 8]), "trace_muon_fraction": np.array([0.3, 0.4, 0.9]),
        "primary": np.array([1, 56]), "profile_depth": np.linspace(0, 1400, 20), "profile": rng.random((2, 3, 20)),
        "xmax_edges": np.linspace(500, 1200, 9), "xmax_count": rng.integers(1, 20, (2, 8)),
        "xmax_energies": np.array([19.0, 19.5]), "radius": np.geomspace(200, 3000, bins + 1),
        "signal": np.geomspace(1000, 3, bins), "signal_error": np.full(bins, 0.5),
        "muon_signal": np.geomspace(300, 2, bins),
        "station_count": np.full(bins, 30), "expected_muon": np.geomspace(300, 1, bins),
        "expected_electromagnetic": np.geomspace(700, 1, bins), "triggered": np.linspace(1, 0, bins),
        "lateral_range": np.array([[19.3, 19.5], [20.0, 40.0]]), "delay_radius": np.linspace(0, 2500, bins + 1),
        "delay": np.sort(rng.uniform(0, 900, (2, 3, bins)), axis=1), "delay_front": rng.uniform(0, 900, (2, bins)),
        "delay_zenith": np.array([[0.0, 30.0], [45.0, 60.0]]),
    }  # fmt: skip


def written(path: Path, arrays: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values.astype(h5py.string_dtype()) if values.dtype == object else values


@pytest.fixture
def quick(fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not rendered, and errors are rough: for tests of what is there."""
    monkeypatch.setattr(measured, "RESAMPLES", 4)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up run; not to be changed."""
    run, rng = tmp_path_factory.mktemp("showers"), np.random.default_rng(3)
    truth = made_up_truth(rng)
    answers = made_up_answers(truth, rng)
    rows = [{**one, "sample": "test", "floor": None} for one in shower_rows(truth, answers, rng)]
    titles = {name: {"title": title, "kind": kind} for name, (title, kind) in PREDICTORS.items()}
    (run / "metrics.json").write_text(json.dumps({"predictors": titles, "rows": rows}))
    (run / "run.json").write_text(json.dumps({"study": "shower-reconstruction", "preset": "tiny", "seed": 1}))
    arrays: dict[str, np.ndarray] = {"test/truth": truth}
    for name, one in answers.items():
        arrays |= {f"test/{name}/mean": one.mean} | ({} if one.std is None else {f"test/{name}/std": one.std})
    written(run / "predictions.h5", arrays)
    for name, found in explanations(rng).items():
        written(run / "explanations" / f"{name}.h5", found)
    alone = {name: answers[name].mean for name in ("times", "totals", "traces", "lstm", "graph")}
    mass = rng.choice([1, 56], COUNT)
    alone["traces"] = alone["traces"] + np.where(mass == 56, 0.02, 0.0)[:, None] * np.eye(6)[4]
    written(run / "explanations" / "members.h5", alone | {"mass_number": mass})
    written(run / "gallery.h5", gallery(rng))
    lines = ["predictor,member,epoch,train_loss,validation_score,relative_mae"]
    for name in ("times", "totals", "traces", "lstm", "graph"):
        for member in range(3 if name == "graph" else 1):
            lines += [f"{name},{member},{epoch},{1 / epoch},{0.5 / epoch},{0.5 / epoch}" for epoch in (1, 2)]
    (run / "history.csv").write_text("\n".join(lines) + "\n")
    return run


@pytest.fixture(scope="module")
def sections(pristine: Path) -> list[Section]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measured, "RESAMPLES", 20)
        return shower_sections(pristine, FakeConfig())


@pytest.fixture(scope="module")
def found(pristine: Path) -> Found:
    return read_run(pristine, FakeConfig(), Names())


def figure_names(sections: list[Section]) -> set[str]:
    return {figure.name for section in sections for figure in section.figures}


# --- the page ---------------------------------------------------------------------------------------------------------


def test_every_figure_is_there_with_caption_and_alternative(sections: list[Section]) -> None:
    assert figure_names(sections) == FIGURES
    for section in sections:
        assert section.text
        for figure in section.figures:
            assert len(figure.caption) > 40
            assert len(figure.alt) > 20
            assert "<" not in figure.alt


def test_page_holds_all_and_escapes_titles(pristine: Path, sections: list[Section], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(pristine, run)
    text = write_page(run, sections).read_text()
    assert {path.stem for path in (run / "figures").glob("*.svg")} == FIGURES
    assert "training <mean>" not in text
    assert len(text) < 8e6


@pytest.mark.parametrize(
    ("missing", "gone"),
    [
        ("predictions.h5", {"opening_angles", "answers", "biases", "coverage", "coverage_in_bins"}),
        ("gallery.h5", {"array_maps", "traces", "depths", "lateral", "delays"}),
        ("history.csv", {"training"}),
        (
            "explanations",
            {"variables", "readout", "variable_traces", "relevance", "slopes", "stations_off"},
        ),
    ],
)
def test_missing_parts_do_not_appear(pristine: Path, tmp_path: Path, quick: None, missing: str, gone: set[str]) -> None:
    run = tmp_path / "run"
    shutil.copytree(pristine, run)
    path = run / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert figure_names(shower_sections(run, FakeConfig())) == FIGURES - gone


def test_array_of_another_shape_is_refused_with_the_run_named(pristine: Path, tmp_path: Path, quick: None) -> None:
    run = tmp_path / "run"
    shutil.copytree(pristine, run)
    with h5py.File(run / "explanations" / "relevance.h5", "r+") as file:
        del file["traces_completeness"]
        file["traces_completeness"] = np.zeros(3)
    with pytest.raises(BadInput, match="has another shape"):
        shower_sections(run, FakeConfig())


def test_truth_of_another_study_is_refused(pristine: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(pristine, run)
    written(run / "predictions.h5", {"test/truth": np.zeros((4, 2))})
    with pytest.raises(BadInput, match=r"expected \(showers, 6\)"):
        shower_sections(run, FakeConfig())


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_requirements_are_judged_by_their_numbers_whichever_way(found: Found) -> None:
    rows = {what: (cell, met) for what, _, cell, met in showers_results.criteria(found, "graph")}
    assert rows["energy resolution"][1] is True  # 0.4 of 7 %
    scores = dict(found.metrics.scores)
    key = ("graph", "test", "all", "energy_resolution")
    for value, met in ((0.0699, True), (0.0701, False)):
        scores[key] = replace(scores[key], value=value, error=0.01)
        changed = replace(found, metrics=replace(found.metrics, scores=scores))
        cell, verdict = {w: (c, m) for w, _, c, m in showers_results.criteria(changed, "graph")}["energy resolution"]
        assert verdict is met
        assert cell.endswith("met" if met else "missed")
    del scores[key]
    changed = replace(found, metrics=replace(found.metrics, scores=scores))
    cell, verdict = {w: (c, m) for w, _, c, m in showers_results.criteria(changed, "graph")}["energy resolution"]
    assert (cell, verdict) == ("not measured", None)


def test_directions_are_judged_beside_the_sphere_in_all_bins(found: Found, quick: None) -> None:
    judged = [
        met for what, _, _, met in showers_results.criteria(found, "traces") if "spherical" in what or "worst" in what
    ]
    assert judged == [True, True]  # 0.6 of the sphere's noise
    # one bin in which the network is worse
    scores = dict(found.metrics.scores)
    part = next(part for part in found.parts() if part.startswith("lgE"))
    key = ("traces", "test", part, "angular_resolution")
    scores[key] = replace(scores[key], value=2 * scores["spherical", "test", part, "angular_resolution"].value)
    changed = replace(found, metrics=replace(found.metrics, scores=scores))
    worst, where = showers_results.worst_bin(changed, "traces")
    assert where == part
    assert worst is not None
    assert worst.value == pytest.approx(2)
    judged = [
        m for what, _, _, m in showers_results.criteria(changed, "traces") if "spherical" in what or "worst" in what
    ]
    assert judged == [True, False]
    text = showers_results.summary(changed).text
    assert "missed: the same, worst bin of lg(E/eV)" in text


def test_ratio_of_answers_to_the_same_showers_has_a_paired_error(found: Found) -> None:
    angle = QUANTITIES[0]
    rng = np.random.default_rng(5)
    truth = made_up_truth(rng)
    first = truth + UNIT * rng.standard_normal((COUNT, 6))
    second = truth + 2 * (first - truth)
    one = paired_ratio(truth, second, first, QUANTITIES[3])
    assert one.value == pytest.approx(2, rel=1e-6)
    assert one.error == pytest.approx(0, abs=1e-6)  # the same showers: nothing fluctuates
    ratio = found.ratio("traces", "standard", angle)
    assert ratio is not None
    scores = [found.score(name, angle) for name in ("traces", "standard")]
    assert ratio.value == pytest.approx(scores[0].value / scores[1].value)
    # the answers' noises are independent here, so that the paired error is that of independent ones (20 %: bootstrap)
    apart = replace(found, test=None).ratio("traces", "standard", angle)
    assert ratio.error == pytest.approx(apart.error, rel=0.3)
    assert found.ratio("plane", "standard", QUANTITIES[1]) is None


def test_words_on_what_traces_bring_follow_the_numbers(found: Found) -> None:
    angle = QUANTITIES[0]
    assert "smaller</b> with traces than with total signals" in showers_results.step_line(found, angle)
    scores, answers = dict(found.metrics.scores), dict(found.test.predictions)
    key = ("traces", "test", "all", "angular_resolution")
    scores[key] = scores["totals", "test", "all", "angular_resolution"]
    answers["traces"] = answers["totals"]
    same = replace(found, metrics=replace(found.metrics, scores=scores), test=replace(found.test, predictions=answers))
    assert "nothing that could be measured" in showers_results.step_line(same, angle)
    scores[key] = replace(scores[key], value=5.0)
    worse = replace(found, metrics=replace(found.metrics, scores=scores))
    assert "larger</b> with traces" in showers_results.step_line(worse, angle)


def test_unequal_ensembles_are_compared_by_their_first_networks(
    found: Found, sections: list[Section], quick: None
) -> None:
    section = next(one for one in sections if one.title == "What the traces bring")
    assert "graph network 3 networks), and a larger ensemble is better" in section.text
    assert section.table is not None
    assert section.table.groups == {0: "Ensembles", 5: "First network of each alone"}
    assert len(section.table.rows) == 10
    equal = showers_results.traces_section(replace(found, sizes=dict.fromkeys(found.sizes, 2)))
    assert equal is not None
    assert "larger ensemble" not in equal.text


def test_coverage_outside_the_range_is_counted_as_such(found: Found) -> None:
    answers = dict(found.test.predictions)
    one = answers["graph"]
    std = one.std.copy()
    std[:, 4] *= 3
    answers["graph"] = Prediction(one.mean, std)
    test = replace(found.test, predictions=answers)
    stated = showers_answers.stating(found, test)
    assert "plane" not in stated  # it does not say all targets
    assert "mean" not in stated
    table, inside = showers_answers.uncertainty_table(found, test, stated)
    assert inside["graph"][TARGETS.index("lg_energy")] is False
    row = next(row for row in table.rows if row[0] == "graph network")
    assert row[1 + TARGETS.index("lg_energy")].startswith(("99", "100"))  # 3 standard deviations


def test_bias_between_primaries_is_what_was_put_in(found: Found) -> None:
    mass = found.members["mass_number"]
    answers = dict(found.test.predictions)
    mean = answers["graph"].mean.copy()
    mean[mass == 56, 4] += 0.1
    answers["graph"] = Prediction(mean, answers["graph"].std)
    table = showers_answers.primary_biases(found, replace(found.test, predictions=answers))
    assert list(table) == ["H", "Fe"]
    assert table["H"]["graph"][0].value == pytest.approx(0, abs=0.02)  # 3 % noise of about 150 showers: 0.4 %
    assert table["Fe"]["graph"][0].value == pytest.approx(10**0.1 - 1, abs=0.03)
    assert "Bias for Fe minus that for H" in showers_answers.bias_text(found, table)
    assert showers_answers.primary_biases(replace(found, members={}), found.test) == {}


# --- figures ----------------------------------------------------------------------------------------------------------


def test_the_figure_shows_every_method_where_its_numbers_are(found: Found) -> None:
    drawing = resolution_figure(found)
    assert len(drawing.axes) == 8
    shown = [" ".join(text.get_text().split()) for text in drawing.legends[0].get_texts()]
    # always saying the mean is drawn for the depth only, where it is not far off
    assert set(shown) == {title for title, _ in PREDICTORS.values()}
    first = drawing.axes[0]
    assert first.get_ylabel() == "angular resolution [°]"
    assert first.get_yscale() == "log"
    names = [name for name in PREDICTORS if name != "mean"]
    assert len(first.containers) == len(names)
    heights = np.asarray(first.containers[0][0].get_ydata())
    bins = [part for part in found.parts() if part.startswith("lgE")]
    assert heights == pytest.approx([found.score("plane", QUANTITIES[0], part).value for part in bins])
    assert len(drawing.axes[2].containers) == len(names) - 1  # a plane fit has no core


def test_no_two_methods_have_the_same_colour() -> None:
    kinds = {"mean": "floor"} | {f"fit{n}": "baseline" for n in range(5)} | {f"net{n}": "network" for n in range(5)}
    look = own_looks(kinds)
    assert len({one.colour for one in look.values()}) == len(kinds)
    assert look["net0"].colour == looks(kinds)["net0"].colour  # networks look the same in all figures


def test_biases_have_a_panel_for_primaries_only_where_known(found: Found) -> None:
    assert len(bias_figure(found, {}).axes) == 4
    one = {"H": {"graph": (Measured(0.01, 0.002, 9), Measured(3.0, 1.0, 9))}}
    drawing = bias_figure(found, one)
    assert len(drawing.axes) == 6
    assert float(np.asarray(drawing.axes[2].containers[0][0].get_ydata())[0]) == pytest.approx(1.0)  # per cent


def test_zenith_angle_of_answers_is_that_of_the_axis() -> None:
    axis = np.array([[math.sin(0.5), 0.0, 0, 0, 19, 700]])
    assert float(ANSWERS[0][1](axis)[0]) == pytest.approx(math.degrees(0.5))
