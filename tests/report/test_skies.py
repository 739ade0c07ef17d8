"""Sections of the searches for sources from made-up run directories, whichever way the numbers come out."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber.data import ensembles
from cloudchamber.metrics.searches import kind_rows, search_rows
from cloudchamber.report.page import Section, write_page
from cloudchamber.report.skies import (
    Found,
    chosen_rules,
    compared,
    needed_line,
    read_run,
    significance_section,
    source_sections,
    uniformity_section,
    universe_sections,
)
from cloudchamber.schema import BadInput

PREDICTORS = {
    "mean": ("predicting the mean", "floor", 0.0),
    "top_hat": ("top-hat scan", "baseline", 0.25),
    "template": ("template <scan>", "baseline", 0.5),
    "deepsphere": ("DeepSphere", "network", 0.5),
    "graph": ("graph network", "network", 0.45),
}
"""Title, kind, and how much the statistic grows with a signal cosmic ray."""
WORLDS = {"helium": "minimal, He", "jf12-helium": "JF12, He", "planck-helium": "Planck, He"}
METHODS = ("template:weight", "deepsphere:epsilon", "deepsphere:gamma", "graph:epsilon", "graph:probability")


@dataclass(frozen=True)
class FakeConfig:
    """What the sections read of the study's configuration."""

    cosmic_rays: int = 50
    minimum_energy: float = 40.0
    composition: str = "He"
    exposure: str = "full"
    field: str = "minimal"
    coherent: float = 5.1
    blurring: float = 2.79


