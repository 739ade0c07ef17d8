"""The report of the function-fit study, made from a run directory, and what it says if things are otherwise."""

from __future__ import annotations

import re
from pathlib import Path
from shutil import copytree

import h5py
import numpy as np
import pytest

from cloudchamber.data.files import write_arrays, write_json
from cloudchamber.data.function_points import measured
from cloudchamber.report.files import Metrics, read_arrays
from cloudchamber.report.function_fit import function_fit_sections
from cloudchamber.report.function_fit_network_figures import number
from cloudchamber.report.function_fit_results import verdict
from cloudchamber.report.page import write_page
from cloudchamber.schema import BadInput
from cloudchamber.studies.function_fit import FunctionConfig, predictors, study

CONFIG = FunctionConfig(
    steps=1000, members=2, scan_steps=10, scan_members=2, line_repeats=300, repeats=3, repeat_steps=10
)
TITLES = [
    "Points of a function",
    "A straight line by least squares",
    "Is the covariance true?",
    "The loss, and three ways down",
    "Backpropagation, every number of it",
    "The gradient, layer by layer",
    "The optimiser",
    "What the network knows after so many steps",
    "When to stop",
    "Beside polynomial, spline and Gaussian process",
    "Measured again and again",
]


@pytest.fixture(scope="module")
def fit_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with the explanations of methods that were fitted to a few points."""
    rng, run = np.random.default_rng(2), tmp_path_factory.mktemp("run")
    train, held_out = (measured(rng.uniform(-1, 1, n), np.full(n, 0.1), rng) for n in (40, 10))
    found = predictors(CONFIG, 1, "cpu")
    for name, predictor in found.items():
        predictor.fit(train, held_out, run / "checkpoints" / name)
    for name, explain in study.explanations.items():
        arrays = explain(CONFIG, found, held_out, np.random.default_rng(1))
        write_arrays(run / "explanations" / f"{name}.h5", arrays)
    rows = [
        {
            "predictor": name,
            "sample": sample,
            "target": "y",
            "metric": metric,
            "value": 0.1 + place,
            "error": 0.01,
            "n": 9,
        }
        for place, name in enumerate(found)
        for sample in ("inside", "outside")
        for metric in ("rmse", "coverage_68")
    ]
    known = {name: {"title": one.title, "kind": one.kind} for name, one in found.items()}
    write_json(run / "metrics.json", {"rows": rows, "predictors": known})
    write_json(run / "run.json", {"study": "function-fit", "preset": "tiny", "seed": 1})
    return run


@pytest.fixture
def copied(fit_run: Path, tmp_path: Path) -> Path:
    return Path(copytree(fit_run, tmp_path / "copy"))


def test_the_page_tells_the_lecture_in_its_order(copied: Path) -> None:
    sections = function_fit_sections(copied, CONFIG)
    assert [section.title for section in sections] == TITLES
    assert all(figure.alt and figure.caption for section in sections for figure in section.figures)
    page = write_page(copied, sections).read_text()
    words = re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)
    assert not re.search(r"\bnan\b|\binf\b|[{}]", re.sub(r"<style.*?</style>", "", words, flags=re.DOTALL))


def test_what_was_not_explained_does_not_appear(copied: Path) -> None:
    for name in ("line", "optimisers", "repeated"):
        (copied / "explanations" / f"{name}.h5").unlink()
    gone = {*TITLES[1:4], "The optimiser", "Measured again and again"}
    assert [one.title for one in function_fit_sections(copied, CONFIG)] == [one for one in TITLES if one not in gone]


def test_a_file_without_its_arrays_is_one_clear_line(copied: Path) -> None:
    with h5py.File(copied / "explanations" / "line.h5", "r+") as file:
        del file["covariance"]
    with pytest.raises(BadInput, match="run the study again"):
        function_fit_sections(copied, CONFIG)


def test_verdict_follows_the_numbers_both_ways() -> None:
    metrics = Metrics({"network": "network", "spline": "spline"}, {"network": "network", "spline": "baseline"}, {})
    names, rng = ["spline", "network"], np.random.default_rng(3)
    scatter = np.exp(0.05 * rng.standard_normal((20, 2)))
    for factors, words in (((1.0, 0.5), "nearer to the function"), ((0.5, 1.0), "farther from the function")):
        said = verdict(metrics, {"inside": scatter * factors, "outside": scatter / factors}, names, "spline")
        assert f"inside {words}" in said
        assert f"outside {words}" not in said
    equal = np.array([[1.0, 1.2], [1.2, 1.0]] * 5)
    said = verdict(metrics, {"inside": equal, "outside": equal}, names, "spline")
    assert said.count("as near to the function (1.00") == 2
    far = {"inside": equal, "outside": np.array([[1e6, 1.0], [1e7, 1.1]])}
    assert "outside nearer to the function (less than 0.001 times its error" in verdict(metrics, far, names, "spline")


def test_stopping_step_in_the_text_is_that_of_the_file(copied: Path) -> None:
    path = copied / "explanations" / "approximation.h5"
    arrays = read_arrays(path)
    kept = int(np.flatnonzero(arrays["step"] == 501)[0])
    write_arrays(path, {**arrays, "kept": np.array([kept, kept])})
    text = next(one.text for one in function_fit_sections(copied, CONFIG) if one.title == "When to stop")
    assert "here 501." in text


def test_numbers_of_the_worked_example_have_a_true_minus_sign() -> None:
    assert [number(one) for one in (-0.5, 3.0, 0.25)] == ["−0.5", "3", "0.25"]
