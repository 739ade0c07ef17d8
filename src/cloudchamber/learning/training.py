"""What every training has: Lightning, AdamW, a one-cycle learning rate, averaged weights, a table of epochs, resume.

A way of learning (``supervised``, ``source_search``) is an ``AveragedTraining`` with its own batches, loss and scores.
The first of its scores, a physics metric on validation records, selects the weights; smaller is better.

A training that was killed goes on at the last finished epoch and ends with the same weights as if it had never stopped:
everything that is drawn at random in an epoch depends only on the seed and the number of the epoch.
"""

from __future__ import annotations

import csv
import logging
import signal
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cloudchamber.data.files import replacing
from cloudchamber.learning.options import GANOptions, TrainingOptions
from cloudchamber.learning.weights import save_weights

Batch = tuple[Tensor, ...]

log = logging.getLogger(__name__)


class Loader(Sized, Protocol):
    """Batches of one epoch."""

    def __iter__(self) -> Iterator[Batch]: ...


@dataclass(frozen=True)
class Kept:
    """Batches in memory (Lightning would take a plain list for several loaders)."""

    batches: list[Batch]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


class AveragedTraining(lightning.LightningModule, ABC):
    """Base of the ways of learning: the optimiser and the average of the weights; see the module's docstring.

    Attributes:
        model: what is trained.
        averaged: its exponential average (in ``averaged.module``), validated and kept.

    Args:
        model: with its standardisations fitted.
        options: settings.
        held_out: validation batches.
        score_names: of what ``scores`` returns; the first selects.
    """

    options: TrainingOptions | GANOptions

    def __init__(
        self, model: nn.Module, options: TrainingOptions | GANOptions, held_out: Loader, score_names: list[str]
    ) -> None:
        super().__init__()
        self.model = model
        average: Any = get_ema_multi_avg_fn(options.averaging)  # type: ignore[no-untyped-call]
        self.averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
        self.options = options
        self.held_out = held_out
        self.score_names = score_names
        self.found: list[float] = []
        self._losses: list[Tensor] = []

    @abstractmethod
    def epoch_batches(self, epoch: int) -> Loader:
        """Training batches of an epoch: to be defined by the way of learning."""

    def loss(self, batch: Batch) -> Tensor:  # noqa: ARG002
        """The loss of a batch, a scalar: of those ways of learning that have one.

        Two networks that play against each other have a ``training_step`` of their own instead.
        """
        raise TypeError(f"{type(self).__name__} has no loss: it needs a training_step of its own")

    @abstractmethod
    def scores(self) -> list[float]:
        """Numbers from the batches of one validation, as ``score_names``: to be defined by the way of learning."""

    def train_dataloader(self) -> Loader:
        """Batches of the epoch at hand."""
        return self.epoch_batches(self.current_epoch)

    def val_dataloader(self) -> Loader:
        """The validation samples."""
        return self.held_out

    def configure_optimizers(self) -> Any:
        """AdamW (arXiv:1711.05101) with a one-cycle learning rate (arXiv:1708.07120)."""
        assert isinstance(self.options, TrainingOptions)  # a way of learning with other options has other optimisers
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
        """The loss, remembered for the table of epochs."""
        loss = self.loss(batch)
        self._losses.append(loss.detach())
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Average the weights."""
        self.averaged.update_parameters(self.model)

    def on_validation_epoch_end(self) -> None:
        """Log the selection metric."""
        self.found = self.scores()
        self.log(self.score_names[0], self.found[0])

    def mean_loss(self) -> float:
        """Mean training loss since the last call."""
        value = float(torch.stack(self._losses).mean()) if self._losses else float("nan")
        self._losses.clear()
        return value


class History(Callback):
    """One line an epoch in ``history.csv``, and now and then in the log.

    Args:
        path: the file; lines of epochs that are about to be trained again are dropped.
        score_names: of the scores.
        title: of the training, for the log.
    """

    def __init__(self, path: Path, score_names: list[str], title: str) -> None:
        self.path = path
        self.columns = ["epoch", "train_loss", *score_names, "seconds_per_step"]
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
        assert isinstance(pl_module, AveragedTraining)
        numbers = [pl_module.mean_loss(), *pl_module.found, self.seconds]
        self.rows.append([str(trainer.current_epoch), *(f"{number:.6g}" for number in numbers)])
        write_table(self.path, self.columns, self.rows)
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 1
        if epoch == epochs or epoch % max(epochs // 10, 1) == 0:
            left = (epochs - epoch) * (time.perf_counter() - self.started)
            name = pl_module.score_names[0].replace("_", " ")
            log.info("%s: epoch %d/%d, %s %.3f, %.0f s left", self.title, epoch, epochs, name, pl_module.found[0], left)


def write_table(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    """Write a CSV file under a temporary name and rename it."""
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def train(task: AveragedTraining, directory: Path, *, device: str, title: str) -> None:
    """Train ``task.model``, or go on training it; it ends with the selected weights, also in ``directory/weights.pt``.

    Until it is done, ``directory`` holds Lightning's ``last.ckpt`` (to go on from) and ``best.ckpt``.

    Args:
        task: the way of learning, with the model, which is changed in place.
        directory: for ``weights.pt``, ``history.csv`` and the checkpoints.
        device: "cpu" or "cuda".
        title: for the log.

    Raises:
        KeyboardInterrupt: Ctrl-C; what is in ``directory`` serves to go on.
    """
    directory.mkdir(parents=True, exist_ok=True)
    quiet()
    keep = ModelCheckpoint(
        directory,
        "best",
        monitor=task.score_names[0],
        mode="min",
        save_last=True,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    trainer = lightning.Trainer(
        accelerator="cpu" if device == "cpu" else "gpu",
        devices=1,
        max_epochs=task.options.epochs,
        callbacks=[History(directory / "history.csv", task.score_names, title), keep],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        # Lightning clips nothing where the steps of two optimisers are ours
        gradient_clip_val=task.options.clip if isinstance(task.options, TrainingOptions) else None,
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
    task.model.load_state_dict({name.removeprefix(prefix): best[name] for name in best if name.startswith(prefix)})
    save_weights(task.model, directory / "weights.pt")
    for checkpoint in ("best.ckpt", "last.ckpt"):
        (directory / checkpoint).unlink(missing_ok=True)


def quiet() -> None:
    """Lightning's own greetings and tips are not for our users."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
