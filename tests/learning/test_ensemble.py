"""Deep ensembles learn a toy, know their uncertainty, and go on after a kill as if nothing had happened."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from torch import nn

from cloudchamber.data.samples import ArrayRecords, Inputs, Samples
from cloudchamber.learning.ensemble import DeepEnsemble
from cloudchamber.learning.gaussian import GaussianModel
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.supervised import Batches
from cloudchamber.networks.dense import Dense
from cloudchamber.networks.se_resnet import SEResNet
from cloudchamber.schema import Arrays, BadInput

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*", "ignore::DeprecationWarning:lightning.*")

NAMES = ("abs_shift", "shift")


def make_inputs(records: Arrays, rng: np.random.Generator | None) -> Inputs:
    """Counts (thinned to 90 % with a generator) and the signed channel."""
    counts, signed = records["counts"], records["signed"]
    if rng is not None:
        counts = rng.binomial(counts.astype(np.int64), 0.9) / 0.9
    return np.stack([counts, signed], axis=1).astype(np.float32)


def blobs(samples: int, seed: int) -> Samples:
    """Blobs whose height above the middle is |shift|; the signed channel is tilted by the sign."""
    rng = np.random.default_rng(seed)
    shift = rng.uniform(-1, 1, samples)
    x, y = np.meshgrid(np.arange(16) - 7.5, np.arange(16) - 7.5)
    middle = 5 * np.abs(shift)[:, None, None]
    counts = rng.poisson(20 * np.exp(-(x**2 + (y - middle) ** 2) / 12) + 0.5)
    signed = rng.normal(0.3 * shift[:, None, None] * np.sign(x), 1)
    targets = np.stack([np.abs(shift), shift], axis=1).astype(np.float32)
    records = ArrayRecords({"counts": counts, "signed": signed})
    return Samples(records, np.arange(samples), make_inputs, targets, NAMES)


def network() -> nn.Module:
    """Two outputs a target."""
    return SEResNet(channels=2, outputs=4, width=4, blocks=(1, 1, 1, 1), size=16)


def first_channel_network() -> nn.Module:
    """Reads only the counts."""
    return SEResNet(channels=1, outputs=4, width=4, blocks=(1, 1, 1, 1), size=16)


FILES = [
    "calibration.json",
    *(f"member-{member}/{name}" for member in (0, 1) for name in ("history.csv", "weights.pt")),
]


def ensemble(epochs: int, members: int = 2) -> DeepEnsemble:
    options = TrainingOptions(epochs=epochs, batch_size=16, learning_rate=1e-2)
    return DeepEnsemble("blobs", network, options, members, (0, 1), (0, 1), seed=3)


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[DeepEnsemble, Path]:
    directory = tmp_path_factory.mktemp("fitted")
    predictor = ensemble(epochs=15)
    state = torch.random.get_rng_state()
    predictor.fit(blobs(400, 1), blobs(100, 2), directory)
    assert torch.equal(state, torch.random.get_rng_state()), "the global generator is left alone"
    return predictor, directory


def test_an_ensemble_learns_with_calibrated_uncertainty(fitted: tuple[DeepEnsemble, Path]) -> None:
    test = blobs(300, 4)
    said = fitted[0].predict(test.inputs())
    assert said.std is not None
    assert said.mean.dtype == said.std.dtype == np.float32
    assert said.mean.shape == said.std.shape == (300, 2)
    error = np.square(said.mean - test.targets).mean(axis=0) / test.targets.var(axis=0)
    assert (error < [0.05, 0.1]).all()
    inside = (np.abs(said.mean - test.targets) < said.std).mean(axis=0)
    assert (np.abs(inside - 0.683) < 0.12).all()


def test_training_leaves_its_files_a_falling_history_and_calibration(fitted: tuple[DeepEnsemble, Path]) -> None:
    predictor, directory = fitted
    assert files(directory) == sorted(FILES)
    for member in (0, 1):
        with (directory / f"member-{member}" / "history.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert [line["epoch"] for line in lines] == [str(epoch) for epoch in range(15)]
        assert float(lines[14]["relative_mae"]) < 0.5 < float(lines[0]["relative_mae"])
        assert float(lines[0]["seconds_per_step"]) > 0
    factors = json.loads((directory / "calibration.json").read_text())["std_factor"]
    assert tuple(factors) == NAMES
    assert list(factors.values()) == predictor.factor.tolist()


def test_a_restored_ensemble_predicts_the_same(fitted: tuple[DeepEnsemble, Path]) -> None:
    predictor, directory = fitted
    inputs = blobs(70, 5).inputs()
    other = ensemble(epochs=15)
    other.restore(directory)
    first, second = predictor.predict(inputs), other.predict(inputs)
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.std, second.std)
    assert other.predict(inputs[:0]).mean.shape == (0, 2)


def test_prediction_is_the_gaussian_mixture_of_the_members(fitted: tuple[DeepEnsemble, Path]) -> None:
    predictor, _ = fitted
    inputs = blobs(5, 6).inputs()
    answers = [[part.numpy() for part in module(torch.from_numpy(inputs))] for module in predictor.models]
    said = predictor.predict(inputs)
    for sample in range(5):
        for target in range(2):
            means = [answer[0][sample, target] for answer in answers]
            stds = [answer[1][sample, target] for answer in answers]
            mean = sum(means) / 2
            variance = sum(s**2 + m**2 for s, m in zip(stds, means, strict=True)) / 2 - mean**2
            assert said.mean[sample, target] == pytest.approx(mean, rel=1e-4, abs=1e-6)
            assert said.std is not None
            assert said.std[sample, target] == pytest.approx(predictor.factor[target] * variance**0.5, rel=1e-2)
    means = [predictor.mean_function(member)(torch.from_numpy(inputs)).numpy() for member in (0, 1)]
    np.testing.assert_allclose(np.mean(means, axis=0), said.mean, rtol=1e-4, atol=1e-6)


def test_finished_members_are_not_trained_again(fitted: tuple[DeepEnsemble, Path]) -> None:
    _, directory = fitted
    before = (directory / "member-1" / "weights.pt").stat().st_mtime_ns
    again = ensemble(epochs=15)
    again.fit(blobs(400, 1), blobs(100, 2), directory)
    assert (directory / "member-1" / "weights.pt").stat().st_mtime_ns == before


def test_an_unfinished_ensemble_is_not_restored(fitted: tuple[DeepEnsemble, Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no finished ensemble of 2"):
        ensemble(epochs=1).restore(tmp_path)
    with pytest.raises(BadInput, match="no finished ensemble of 3"):
        ensemble(epochs=1, members=3).restore(fitted[1])


def test_a_network_with_too_many_outputs_is_refused(tmp_path: Path) -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(512, 6)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.dense(images.flatten(1))
            return out

    predictor = DeepEnsemble("wide", Wide, TrainingOptions(epochs=1), 1, (0, 1), (0,), 0)
    with pytest.raises(ValueError, match="6 outputs: for 2 targets it needs 4"):
        predictor.fit(blobs(8, 1), blobs(4, 2), tmp_path)


def test_one_channel_reads_one_channel(tmp_path: Path) -> None:
    options = TrainingOptions(epochs=1, batch_size=8)
    predictor = DeepEnsemble("counts", first_channel_network, options, 1, (0,), (0,), 0)
    predictor.fit(blobs(16, 1), blobs(8, 2), tmp_path)
    inputs = blobs(6, 3).inputs()
    changed = inputs.copy()
    changed[:, 1] = 7
    np.testing.assert_array_equal(predictor.predict(inputs).mean, predictor.predict(changed).mean)


def test_batches_depend_on_seed_only_and_cover_an_epoch() -> None:
    samples = blobs(20, 1)
    first, again, other = (list(Batches(samples, (0,), 8, seed)) for seed in ((1, 0), (1, 0), (1, 1)))
    assert len(first) == 2
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], other[0][0])
    plain = list(Batches(samples, (0, 1), 8, None))
    assert [len(batch[1]) for batch in plain] == [8, 8, 4]
    np.testing.assert_array_equal(torch.cat([batch[0] for batch in plain]).numpy(), samples.inputs())


def test_the_mixture_is_what_predict_says(fitted: tuple[DeepEnsemble, Path]) -> None:
    predictor, _ = fitted
    inputs = blobs(9, 6).inputs()
    with torch.inference_mode():
        mean, std = predictor.mixture()(torch.from_numpy(inputs))
    said = predictor.predict(inputs)
    assert said.std is not None
    np.testing.assert_array_equal(mean.numpy(), said.mean)
    np.testing.assert_array_equal(std.numpy(), said.std)


def line(samples: int, seed: int) -> Samples:
    """One feature beside a constant one, in odd units; the target is a sine with noise of 0.1."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, samples)
    features = np.stack([1e4 * x + 3e5, np.full(samples, 5.0)], axis=1).astype(np.float32)
    targets = (np.sin(x) + rng.normal(0, 0.1, samples)).astype(np.float32)[:, None]
    return Samples(ArrayRecords({"x": features}), np.arange(samples), lambda some, _: some["x"], targets, ("sine",))


