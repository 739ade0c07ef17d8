"""What selects the weights of a regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cloudchamber.data.samples import ArrayRecords, Inputs, Samples
from cloudchamber.learning.gaussian import GaussianModel
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.supervised import GaussianRegression
from cloudchamber.schema import Arrays

NAMES = ("a", "b", "c")


def raw(records: Arrays, rng: np.random.Generator | None) -> Inputs:
    return records["x"].astype(np.float32)


def samples(number: int, seed: int) -> Samples:
    """Three targets of different scales that have something to do with four inputs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (number, 4))
    targets = (x[:, :3] * [1, 10, 100] + rng.normal(0, [1, 2, 3], (number, 3))).astype(np.float32)
    return Samples(ArrayRecords({"x": x}), np.arange(number), raw, targets, NAMES)


def test_selection_averages_the_relative_errors_of_the_selected_targets() -> None:
    train, validation = samples(50, 1), samples(150, 2)
    torch.manual_seed(1)
    model = GaussianModel(nn.Linear(4, 6), 3)
    model.fit_targets(torch.from_numpy(train.targets))
    task = GaussianRegression(model, TrainingOptions(), (0, 2), train, validation, None, (1,))
    task.on_validation_epoch_start()
    with torch.no_grad():
        for number, batch in enumerate(task.val_dataloader()):
            task.validation_step(batch, number)
        said = model(torch.from_numpy(validation.inputs()))[0].numpy()
    floor = np.abs(train.targets.mean(axis=0) - validation.targets).mean(axis=0)
    relative = np.abs(said - validation.targets).mean(axis=0) / floor
    # sums of single precision
    assert task.scores() == pytest.approx([relative[[0, 2]].mean(), *relative], rel=1e-5)


class Doubled(nn.Linear):
    """Corrects an estimate that is twice the first three inputs."""

    def first_estimate(self, inputs: torch.Tensor) -> torch.Tensor:
        return 2 * inputs[:, :3]


def test_scores_of_a_correction_are_relative_to_the_training_mean() -> None:
    train, validation = samples(50, 3), samples(150, 4)
    torch.manual_seed(2)
    model = GaussianModel(Doubled(4, 6), 3)
    model.fit_targets(torch.from_numpy(train.targets), torch.from_numpy(train.inputs()))
    task = GaussianRegression(model, TrainingOptions(), (0, 1, 2), train, validation, None, (1,))
    task.on_validation_epoch_start()
    with torch.no_grad():
        for number, batch in enumerate(task.val_dataloader()):
            task.validation_step(batch, number)
        said = model(torch.from_numpy(validation.inputs()))[0].numpy()
    floor = np.abs(train.targets.mean(axis=0) - validation.targets).mean(axis=0)
    relative = np.abs(said - validation.targets).mean(axis=0) / floor
    assert task.scores() == pytest.approx([relative.mean(), *relative], rel=1e-5)  # sums of single precision


def test_loss_of_a_correction_is_that_of_targets_less_the_estimate() -> None:
    train = samples(50, 5)
    torch.manual_seed(3)
    network = Doubled(4, 6)
    model = GaussianModel(network, 3)
    inputs, targets = torch.from_numpy(train.inputs()), torch.from_numpy(train.targets)
    model.fit_targets(targets, inputs)
    plain = GaussianModel(nn.Linear(4, 6), 3)
    plain.network.load_state_dict(network.state_dict())
    plain.fit_targets(targets - 2 * inputs[:, :3])
    losses = [
        GaussianRegression(one, TrainingOptions(), (0,), train, train, None, (1,)).loss((inputs, said))
        for one, said in ((model, targets), (plain, targets - 2 * inputs[:, :3]))
    ]
    torch.testing.assert_close(losses[0], losses[1])
