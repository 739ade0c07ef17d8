"""Fully connected networks that learn one function from its measured points, several starts at once.

Each goes downhill on the same loss, χ² a point, J(θ) = 1/N sum ((f(x_i; θ) − y_i) / σ_i)², all points in every step.
Its numbers are kept at steps 1, 1.3, 1.6, 2 ... a decade; the answer is that of the kept step with the smallest loss on
the validation points (early stopping). The gradient is that of ``learning.backpropagation``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cloudchamber.data.files import reading, write_arrays
from cloudchamber.data.function_points import Points, Values
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.learning.backpropagation import backward, forward, layers_of, parameters_of, stacked
from cloudchamber.learning.gradient_descent import Optimiser, OptimiserName
from cloudchamber.learning.weights import restoring, seeded_start
from cloudchamber.networks.dense import Dense
from cloudchamber.schema import Arrays, BadInput

log = logging.getLogger("cloudchamber")

KEPT_IN_A_DECADE = 10


def kept_steps(steps: int) -> NDArray[np.int64]:
    """The start, 0, and the steps at which numbers are kept, evenly in their logarithm, with every power of ten.

    Args:
        steps: the last one.

    Examples:
        >>> kept_steps(16).tolist()
        [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16]
    """
    evenly = np.logspace(0, np.ceil(np.log10(steps)), int(np.ceil(np.log10(steps))) * KEPT_IN_A_DECADE + 1)
    whole = np.unique(np.round(evenly)).astype(np.int64)
    return np.concatenate([[0], whole[whole < steps], [steps]])


def starts(widths: Sequence[int], members: Sequence[int], seed: int) -> Tensor:
    """The numbers of a stack of fresh networks.

    Args:
        widths: numbers of nodes from the input to the output.
        members: their numbers; m is drawn from (seed, m).
        seed: of the draws.
    """
    fresh = []
    for member in members:
        with seeded_start(seed, member):
            fresh.append(Dense(widths[0], widths[-1], widths[1:-1]))
    return stacked(fresh)


@dataclass(frozen=True)
class Scale:
    """Standardisation of x: networks see (x − centre) / spread.

    Attributes:
        centre: mean of x of the training points.
        spread: their standard deviation.
    """

    centre: float
    spread: float

    def inputs(self, x: NDArray[np.floating], members: int) -> Tensor:
        """Places x (point,) as the inputs (member, point, 1) of a stack."""
        scaled = torch.from_numpy(((x - self.centre) / self.spread).astype(np.float32))
        return scaled.view(1, -1, 1).repeat(members, 1, 1)


class Descent:
    """A stack of networks on its way downhill.

    Args:
        widths: numbers of nodes from the input to the output.
        numbers: of the stack at the start; changed in place.
        points: to learn from.
        scale: of x.
        optimiser: which.
        rates: learning rate of each member.
    """

    def __init__(
        self,
        widths: Sequence[int],
        numbers: Tensor,
        points: Points,
        scale: Scale,
        optimiser: OptimiserName,
        rates: Sequence[float],
    ) -> None:
        members = len(rates)
        self.numbers, self.gradient, each = numbers, torch.zeros_like(numbers), torch.empty_like(numbers)
        of_stack = partial(layers_of, widths=widths, members=members)
        self.layers, self.slopes = of_stack(self.numbers), of_stack(self.gradient)
        for parts in of_stack(each):
            for part in parts:
                part.copy_(torch.tensor(rates).view(-1, 1, 1).expand_as(part))
        self.optimiser = Optimiser(optimiser, self.numbers, each)
        self.inputs = scale.inputs(points.x, members)
        self.values = torch.from_numpy(points.y.astype(np.float32)).view(1, -1, 1)
        self.weights = torch.from_numpy((2 / np.square(points.error) / len(points)).astype(np.float32)).view(1, -1, 1)

    def losses(self) -> Values:
        """J of each member, (member,)."""
        away = forward(self.layers, self.inputs)[-1] - self.values
        return np.asarray((away.square() * self.weights / 2).sum(dim=(1, 2)).double().numpy())

    def step(self) -> None:
        """Compute the gradient and go one step."""
        activations = forward(self.layers, self.inputs)
        backward(self.layers, activations, (activations[-1] - self.values).mul_(self.weights), self.slopes)
        self.optimiser.step(self.gradient)


def curves(widths: Sequence[int], numbers: NDArray[np.float32], scale: Scale, x: Values) -> Values:
    """The functions (member, point) of a stack.

    Args:
        widths: numbers of nodes from the input to the output.
        numbers: of the stack.
        scale: of x.
        x: (point,), where.
    """
    stack = torch.from_numpy(np.array(numbers))
    members = stack.numel() // parameters_of(widths)
    with torch.inference_mode():
        found = forward(layers_of(stack, widths, members), scale.inputs(x, members))[-1]
    return np.asarray(found[:, :, 0].double().numpy())


@dataclass(eq=False)
class FunctionNetworks:
    """Networks from several starts, as a predictor (see ``study.Predictor``).

    The mean is that of the members, the standard deviation their scatter and the error of the measurement, added in
    squares. Its directory holds ``training.h5`` and ``history.csv``.

    Args:
        title: for tables.
        widths: numbers of nodes from the input to the output.
        members: networks that differ by their start.
        steps: of each.
        rate: learning rate of Adam.
        seed: of the starts.
    """

    title: str
    widths: tuple[int, ...]
    members: int
    steps: int
    rate: float
    seed: int
    state: Arrays = field(init=False, default_factory=dict)

    kind = "network"

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Train, on one thread, since operations so small only lose by more.

        Raises:
            BadInput: no training or validation points.
        """
        if len(train) == 0 or len(validation) == 0:
            raise BadInput(f"{len(train)} training and {len(validation)} validation points: networks need some of both")
        if (directory / "training.h5").exists():
            self.restore(directory)
            return
        points, held_out = Points.of(train), Points.of(validation)
        scale = Scale(float(points.x.mean()), float(points.x.std()) or 1.0)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                steps, numbers, losses = self._descend(points, scale)
        finally:
            torch.set_num_threads(threads)
        said = np.stack([curves(self.widths, one, scale, held_out.x) for one in numbers])
        held_out_losses = np.square((said - held_out.y) / held_out.error).mean(axis=2)
        self.state = {
            **points.arrays(),
            **{f"held_out_{name}": values for name, values in held_out.arrays().items()},
            "scale": np.array([scale.centre, scale.spread]),
            "step": steps,
            "numbers": numbers,
            "train_loss": losses,
            "validation_loss": held_out_losses,
            "kept": np.nanargmin(np.where(np.isfinite(held_out_losses), held_out_losses, np.inf), axis=0),
        }
        directory.mkdir(parents=True, exist_ok=True)
        write_arrays(directory / "training.h5", self.state)
        self._write_history(directory / "history.csv")

    def _descend(self, points: Points, scale: Scale) -> tuple[NDArray[np.int64], NDArray[np.float32], Values]:
        """Steps (kept,), numbers (kept, n) and losses (kept, member)."""
        descent = Descent(
            self.widths,
            starts(self.widths, range(self.members), self.seed),
            points,
            scale,
            "adam",
            [self.rate] * self.members,
        )
        steps, numbers, losses = kept_steps(self.steps), [], []
        began = time.perf_counter()
        done = 0
        for step in steps.tolist():
            for _ in range(done, step):
                descent.step()
            done = step
            numbers.append(descent.numbers.numpy().copy())
            losses.append(descent.losses())
            if step >= 1000 and np.log10(step) % 1 == 0:
                left = (self.steps - step) * (time.perf_counter() - began) / step
                log.info(
                    "%s: step %d of %d, loss %.3f, %.0f s left", self.title, step, self.steps, losses[-1].mean(), left
                )
        return steps, np.stack(numbers), np.stack(losses)

    def _write_history(self, path: Path) -> None:
        lines = ["member,step,train_loss,validation_loss"]
        for member in range(self.members):
            columns = zip(
                self.state["step"], self.state["train_loss"][:, member], self.state["validation_loss"][:, member],
                strict=True,
            )  # fmt: skip
            lines += [f"{member},{step},{train:.6g},{held_out:.6g}" for step, train, held_out in columns]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold such networks.
        """
        path = directory / "training.h5"
        with restoring(directory, f"finished training of {self.members} such networks"), reading(path):
            with h5py.File(path) as file:
                self.state = {name: file[name][()] for name in file}
            if self.state["numbers"].shape[1] != self.members * parameters_of(self.widths):
                raise BadInput(f"{path} holds other networks: fit them again")

    @property
    def scale(self) -> Scale:
        """Of x."""
        return Scale(*self.state["scale"].tolist())

    def curves(self, x: Values, kept: int | None = None) -> Values:
        """The functions of the members, (member, point).

        Args:
            x: (point,), where.
            kept: which of the kept steps (``state["step"]``); None for that which each member's early stopping chose.
        """
        if kept is not None:
            return curves(self.widths, self.state["numbers"][kept], self.scale, x)
        chosen = self.state["kept"].tolist()
        found = {one: self.curves(x, one) for one in set(chosen)}
        return np.stack([found[one][member] for member, one in enumerate(chosen)])

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and standard deviation (point, 1) for x and error (point, 2)."""
        said = self.curves(inputs[:, 0].astype(np.float64))
        std = np.hypot(said.std(axis=0, ddof=1 if self.members > 1 else 0), inputs[:, 1])
        return Prediction(said.mean(axis=0)[:, None], std[:, None])
