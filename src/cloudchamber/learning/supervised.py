"""Supervised regression with uncertainties, trained by Lightning: AdamW, one-cycle learning rate, averaged weights.

Weights are selected by a physics metric, not by the loss: the validation mean absolute error of the averaged weights,
relative to that of predicting the training mean, averaged over the targets that matter.

A training that was killed goes on at the last finished epoch and ends with the same weights as if it had never stopped:
everything that is drawn at random in an epoch depends only on the seed and the number of the epoch.
"""

from __future__ import annotations

import csv
import logging
import math
import signal
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cloudchamber.data.samples import Samples
from cloudchamber.data.store import replacing
from cloudchamber.learning.gaussian import GaussianModel, beta_nll
from cloudchamber.learning.options import Progress, TrainingOptions

__all__ = ["Batches", "GaussianRegression", "TrainingOptions", "train"]

Batch = tuple[Tensor, Tensor]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batches:
    """One pass over samples in batches, each read at once.

    Attributes:
        samples: where inputs and targets come from.
        channels: channels of the inputs to keep.
        batch_size: samples a batch.
        seed: of order and augmentation (with an incomplete last batch left out); None for the plain order, nothing
            augmented, all samples.
    """

    samples: Samples
    channels: tuple[int, ...]
    batch_size: int
    seed: tuple[int, ...] | None

    def __len__(self) -> int:
        if self.seed is None:
            return math.ceil(len(self.samples) / self.batch_size)
        return max(len(self.samples) // self.batch_size, 1)

    def __iter__(self) -> Iterator[Batch]:
        rng = None if self.seed is None else np.random.default_rng(self.seed)
        order = np.arange(len(self.samples)) if rng is None else rng.permutation(len(self.samples))
        for batch in range(len(self)):
            rows = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            inputs = np.ascontiguousarray(self.samples.inputs(rows, rng)[:, list(self.channels)])
            yield torch.from_numpy(inputs), torch.from_numpy(self.samples.targets[rows])


@dataclass(frozen=True)
class Kept:
    """Batches in memory (Lightning would take a plain list for several loaders)."""

    batches: list[Batch]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


class GaussianRegression(lightning.LightningModule):
    """The way of learning: any network with two outputs a target, beta-NLL loss, the weights averaged along the way.

    Attributes:
        model: what is trained.
        averaged: its exponential average (in ``averaged.module``), validated and kept.
        relative: after a validation, the MAE of each target relative to predicting the training mean (target,).

    Args:
        model: with its standardisation of inputs and targets already fitted.
        options: settings.
        select: columns of the targets that the selection metric averages.
        train, validation: samples.
        channels: channels of the inputs to read.
        seed: of order and augmentation.
    """

    def __init__(
        self,
        model: GaussianModel,
        options: TrainingOptions,
        select: tuple[int, ...],
        train: Samples,
        validation: Samples,
        channels: tuple[int, ...],
        seed: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.model = model
        average: Any = get_ema_multi_avg_fn(options.averaging)  # type: ignore[no-untyped-call]
        self.averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
        self.options = options
        self.select = list(select)
        self.samples = train
        self.channels = channels
        self.seed = seed
        self.held_out = Kept(list(Batches(validation, channels, 64, None)))
        self.relative = np.full(validation.targets.shape[1], np.nan)
        self._losses: list[Tensor] = []
        self._errors: list[Tensor] = []

    def train_dataloader(self) -> Batches:
        """Batches of the epoch at hand."""
        return Batches(self.samples, self.channels, self.options.batch_size, (*self.seed, self.current_epoch))

    def val_dataloader(self) -> Kept:
        """The validation samples, read once."""
        return self.held_out

    def configure_optimizers(self) -> Any:
        """AdamW (arXiv:1711.05101) with a one-cycle learning rate (arXiv:1708.07120)."""
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.options.weight_decay},
                {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=self.options.learning_rate,
        )
        steps = self.options.epochs * len(self.train_dataloader())
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            self.options.learning_rate,
            total_steps=max(steps, 2),
            pct_start=self.options.warmup,
            cycle_momentum=False,
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch, number: int) -> Tensor:  # noqa: ARG002
        """The loss of a batch of inputs and targets."""
        inputs, targets = batch
        mean, variance = self.model.standardised(inputs)
        target = (targets - self.model.target_mean) / self.model.target_scale
        loss = beta_nll(mean, variance, target, self.options.beta)
        self._losses.append(loss.detach())
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Average the weights."""
        self.averaged.update_parameters(self.model)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._errors.clear()

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """Errors of the averaged weights, and of predicting the training mean."""
        inputs, targets = batch
        mean, _ = self.averaged(inputs)
        self._errors.append(torch.stack([(mean - targets).abs(), (self.model.target_mean - targets).abs()]))

    def on_validation_epoch_end(self) -> None:
        """Log the selection metric."""
        said, floor = torch.cat(self._errors, dim=1).mean(dim=1).double().cpu().numpy()
        self.relative = said / np.where(floor > 0, floor, 1.0)
        self.log("relative_mae", float(self.relative[self.select].mean()))

    def mean_loss(self) -> float:
        """Mean training loss since the last call."""
        value = float(torch.stack(self._losses).mean()) if self._losses else float("nan")
        self._losses.clear()
        return value


class History(Callback):
    """One line an epoch in ``history.csv``, and now and then in the log.

    Args:
        path: the file; lines of epochs that are about to be trained again are dropped.
        targets: their names.
        progress: whether lines are logged.
        title: of the training, for the log.
    """

    def __init__(self, path: Path, targets: tuple[str, ...], progress: Progress, title: str) -> None:
        self.path = path
        self.columns = [
            "epoch",
            "train_loss",
            "relative_mae",
            *(f"relative_mae_{name}" for name in targets),
            "seconds_per_step",
        ]
        self.progress = progress
        self.title = title
        self.rows: list[list[str]] = []
        self.started = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Read what there is before the first epoch."""
        if not self.rows and self.path.exists():
            with self.path.open(newline="") as file:
                self.rows = [row for row in list(csv.reader(file))[1:] if int(row[0]) < trainer.current_epoch]
        self.started = time.perf_counter()

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """The steps end here."""
        self.seconds = (time.perf_counter() - self.started) / max(len(pl_module.train_dataloader()), 1)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the epoch."""
        assert isinstance(pl_module, GaussianRegression)
        metric = pl_module.relative[pl_module.select].mean()
        numbers = [pl_module.mean_loss(), metric, *pl_module.relative, self.seconds]
        self.rows.append([str(trainer.current_epoch), *(f"{number:.6g}" for number in numbers)])
        write_table(self.path, self.columns, self.rows)
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 1
        if self.progress == "lines" and (epoch == epochs or epoch % max(epochs // 10, 1) == 0):
            left = (epochs - epoch) * (time.perf_counter() - self.started)
            log.info("%s: epoch %d/%d, error %.3f of the floor's, %.0f s left", self.title, epoch, epochs, metric, left)


def write_table(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    """Write a CSV file under a temporary name and rename it."""
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a state dictionary (loads with ``weights_only=True``) under a temporary name and rename it."""
    with replacing(path) as temporary:
        torch.save({name: value.cpu() for name, value in module.state_dict().items()}, temporary)


