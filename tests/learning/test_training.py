"""What a training keeps."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.training import AveragedTraining, Batch, Kept, train

SCORES = (3.0, 1.0, 2.0)


class Scripted(AveragedTraining):
    """One weight that is driven upwards; the validation of each epoch says what SCORES say."""

    def __init__(self) -> None:
        options = TrainingOptions(epochs=len(SCORES), learning_rate=0.1, averaging=0.5)
        super().__init__(nn.Linear(1, 1, bias=False), options, Kept([(torch.ones(1, 1),)]), ["score"])
        self.averages: list[float] = []
        self.weights: list[float] = []

    def epoch_batches(self, epoch: int) -> Kept:
        return Kept([(torch.ones(4, 1),)] * 3)

    def loss(self, batch: Batch) -> torch.Tensor:
        return -self.model(batch[0]).mean()

    def validation_step(self, batch: Batch, number: int) -> None:
        pass

    def scores(self) -> list[float]:
        self.averages.append(self.averaged.module.weight.item())  # type: ignore[operator, union-attr]
        self.weights.append(self.model.weight.item())  # type: ignore[operator, union-attr]
        return [SCORES[self.current_epoch]]


def test_kept_are_the_averaged_weights_of_the_epoch_with_the_smallest_score(tmp_path: Path) -> None:
    task = Scripted()
    train(task, tmp_path, device="cpu", title="scripted")
    assert len({*task.averages, *task.weights}) == 2 * len(SCORES)  # all differ, so that equality says which was kept
    assert task.model.weight.item() == task.averages[1]  # type: ignore[operator, union-attr]
    kept = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert [values.item() for values in kept.values() if values.numel() == 1] == [task.averages[1]]
