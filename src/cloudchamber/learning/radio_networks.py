"""Networks that recover and find radio pulses, as predictors: the denoiser and the classifier.

Their directories hold ``weights.pt``, ``history.csv`` and ``calibration.json``. The calibration is that of every method
(``metrics.radio_pulses``), from validation traces; the same traces chose the best epoch. Networks read the measured
trace and nothing else of the inputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cloudchamber.data.files import write_text
from cloudchamber.data.radio_traces import MEASURED, PULSE, WAVEFORM, noise_of
from cloudchamber.data.samples import ArrayRecords, Inputs, Prediction, Samples
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.weights import read_weights, ready, restoring, seeded_start
from cloudchamber.metrics.radio_pulses import Calibration, Measurement, calibrated, measure, restored, threshold
from cloudchamber.schema import BadInput

BATCH = 128
"""Traces that go through a network at once when it predicts."""
COLUMNS = ("trace", "sampling", "signal")
"""Of the records, what a training reads again and again: they are kept in memory."""


@dataclass(eq=False)
class _RadioNetwork:
    """What both predictors have in common.

    Args:
        title: for tables.
        make: one freshly initialised network.
        options: settings of the training.
        seed: of start, order and augmentation.
        device: "cpu" or "cuda".
    """

    title: str
    make: Callable[[], nn.Module]
    options: TrainingOptions
    seed: int
    device: str = "cpu"
    network: nn.Module = field(init=False, default_factory=nn.Identity)

    kind = "network"

    def run(self, traces: NDArray[Any]) -> NDArray[np.float32]:
        """What the network makes of measured traces (trace, sample)."""
        found = []
        with torch.inference_mode():
            for start in range(0, max(len(traces), 1), BATCH):
                batch = torch.from_numpy(np.ascontiguousarray(traces[start : start + BATCH], dtype=np.float32))
                found.append(self.network(batch.to(self.device)).cpu().numpy())
        return np.concatenate(found)

    def _train(self, way: str, train: Samples, validation: Samples, directory: Path) -> None:
        """Train a fresh network, or go on training it."""
        for name, samples in (("training", train), ("validation", validation)):
            if len(set((samples.targets[:, PULSE] > 0).tolist())) < 2:
                raise BadInput(f"the {name} traces are all with or all without a pulse: give some of both")
        # Lightning takes seconds to import and is not needed to predict
        from cloudchamber.learning import radio_training
        from cloudchamber.learning.training import train as run_training

        directory.mkdir(parents=True, exist_ok=True)
        with seeded_start(self.seed):
            network = self.make()
        task = getattr(radio_training, way)(network.train(), self.options, in_memory(train), validation, self.seed)
        run_training(task, directory, device=self.device, title=self.title)
        self.network = ready(network, self.device)

    def _restore(self, directory: Path) -> dict[str, Any]:
        """Weights; and the calibration as it was written."""
        network = self.make()
        with restoring(directory):
            network.load_state_dict(read_weights(directory / "weights.pt"))
            state: dict[str, Any] = json.loads((directory / "calibration.json").read_text())
        self.network = ready(network, self.device)
        return state


def in_memory(samples: Samples) -> Samples:
    """The same samples with the columns of a training in memory."""
    arrays = samples.records.read(samples.indices, COLUMNS)
    rows = np.arange(len(samples), dtype=np.int64)
    return Samples(ArrayRecords(arrays), rows, samples.make_inputs, samples.targets, samples.target_names)


@dataclass(eq=False)
class PulseDenoiser(_RadioNetwork):
    """A network that returns the pulse, as a predictor (see ``study.Predictor``).

    Score and calibration compare what it returns with the root mean square of the measured trace.
    """

    calibration: Calibration | None = field(init=False, default=None)

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Train, or go on training, and calibrate.

        Raises:
            BadInput: no traces with, or none without a pulse.
        """
        self._train("PulseRecovery", train, validation, directory)
        self.calibration = calibrated(self._look, validation)
        write_text(directory / "calibration.json", json.dumps(self.calibration.plain(), indent=1) + "\n")

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold the weights of such a network.
        """
        state = self._restore(directory)
        with restoring(directory):
            self.calibration = restored(state)

    def _look(self, inputs: Inputs) -> tuple[NDArray[np.float32], Measurement]:
        traces = inputs[:, MEASURED]
        pulses = self.run(traces)
        return pulses, measure(pulses, np.sqrt(np.square(traces, dtype=np.float64).mean(axis=1)))

    def predict(self, inputs: Inputs) -> Prediction:
        """The answers (trace, column) of ``data.radio_traces`` for inputs (trace, row, sample)."""
        assert self.calibration is not None
        return Prediction(self.calibration.answers(*self._look(inputs)))


@dataclass(eq=False)
class PulseClassifier(_RadioNetwork):
    """A network that says whether there is a pulse, as a predictor (see ``study.Predictor``).

    Its score is the log-odds minus the threshold; it answers nothing else.
    """

    threshold: float = field(init=False, default=0.0)

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Train, or go on training, and set the threshold.

        Raises:
            BadInput: no traces with, or none without a pulse.
        """
        self._train("PulseDetection", train, validation, directory)
        parts = np.array_split(np.arange(len(validation)), max(len(validation) // 256, 1))
        noise = np.concatenate([self.run(noise_of(validation.inputs(part)))[:, 0] for part in parts])
        self.threshold = threshold(noise)
        write_text(directory / "calibration.json", json.dumps({"threshold": self.threshold}, indent=1) + "\n")

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold the weights of such a network.
        """
        state = self._restore(directory)
        with restoring(directory):
            self.threshold = float(state["threshold"])

    def predict(self, inputs: Inputs) -> Prediction:
        """The answers (trace, column) of ``data.radio_traces``, nan besides the score; inputs (trace, row, sample)."""
        answers = np.full((len(inputs), WAVEFORM + inputs.shape[2]), np.nan, np.float32)
        answers[:, PULSE] = self.run(inputs[:, MEASURED])[:, 0] - self.threshold
        return Prediction(answers)