def test_features_without_channels_are_learned_as_well_as_by_ridge(tmp_path: Path) -> None:
    """All features are read, (sample, feature); ridge on powers up to 7 knows what can be known, a line does not."""
    options = TrainingOptions(epochs=30, batch_size=32, learning_rate=2e-2)
    make = partial(Dense, 2, 2, widths=(32, 32), activation="tanh")
    predictor = DeepEnsemble("dense", make, options, 2, None, (0,), seed=1)
    train, test = line(400, 1), line(400, 3)
    predictor.fit(train, line(200, 2), tmp_path)
    said = predictor.predict(test.inputs())
    assert said.mean.shape == said.std.shape == (400, 1)
    error = float(np.abs(said.mean - test.targets).mean())
    errors = []
    for degree in (1, 7):
        ridge = make_pipeline(StandardScaler(), PolynomialFeatures(degree), StandardScaler(), Ridge(1e-3))
        ridge.fit(train.inputs(), train.targets[:, 0])
        errors.append(float(np.abs(ridge.predict(test.inputs()) - test.targets[:, 0]).mean()))
    assert error < 1.1 * errors[1] < 0.5 * errors[0]
    inside = (np.abs(said.mean - test.targets) < said.std).mean()
    assert inside == pytest.approx(0.683, abs=0.1)
    function = predictor.mean_function(0)
    raw = torch.from_numpy(test.inputs()[:5]).requires_grad_()
    function(raw).sum().backward()
    assert raw.grad is not None
    assert (raw.grad[:, 0] != 0).all()
    again = DeepEnsemble("dense", make, options, 2, None, (0,), seed=1)
    again.restore(tmp_path)
    np.testing.assert_array_equal(again.predict(test.inputs()).mean, said.mean)


