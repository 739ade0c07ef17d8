"""Networks for radio pulses: the losses, that they learn, and that a training goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from cloudchamber.data.radio_traces import (
    MEASURED,
    PULSE,
    SAMPLES,
    SAMPLING,
    SNR,
    TARGETS,
    TRUE,
    WAVEFORM,
    inputs,
    targets,
)
from cloudchamber.data.samples import ArrayRecords, Samples
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.radio_networks import PulseClassifier, PulseDenoiser
from cloudchamber.learning.radio_training import ENERGY_WEIGHT, PulseRecovery, recovery_loss
from cloudchamber.networks.radio_classifier import RadioClassifier
from cloudchamber.networks.radio_denoiser import RadioDenoiser
from cloudchamber.schema import BadInput

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*", "ignore::DeprecationWarning:lightning.*")

make_denoiser = partial(RadioDenoiser, widths=(8, 8), kernel=3, gates=1)
make_classifier = partial(RadioClassifier, widths=(8, 8), kernel=3, gates=1)


def samples(count: int, seed: int, pulses: bool = True) -> Samples:
    """Clear pulses at random places in white noise of 10 uV/m, in every other trace."""
    rng = np.random.default_rng(seed)
    time = np.arange(SAMPLES) / SAMPLING
    at = rng.uniform(0.5, 2.2, (count, 1))
    signal = rng.uniform(60, 120, (count, 1)) * np.exp(-0.5 * ((time - at) / 0.02) ** 2) * np.cos(345 * (time - at))
    signal *= (np.arange(count)[:, None] % 2 == 0) & pulses
    noise = rng.normal(0, 10, signal.shape)
    arrays = {
        "trace": signal + noise, "signal": signal, "sampling": np.full(count, SAMPLING),
        "has_pulse": signal.any(axis=1), "snr": np.abs(signal).max(axis=1) / 10,
        "fluence": np.square(signal).sum(axis=1), "peak_time": at[:, 0] * 1e3 * signal.any(axis=1),
    }  # fmt: skip
    return Samples(ArrayRecords(arrays), np.arange(count), partial(inputs, None), targets(None, arrays), TARGETS)


def options(epochs: int) -> TrainingOptions:
    return TrainingOptions(epochs=epochs, batch_size=16, learning_rate=1e-2, averaging=0.9)


def test_a_perfect_answer_has_no_loss_and_silence_has_the_energy_of_the_pulse() -> None:
    some = samples(4, 1)
    given, true = torch.from_numpy(some.inputs()), torch.from_numpy(some.targets)
    assert recovery_loss(true[:, WAVEFORM:], given, true) == 0
    silent = recovery_loss(torch.zeros_like(given[:, TRUE]), given, true)
    power = (given[:, MEASURED] - given[:, TRUE]).square().mean(1)
    waveform = (given[:, TRUE].square().mean(1) / power).mean()
    energy = ((given[:, TRUE].square().sum(1) / power / 2 + 1).log().square() * true[:, PULSE]).mean()
    torch.testing.assert_close(silent, waveform + ENERGY_WEIGHT * energy)


def test_louder_noise_counts_as_much_as_quiet_noise() -> None:
    some = samples(4, 1)
    given, true = torch.from_numpy(some.inputs()), torch.from_numpy(some.targets)
    said = 0.5 * given[:, MEASURED]
    louder = true.clone()
    louder[:, WAVEFORM:] *= 7
    torch.testing.assert_close(recovery_loss(7 * said, 7 * given, louder), recovery_loss(said, given, true))


def test_a_denoiser_learns_to_remove_noise(tmp_path: Path) -> None:
    test = samples(40, 3)
    denoiser = PulseDenoiser("denoiser", make_denoiser, options(4), 1)
    denoiser.fit(samples(240, 1), samples(60, 2), tmp_path)
    said = denoiser.predict(test.inputs()).mean
    before = np.square(test.inputs()[:, MEASURED] - test.inputs()[:, TRUE]).mean()
    after = np.square(said[:, WAVEFORM:] - test.targets[:, WAVEFORM:]).mean()
    assert after < 0.5 * before
    again = PulseDenoiser("denoiser", make_denoiser, options(4), 1)
    again.restore(tmp_path)
    np.testing.assert_array_equal(again.predict(test.inputs()).mean, said)


def test_a_classifier_learns_to_tell_pulses_from_noise(tmp_path: Path) -> None:
    test = samples(100, 3)
    classifier = PulseClassifier("classifier", make_classifier, options(4), 1)
    classifier.fit(samples(240, 1), samples(60, 2), tmp_path)
    said = classifier.predict(test.inputs()).mean
    there = test.targets[:, PULSE] > 0
    assert said[there, PULSE].min() > said[~there, PULSE].max() - 1  # SNR 6 and more: all but told apart
    assert (said[there, PULSE] > 0).mean() > 0.9
    assert np.isnan(said[:, 1:]).all()
    again = PulseClassifier("classifier", make_classifier, options(4), 1)
    again.restore(tmp_path)
    np.testing.assert_array_equal(again.predict(test.inputs()).mean, said)


def test_a_broken_off_training_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assert_same_training: Callable[..., None]
) -> None:
    train, validation = samples(64, 1), samples(40, 2)
    PulseDenoiser("whole", make_denoiser, options(3), 1).fit(train, validation, tmp_path / "whole")
    start = PulseRecovery.on_validation_epoch_start

    def break_off(task: PulseRecovery) -> None:
        if task.current_epoch == 2:
            raise RuntimeError("the power fails")
        start(task)

    broken = PulseDenoiser("broken", make_denoiser, options(3), 1)
    with monkeypatch.context() as patch:
        patch.setattr(PulseRecovery, "on_validation_epoch_start", break_off)
        with pytest.raises(RuntimeError, match="power"):
            broken.fit(train, validation, tmp_path / "broken")
    broken.fit(train, validation, tmp_path / "broken")
    assert_same_training(tmp_path / "broken", tmp_path / "whole", 3, 5)


@pytest.mark.parametrize("kind", [PulseDenoiser, PulseClassifier])
def test_traces_of_one_kind_are_refused(kind: type, tmp_path: Path) -> None:
    make = make_denoiser if kind is PulseDenoiser else make_classifier
    with pytest.raises(BadInput, match="give some of both"):
        kind("one", make, options(1), 1).fit(samples(20, 1, pulses=False), samples(20, 2), tmp_path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no such trained network"):
        PulseDenoiser("one", make_denoiser, options(1), 1).restore(tmp_path)


def test_strong_pulses_have_a_signal_to_noise_ratio_above_three() -> None:
    some = samples(10, 1)
    assert (some.targets[some.targets[:, PULSE] > 0, SNR] > 3).all()
