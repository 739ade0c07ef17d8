"""Networks that learn a function from its points: steps kept, early stopping, restoring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloudchamber.data.function_points import Points, measured
from cloudchamber.data.samples import Samples
from cloudchamber.learning.function_networks import FunctionNetworks, kept_steps
from cloudchamber.schema import BadInput

RNG = np.random.default_rng(1)
TRAIN = measured(RNG.uniform(-1, 1, 40), np.full(40, 0.1), RNG)
VALIDATION = measured(RNG.uniform(-1, 1, 10), np.full(10, 0.1), RNG)


def small(steps: int = 200, members: int = 2) -> FunctionNetworks:
    return FunctionNetworks("small", (1, 8, 8, 1), members, steps, 1e-2, seed=4)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[FunctionNetworks, Path]:
    network, home = small(), tmp_path_factory.mktemp("networks")
    network.fit(TRAIN, VALIDATION, home)
    return network, home


def test_every_power_of_ten_is_kept_and_the_last_step() -> None:
    steps = kept_steps(25_000).tolist()
    assert {0, 1, 10, 100, 1000, 10_000, 25_000} <= set(steps)
    assert steps == sorted(set(steps))
    assert steps[-1] == 25_000


def test_losses_are_chi_squared_of_the_curves_that_are_kept(fitted: tuple[FunctionNetworks, Path]) -> None:
    network, _ = fitted
    for name, samples in (("train_loss", TRAIN), ("validation_loss", VALIDATION)):
        points = Points.of(samples)
        for kept in (0, 10, len(network.state["step"]) - 1):
            by_hand = np.square((network.curves(points.x, kept) - points.y) / points.error).mean(axis=1)
            np.testing.assert_allclose(network.state[name][kept], by_hand, rtol=1e-4)  # float32 sums


def test_training_goes_downhill(fitted: tuple[FunctionNetworks, Path]) -> None:
    network, _ = fitted
    assert (network.state["train_loss"][-1] < 0.3 * network.state["train_loss"][0]).all()


def test_early_stopping_takes_the_smallest_validation_loss(fitted: tuple[FunctionNetworks, Path]) -> None:
    network, _ = fitted
    losses = network.state["validation_loss"]
    np.testing.assert_array_equal(losses[network.state["kept"], [0, 1]], losses.min(axis=0))
    x = np.linspace(-1, 1, 5)
    for member, kept in enumerate(network.state["kept"]):
        np.testing.assert_array_equal(network.curves(x)[member], network.curves(x, int(kept))[member])


def test_networks_restored_or_fitted_again_say_the_same(fitted: tuple[FunctionNetworks, Path], tmp_path: Path) -> None:
    network, home = fitted
    inputs = TRAIN.inputs()
    restored, resumed, again = small(), small(), small()
    restored.restore(home)
    resumed.fit(TRAIN, VALIDATION, home)
    again.fit(TRAIN, VALIDATION, tmp_path)
    for other in (restored, resumed, again):
        np.testing.assert_array_equal(other.predict(inputs).mean, network.predict(inputs).mean)
        np.testing.assert_array_equal(other.predict(inputs).std, network.predict(inputs).std)


def test_networks_of_another_shape_or_none_are_refused(fitted: tuple[FunctionNetworks, Path], tmp_path: Path) -> None:
    _, home = fitted
    with pytest.raises(BadInput, match="holds other networks"):
        small(members=3).restore(home)
    with pytest.raises(BadInput, match="no file"):
        small().restore(tmp_path)


def test_networks_need_points_of_both_kinds(tmp_path: Path) -> None:
    nothing = Samples(TRAIN.records, TRAIN.indices[:0], TRAIN.make_inputs, TRAIN.targets[:0], ("y",))
    with pytest.raises(BadInput, match="0 validation points"):
        small().fit(TRAIN, nothing, tmp_path)


def test_spread_of_one_network_is_the_error_of_the_measurement(tmp_path: Path) -> None:
    one = small(steps=10, members=1)
    one.fit(TRAIN, VALIDATION, tmp_path)
    std = one.predict(TRAIN.inputs()).std
    assert std is not None
    np.testing.assert_allclose(std[:, 0], 0.1, rtol=1e-6)
