"""Explanations of radio pulses: relevance that adds up, gains of known filters, and what is added to noise."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cloudchamber.data.radio_traces import (
    MEASURED,
    PULSE,
    SAMPLES,
    SAMPLING,
    TARGETS,
    TRUE,
    WAVEFORM,
    inputs,
    targets,
)
from cloudchamber.data.samples import ArrayRecords, Inputs, Prediction, Samples
from cloudchamber.explain.radio import (
    DISTURBANCE_SNR,
    disturbances,
    examples,
    gradient_times_input,
    relevance,
    stimuli,
    transfer,
)
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.radio_networks import PulseClassifier
from cloudchamber.networks.radio_classifier import RadioClassifier
from cloudchamber.simulators.airshower.radio_pulse import BAND
from cloudchamber.simulators.airshower.radio_traces import RadioOptions, radio_traces

pytestmark = pytest.mark.usefixtures("one_thread")


class Halved:
    """Returns half of the trace; finds everything whose largest value is above 120 uV/m."""

    title, kind = "half", "baseline"

    def predict(self, given: Inputs) -> Prediction:
        said = np.full((len(given), WAVEFORM + SAMPLES), np.nan, np.float32)
        said[:, PULSE] = np.abs(given[:, MEASURED]).max(axis=1) - 120
        said[:, WAVEFORM:] = 0.5 * given[:, MEASURED]
        return Prediction(said)


@pytest.fixture(scope="module")
def test_split() -> Samples:
    found = radio_traces(RadioOptions(snr_min=1, snr_max=20), 120, np.random.default_rng(1))
    arrays = found | {"trace": found["signal"] + found["noise"], "sampling": np.full(120, SAMPLING)}
    return Samples(ArrayRecords(arrays), np.arange(120), partial(inputs, None), targets(None, arrays), TARGETS)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_half_of_the_trace_has_a_gain_of_one_half_at_every_frequency(test_split: Samples) -> None:
    found = transfer(None, {"half": Halved()}, test_split, rng())
    inside = (found["frequency"] > BAND[0]) & (found["frequency"] < BAND[1])
    np.testing.assert_allclose(found["noise_half"][inside], 0.5, rtol=1e-4)
    assert found["pulse_half"][inside].mean() == pytest.approx(0.5, abs=0.05)  # 139 frequencies, 0.15 each from noise


def test_examples_have_faint_and_strong_pulses_and_one_trace_without(test_split: Samples) -> None:
    found = examples(None, {"half": Halved()}, test_split, rng())
    assert found["snr"].tolist().count(0) == 1
    np.testing.assert_allclose(found["waveform_half"], 0.5 * found["measured"], rtol=1e-6)
    assert not found["signal"][found["snr"] == 0].any()
    assert np.ptp(found["snr"][found["snr"] > 0]) > 4


def test_what_is_added_to_noise_has_height_one_and_its_own_kind(test_split: Samples) -> None:
    pulses = test_split.targets[test_split.targets[:, PULSE] > 0, WAVEFORM:]
    made = stimuli(pulses, 50, rng())
    assert list(made) == ["pulse", "spark", "transmitter", "single sample"]
    for kind, waveforms in made.items():
        np.testing.assert_allclose(np.abs(waveforms).max(axis=1), 1, rtol=1e-6, err_msg=kind)
    long = {kind: np.square(one).sum(axis=1).mean() for kind, one in made.items()}
    assert long["transmitter"] > 10 * long["spark"] > long["single sample"]


def test_louder_disturbances_are_found_more_often(test_split: Samples) -> None:
    found = disturbances(None, {"half": Halved()}, test_split, rng())
    for kind in ("pulse", "spark", "transmitter", "single sample"):
        curve = found[f"{kind}_half"]
        assert curve.shape == (len(DISTURBANCE_SNR),)
        assert curve[-1] > curve[0]
        assert curve[-1] > 0.5


def test_relevance_in_time_and_frequency_has_the_sum_of_a_linear_network() -> None:
    class Linear(nn.Module):
        weight = torch.linspace(-1, 1, SAMPLES)

        def forward(self, traces: Tensor) -> Tensor:
            return (traces * self.weight).sum(dim=1, keepdim=True)

    traces = rng().normal(size=(3, SAMPLES))
    in_time, in_frequency = gradient_times_input(Linear(), traces)
    answer = (traces * Linear.weight.numpy()).sum(axis=1)
    np.testing.assert_allclose(in_time.sum(axis=1), answer, rtol=1e-4)  # single precision
    np.testing.assert_allclose(in_frequency.sum(axis=1), answer, rtol=1e-4)


def test_relevance_of_trained_and_random_weights_stands_side_by_side(test_split: Samples) -> None:
    torch.manual_seed(1)
    classifier = PulseClassifier("one", RadioClassifier, TrainingOptions(), 1)
    classifier.network = RadioClassifier(widths=(8, 8), kernel=3, gates=1).eval()
    found = relevance(None, {"classifier": classifier, "half": Halved()}, test_split, rng())
    for label in ("classifier", "random_classifier"):
        assert found[f"time_{label}"].shape == found["time"].shape
        assert found[f"frequency_{label}"].shape == found["frequency"].shape
        assert ((found[f"near_{label}"] >= 0) & (found[f"near_{label}"] <= 1 + 1e-9)).all()
    assert "time_half" not in found
    assert not np.allclose(found["time_classifier"], found["time_random_classifier"])


def test_the_inputs_of_disturbances_name_what_was_added(test_split: Samples) -> None:
    seen = []

    class Spy(Halved):
        def predict(self, given: Inputs) -> Prediction:
            seen.append(given)
            return super().predict(given)

    disturbances(None, {"spy": Spy()}, test_split, rng())
    assert all(np.isfinite(given).all() for given in seen)
    assert all(np.abs(given[:, TRUE]).max() > 0 for given in seen)