def train(
    model: GaussianModel,
    options: TrainingOptions,
    train: Samples,
    validation: Samples,
    directory: Path,
    *,
    channels: tuple[int, ...],
    select: tuple[int, ...],
    seed: tuple[int, ...],
    device: str,
    progress: Progress,
    title: str,
) -> None:
    """Train ``model``, or go on training it; it ends with the selected weights, also in ``directory/weights.pt``.

    Until it is done, ``directory`` holds Lightning's ``last.ckpt`` (to go on from) and ``best.ckpt``.

    Args:
        model: with fitted standardisations; changed in place.
        options: settings.
        train, validation: samples.
        directory: for ``weights.pt``, ``history.csv`` and the checkpoints.
        channels: channels of the inputs to read.
        select: target columns of the selection metric.
        seed: of order and augmentation.
        device: "cpu" or a "cuda" device.
        progress: a bar, lines in the log, or nothing.
        title: for the log.

    Raises:
        KeyboardInterrupt: Ctrl-C; what is in ``directory`` serves to go on.
    """
    directory.mkdir(parents=True, exist_ok=True)
    quiet()
    task = GaussianRegression(model, options, select, train, validation, channels, seed)
    keep = ModelCheckpoint(
        directory,
        "best",
        monitor="relative_mae",
        mode="min",
        save_last=True,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    trainer = lightning.Trainer(
        accelerator="cpu" if device == "cpu" else "gpu",
        devices=1 if ":" not in device else [int(device.split(":")[1])],
        max_epochs=options.epochs,
        callbacks=[History(directory / "history.csv", train.target_names, progress, title), keep],
        logger=False,
        enable_progress_bar=progress == "bar",
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=options.clip,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        default_root_dir=directory,
    )
    last = directory / "last.ckpt"
    interrupt = signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
        try:
            trainer.fit(task, ckpt_path=last if last.exists() else None, weights_only=True)
        except SystemExit:  # Lightning turns Ctrl-C into this, and leaves Ctrl-C switched off
            signal.signal(signal.SIGINT, interrupt)
            raise KeyboardInterrupt from None
    best = torch.load(directory / "best.ckpt", map_location="cpu", weights_only=True)["state_dict"]
    prefix = "averaged.module."
    model.load_state_dict({name.removeprefix(prefix): best[name] for name in best if name.startswith(prefix)})
    save_weights(model, directory / "weights.pt")
    for checkpoint in ("best.ckpt", "last.ckpt"):
        (directory / checkpoint).unlink(missing_ok=True)


def quiet() -> None:
    """Lightning's own greetings and tips are not for our users."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