@pytest.mark.slow
def test_killed_in_the_middle_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    script = (
        "import pathlib, runpy, sys, torch\n"
        "torch.set_num_threads(1)\n"
        "names = runpy.run_path(sys.argv[1])\n"
        "blobs = names['blobs']\n"
        "names['ensemble'](epochs=8).fit(blobs(240, 1), blobs(40, 2), pathlib.Path(sys.argv[2]))\n"
    )

    def start(directory: Path) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.Popen([sys.executable, "-c", script, __file__, str(directory)], env=environment)

    killed = tmp_path / "killed"
    process = start(killed)
    history = killed / "member-0" / "history.csv"
    deadline = time.monotonic() + 240
    while not (history.exists() and len(history.read_text().splitlines()) >= 4) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "member-0" / "weights.pt").exists(), "killed too late to test anything"
    assert (killed / "member-0" / "last.ckpt").exists()

    whole = tmp_path / "whole"
    assert start(killed).wait(240) == 0
    assert start(whole).wait(240) == 0
    assert files(killed) == files(whole) == sorted(FILES)
    for member in (0, 1):
        states = [
            torch.load(directory / f"member-{member}" / "weights.pt", weights_only=True)
            for directory in (killed, whole)
        ]
        model = GaussianModel(network(), 2)
        model.load_state_dict(states[0])
        for name, value in states[0].items():
            torch.testing.assert_close(value, states[1][name], rtol=1e-4, atol=1e-5)
        lines = [(one / f"member-{member}" / "history.csv").read_text().splitlines() for one in (killed, whole)]
        assert [line.split(",")[0] for line in lines[0]] == [line.split(",")[0] for line in lines[1]]