def sphere(shape, rng):
    vectors = rng.standard_normal((*shape, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def answers(truth, gain, rng):
    """Exponential under isotropy, larger with signal; a fraction and a direction with some noise."""
    n = len(truth)
    if not gain:
        return np.concatenate([np.zeros((n, 1)), np.full((n, 1), 0.03), np.full((n, 3), np.nan)], axis=1)
    statistic = rng.exponential(size=n) + gain * 1000 * truth[:, 1]
    fraction = truth[:, 1] + 0.003 * rng.standard_normal(n)
    where = truth[:, 2:] + 0.1 * rng.standard_normal((n, 3))
    where /= np.linalg.norm(where, axis=1, keepdims=True)
    return np.concatenate([statistic[:, None], fraction[:, None], where], axis=1)


def truth_of(n, numbers, rng):
    truth = np.zeros((n, 5))
    truth[1::2, 0] = 1
    truth[1::2, 1] = np.resize(numbers, n // 2) / 1000
    truth[1::2, 2:] = sphere((n // 2,), rng)
    return truth


def explanations(home, rng):
    home.mkdir()
    sky, rays, signal = 4, 50, np.zeros((4, 50), np.uint8)
    for row, number in enumerate((1, 3, 6)):
        signal[row, :number] = 1
    arrays = {
        "maps": {
            "energy": rng.uniform(40, 100, (sky, rays)), "direction": sphere((sky, rays), rng), "signal": signal,
            "source": sphere((sky,), rng) * (signal.sum(axis=1) > 0)[:, None], "method": METHODS,
            "score": rng.standard_normal((len(METHODS), sky, rays)), "predictor": tuple(PREDICTORS),
            "statistic": rng.standard_normal((5, sky)), "fraction": np.full((5, sky), np.nan),
            "estimate": sphere((5, sky), rng),
        },
        "roc": {
            "method": METHODS, "skies": [9, 9, 3, 3, 9], "auc": [0.9, 0.7, 0.8, 0.6, 0.95], "common": 3,
            "auc_error": [0.01] * 5, "common_auc": [0.9, 0.7, 0.8, 0.6, 0.95], "common_auc_error": [0.02] * 5,
            "false_positive": np.linspace(0, 1, 5), "true_positive": np.tile(np.linspace(0, 1, 5) ** 0.3, (5, 1)),
            "edges": [1.0, 3.0, 6.5, 9.0], "auc_by_number": np.full((5, 3), 0.7),
            "auc_by_number_error": np.full((5, 3), 0.1), "skies_by_number": np.full((5, 3), 3),
        },
        "deletion": {
            "network": ("deepsphere", "deepsphere"), "method": ("template:weight", "deepsphere:epsilon"), "skies": 9,
            "fraction": [0, 0.05, 0.5],
            **{name: np.array([[4, 1, 0], [4, 0, -1.0]]) for name in ("statistic", "random", "difference")},
            **{f"{name}_error": np.full((2, 3), 0.1) for name in ("statistic", "random", "difference")},
        },
        "sanity": {
            "layer_network": ("deepsphere",) * 4, "layer_rule": ("epsilon", "epsilon", "gamma", "gamma"),
            "layer": ("dense 1", "statistics") * 2, "left": [0.9, 0.5] * 2, "absorbed": [0.1, 0.4] * 2,
            "violation": [1e-16, 2e-15, 0, 1e-16], "random_network": ("deepsphere",), "random_part": [0.5, 1.0],
            "similarity": [[0.8, 0.7]], "similarity_error": [[0.1, 0.1]],
        },
    }  # fmt: skip
    for name, one in arrays.items():
        with h5py.File(home / f"{name}.h5", "w") as file:
            for key, values in one.items():
                array = np.asarray(values)
                file[key] = array.astype(h5py.string_dtype()) if array.dtype.kind == "U" else array


def make_run(home: Path, worlds, rows_of) -> Path:
    rng = np.random.default_rng(5)
    home.mkdir()
    rows = []
    with h5py.File(home / "predictions.h5", "w") as file:
        for sample in ("test", *worlds):
            truth = truth_of(240, (10, 20, 30, 40, 60), rng)
            file[f"{sample}/truth"] = truth
            for name, (_, _, gain) in PREDICTORS.items():
                said = answers(truth, gain, rng)
                file[f"{sample}/{name}/mean"] = said
                rows += [{**row, "sample": sample, "floor": None} for row in rows_of(name, truth, said, rng)]
    for row in rows:  # JSON has no nan
        row |= {key: None for key in ("value", "error") if isinstance(row[key], float) and not np.isfinite(row[key])}
    known = {name: {"title": title, "kind": kind} for name, (title, kind, _) in PREDICTORS.items()}
    (home / "metrics.json").write_text(json.dumps({"predictors": known, "rows": rows}))
    (home / "run.json").write_text(json.dumps({"study": "cosmic-ray-sources", "preset": "tiny", "seed": 1}))
    with (home / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["predictor", "epoch", "train_loss", "one_minus_auc"])
        writer.writerows([name, epoch, 1 / (1 + epoch), 0.1] for name in ("deepsphere", "graph") for epoch in range(3))
    explanations(home / "explanations", rng)
    return home


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("sky") / "sources", WORLDS, search_rows)


@pytest.fixture(scope="module")
def found_sections(sources):
    return source_sections(sources, FakeConfig(), WORLDS | {"uf23-helium": "not simulated"})


def by_title(sections: list[Section]) -> dict[str, Section]:
    return {section.title: section for section in sections}


def test_every_section_of_sources(sources, found_sections) -> None:
    sections = found_sections
    assert [section.title for section in sections] == [
        "What came out", "The data", "How few signal cosmic rays are enough?", "Where measurement ends: the tails",
        "Are the p-values p-values?", "Another Galactic field", "Beside published fractions", "How strong, and where?",
        "Training", "Which cosmic rays?", "Does relevance find the signal?", "Do these cosmic rays matter?",
        "Can relevance be trusted?",
    ]  # fmt: skip
    page = write_page(sources, sections).read_text()
    assert "template &lt;scan&gt;" in page
    assert "template <scan>" not in page
    assert "nan" not in page.replace("dominant", "").split("</style>")[1].split("<svg")[0]
    assert "not simulated" not in page


def test_published_numbers_stand_as_published(found_sections) -> None:
    table = by_title(found_sections)["Beside published fractions"].table
    assert table is not None
    assert ("trained on and looking for Centaurus A", "500", "2.6", "3.4") in table.rows
    assert table.groups[4] == "This run"
    top_hat = next(row for row in table.rows if row[0].startswith("top-hat scan"))
    assert top_hat[1] == "50"
    assert 1 < float(top_hat[2].split()[0]) < 6  # in per cent, between the smallest and the largest number simulated


def test_significance_says_what_is_extrapolated(found_sections) -> None:
    text = by_title(found_sections)["How few signal cosmic rays are enough?"].text
    assert "With 480 isotropic skies" in text  # of the test split and three worlds
    assert "every number for 5σ in this run is extrapolated" in text


def test_ensemble_extends_the_measurement(sources) -> None:
    def statistic(seeds, count):
        return np.random.default_rng(seeds).exponential(size=count)

    ensembles.extend(sources / "null" / "deepsphere", "key", 4000, 2000, 1, statistic)
    try:
        found = read_run(sources, FakeConfig(), WORLDS)
        assert len(found.isotropic("deepsphere")) == 4480
        assert len(found.isotropic("graph")) == 480
        text = significance_section(read_run(sources, FakeConfig(), WORLDS)).text
        assert "DeepSphere in 4\u2009000 further isotropic skies" in text
    finally:
        for path in (sources / "null" / "deepsphere").glob("*"):
            path.unlink()


def test_p_values_of_skies_that_differ_from_the_rest_are_not_uniform(sources) -> None:
    """The test split's skies are counted in those of the other samples: a sample unlike the others shows."""
    found = read_run(sources, FakeConfig(), WORLDS)
    good = uniformity_section(found)
    assert good is not None
    assert "Not uniform at 1 %: none" in good.text
    one = found.scored["test"]
    mean = one.predictions["graph"].mean.copy()
    mean[:, 0] += 1
    shifted = {**one.predictions, "graph": replace(one.predictions["graph"], mean=mean)}
    bad = uniformity_section(replace(found, scored={**found.scored, "test": replace(one, predictions=shifted)}))
    assert bad is not None
    assert "Not uniform at 1 %: graph network" in bad.text


def test_words_follow_the_numbers(sources, found_sections) -> None:
    found = read_run(sources, FakeConfig(), WORLDS)
    needed = found.needed("deepsphere", "helium")
    assert needed is not None
    low, high = replace(needed, value=30.0, error=1.0), replace(needed, value=36.0, error=2.0)
    assert compared(low, high, "fewer", "more").startswith("clearly fewer")
    assert compared(high, low, "fewer", "more").startswith("clearly more")
    assert compared(low, low, "fewer", "more").startswith("the same")
    assert compared(low, replace(high, error=math.nan), "fewer", "more") == "fewer, with an error that is not known"
    scores = {**found.metrics.scores}
    for name, score in (("deepsphere", low), ("graph", high), ("top_hat", high), ("template", high)):
        scores[name, "helium", "signal", "signal_needed"] = score
    line = needed_line(replace(found, metrics=replace(found.metrics, scores=scores)), "helium")
    assert "<b>DeepSphere</b> needs 30.0 ± 1.0" in line
    assert line.count("clearly fewer") == 2
    assert "a leak until explained" in line
    assert found.title("template") == "template &lt;scan&gt;"
    assert "What came out" in by_title(found_sections)


def test_rule_is_chosen_by_its_area() -> None:
    roc = {"method": np.array(METHODS), "common_auc": np.array([0.9, 0.7, 0.8, 0.6, 0.95])}
    assert chosen_rules(roc, METHODS) == ["template:weight", *METHODS[2:]]
    roc["common_auc"][1] = 0.85
    assert "deepsphere:epsilon" in chosen_rules(roc, METHODS)
    assert chosen_rules({}, METHODS) == [name for name in METHODS if name != "deepsphere:gamma"]  # the first


def test_relevance_that_survives_random_weights_is_doubted(found_sections) -> None:
    text = by_title(found_sections)["Can relevance be trusted?"].text
    assert "must be read with care" in text
    assert "2.0e-15" in text


def test_universe(tmp_path) -> None:
    worlds = {"sources-10": "10 sources", "density-1e-2": "dense"}
    run = make_run(tmp_path / "universe", worlds, kind_rows)
    sections = universe_sections(run, FakeConfig(), worlds, {"density-1e-2": 1e-2, "sources-10": 1e-7})
    found = by_title(sections)
    density = found["Up to which density of sources?"]
    assert [figure.name for figure in density.figures] == [
        "density_median_sigma", "density_found_5_sigma", "density_auc",
    ]  # fmt: skip
    table = found["What came out"].table
    assert table is not None
    assert [cell for cell in table.header if cell.startswith("AUC")][1:] == ["AUC: 10 sources", "AUC: dense"]
    assert "rests on fitted tails" in found["What came out"].text
    write_page(run, sections)


def test_little_gives_little(tmp_path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"predictors": {}, "rows": []}))
    sections = source_sections(tmp_path, FakeConfig(), WORLDS)
    assert [section.title for section in sections] == ["What came out"]
    assert "too few isotropic skies" in sections[0].text


def test_truth_of_another_shape_is_refused(tmp_path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"predictors": {}, "rows": []}))
    with h5py.File(tmp_path / "predictions.h5", "w") as file:
        file["test/truth"] = np.zeros((3, 4))
    with pytest.raises(BadInput, match=r"expected \(skies, 5\)"):
        source_sections(tmp_path, FakeConfig(), WORLDS)


def test_found_leaves_out_the_floor(sources) -> None:
    found: Found = read_run(sources, FakeConfig(), WORLDS)
    assert list(found.kinds) == [name for name in PREDICTORS if name != "mean"]
