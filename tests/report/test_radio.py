"""The report on radio pulses from a made-up run directory: every part is there, and verdicts follow the numbers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber.data.radio_traces import FLUENCE, PEAK_TIME, PULSE, SAMPLES, SNR, TARGETS, WAVEFORM
from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.radio import radio_rows
from cloudchamber.report.page import Section, write_page
from cloudchamber.report.radio import radio_sections
from cloudchamber.report.radio_figures import limits, looks
from cloudchamber.run_directory import with_floors
from cloudchamber.studies.radio_denoising import TINY

PREDICTORS = {
    "trace": ("the trace <as> measured", "floor", 0.6),
    "notch": ("notch filter", "baseline", 0.4),
    "wiener": ("Wiener filter", "baseline", 0.3),
    "matched": ("matched filter, average pulse", "baseline", 0.25),
    "matched_true": ("matched filter, true pulse (bound)", "baseline", 0.1),
    "classifier": ("classifier", "network", 0.0),
    "denoiser": ("autoencoder", "network", 0.15),
}
WORLDS = {"noise": "noise alone", "quiet": "no transmitters"}


def truth_of(count: int, pulses: bool, rng: np.random.Generator) -> np.ndarray:
    found = np.zeros((count, len(TARGETS)), np.float32)
    there = (np.arange(count) % 2 == 0) & pulses
    found[there, PULSE] = 1
    found[there, SNR] = np.exp(rng.uniform(0, np.log(20), there.sum()))
    found[there, FLUENCE] = found[there, SNR] ** 2
    time = np.arange(SAMPLES) / 180
    found[:, WAVEFORM:] = found[:, SNR, None] * np.exp(-0.5 * ((time - 1.4) / 0.02) ** 2) * np.cos(345 * time)
    return found


def answer_of(truth: np.ndarray, error: float, only_score: bool, rng: np.random.Generator) -> Prediction:
    said = truth + 0.0
    said[:, PULSE] = truth[:, SNR] - 2 + rng.normal(0, 0.5, len(truth))
    said[:, FLUENCE] *= np.exp(rng.normal(0, error, len(truth)))
    said[:, PEAK_TIME] += rng.normal(0, 10, len(truth))
    said[:, WAVEFORM:] += rng.normal(0, error, (len(truth), SAMPLES))
    if only_score:
        said[:, PULSE + 1 :] = np.nan
    return Prediction(said)


@pytest.fixture(scope="module")
def radio_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run, rng, rows = tmp_path_factory.mktemp("radio"), np.random.default_rng(1), []
    with h5py.File(run / "predictions.h5", "w") as file:
        for sample, count, pulses in (("test", 300, True), ("noise", 200, False), ("quiet", 100, True)):
            truth = truth_of(count, pulses, rng)
            said = {
                name: answer_of(truth, error, name == "classifier", rng) for name, (*_, error) in PREDICTORS.items()
            }
            rows += [{**row, "sample": sample} for row in radio_rows(truth, said, rng)]
            file[f"{sample}/truth"] = truth
            for name, one in said.items():
                file[f"{sample}/{name}/mean"] = one.mean
    known = {name: {"title": title, "kind": kind} for name, (title, kind, _) in PREDICTORS.items()}
    rows = with_floors(rows, {"trace": type("Floor", (), {"kind": "floor"})()})
    (run / "metrics.json").write_text(json.dumps({"predictors": known, "rows": rows}))
    (run / "run.json").write_text(json.dumps({"study": "radio-denoising", "preset": "tiny", "seed": 1}))
    with (run / "history.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["predictor", "epoch", "train_loss", "energy_resolution", "missed_pulses"])
        table.writerows([["denoiser", n, 1 / (n + 1), 0.3 / (n + 1), ""] for n in range(3)])
        table.writerows([["classifier", n, 1 / (n + 1), "", 0.3 / (n + 1)] for n in range(3)])
    (run / "explanations").mkdir()
    frequency, line = np.fft.rfftfreq(SAMPLES, 1 / 180), np.linspace(0.1, 1, SAMPLES // 2 + 1)
    arrays: dict[str, dict[str, np.ndarray]] = {
        "examples": {
            "measured": rng.normal(size=(2, SAMPLES)), "signal": truth_of(2, True, rng)[:, WAVEFORM:],
            "snr": np.array([4.2, 0.0]), **{f"waveform_{name}": rng.normal(size=(2, SAMPLES)) for name in PREDICTORS},
        },
        "transfer": {
            "frequency": frequency,
            **{f"{what}_{name}": line for what in ("pulse", "noise") for name in PREDICTORS},
        },
        "disturbances": {
            "snr": np.array([1.5, 3.0, 12.0]), "trials": np.array(20),
            **{f"{kind}_{name}": np.array([0, 0.5, 1]) for kind in ("pulse", "spark") for name in PREDICTORS},
        },
        "relevance": {
            "time": np.arange(-40, 41) * 5.6, "frequency": frequency, "chance": np.array(0.16),
            **{f"time_{who}": rng.normal(size=81) for who in ("classifier", "random_classifier")},
            **{f"frequency_{who}": rng.normal(size=len(frequency)) for who in ("classifier", "random_classifier")},
            "near_classifier": np.full(5, 0.8), "near_random_classifier": np.full(5, 0.2),
        },
    }  # fmt: skip
    for name, one in arrays.items():
        with h5py.File(run / "explanations" / f"{name}.h5", "w") as file:
            for key, values in one.items():
                file[key] = values
    return run


@pytest.fixture(scope="module")
def sections(radio_run: Path) -> list[Section]:
    return radio_sections(radio_run, TINY, WORLDS)


def test_report_has_every_section_in_order_and_escapes_titles(radio_run: Path, sections: list[Section]) -> None:
    assert [section.title for section in sections] == [
        "What came out", "The data", "How well is the energy known?", "Found, missed, made up", "Is it the same pulse?",
        "Other noise than in training", "What comes through", "What is taken for a pulse",
        "What the classifier looks at", "Training",
    ]  # fmt: skip
    page = write_page(radio_run, sections).read_text()
    assert "&lt;as&gt;" in page
    assert "<as>" not in page
    assert "nan" not in page.split("</style>")[1].split("<svg")[0]


def test_verdicts_compare_with_the_baselines_but_not_with_the_bound(
    sections: list[Section], text_of: Callable[[list[Section], str], str]
) -> None:
    text = text_of(sections, "What came out")
    assert "matched filter, average pulse, resolves" in text  # the best of those that know no truth
    assert "better than every baseline: met" in text
    assert "below 20 %): met" in text
    assert "the bound" in text


def test_numbers_that_miss_a_demand_are_called_so(radio_run: Path, tmp_path: Path) -> None:
    metrics = json.loads((radio_run / "metrics.json").read_text())
    for row in metrics["rows"]:
        if row["predictor"] == "denoiser" and row["target"] == "fluence" and row["metric"] in ("bias", "resolution"):
            row["value"] = 0.5
        if row["metric"] == "efficiency":
            row["value"] = 0.3
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    (summary,) = radio_sections(tmp_path, TINY, {})[:1]
    assert summary.text.count("<b>not met</b>") == 5  # bias, resolution, baselines, and two networks that find too few


def test_a_run_without_results_has_one_section_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"predictors": {}, "rows": []}))
    (summary,) = radio_sections(tmp_path, TINY, {})
    assert "too few pulses" in summary.text


def test_the_bound_is_black_and_networks_have_colours_of_their_own() -> None:
    found = looks({name: kind for name, (_, kind, _) in PREDICTORS.items()})
    assert found["matched_true"]["color"] == "#222222"
    shown = [one["color"] for one in found.values()]
    assert len(set(shown)) == len(shown)


def test_limits_of_an_axis_hold_all_values_but_not_beyond() -> None:
    low, high = limits([0.0, 1.0], -0.5, 1.02)
    assert low < 0
    assert high == 1.02
    assert limits([], 0.0, 2.0)[0] >= 0
