"""Direction, core, energy and depth of showers by fits, as the Pierre Auger Observatory reconstructs them.

A plane through the start times gives a first axis (``shower_front``), the signals a core and a size for it
(``shower_lateral``), a sphere a better axis with that core; both once more; then the energy by constant intensity,
and the depth by risetimes (``shower_risetime``). As in arXiv:2007.09035; the files of the fits say where they differ.
All constants are tuned on training showers, whose geometry is known.

Uncertainties are those that the fits say, times the 68 % quantile of training residuals in their units, in bins of
energy and zenith angle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.files import gather, load_arrays, save_arrays
from cloudchamber.baselines.linear import Ridge
from cloudchamber.baselines.shower_front import (
    STEEPEST,
    Curvature,
    Front,
    Timing,
    learn_timing,
    plane_fit,
    sphere_fit,
)
from cloudchamber.baselines.shower_lateral import (
    Calibration,
    Lateral,
    Size,
    lateral_fit,
    learn_energy,
    learn_lateral,
    secant_of,
)
from cloudchamber.baselines.shower_risetime import Bend, Risetime, learn_risetime
from cloudchamber.baselines.shower_stations import SIGNAL, T50, Floats, read_stations
from cloudchamber.baselines.shower_timing import StartTimes, learn_start_times
from cloudchamber.baselines.trees import Boosting
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.data.surface_array import SATURATED, STATUS, TARGETS, TRIGGERED
from cloudchamber.schema import Arrays

MOST = 12_000
"""Training showers that are used: more do not change the constants."""
TUNED = 2_000
"""Of these for the lateral distribution and the variance of start times, which have few constants."""
ROUNDS = 2
"""Core and axis, each with the other's last."""
FULL_BIN = 20
"""Showers of a bin that count as much as all showers for its scale of uncertainties."""

Model = TypeVar("Model", bound=tuple[Any, ...])


class PlaneFit:
    """The axis from a plane through the start times, and nothing else.

    Args:
        weighted: each time by its variance (``shower_front.Timing``, tuned); else all the same.
    """

    kind = "baseline"

    def __init__(self, *, weighted: bool) -> None:
        self.title = "plane fit, weighted" if weighted else "plane fit"
        self.weighted = weighted
        self.timing: Timing | None = None
        self.scales: Arrays = {}

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:  # noqa: ARG002
        """Tune the variance and the uncertainties on the training showers. Writes ``plane_fit.npz``."""
        stations, targets = learned_from(train)
        if self.weighted:
            few = slice(0, TUNED)
            self.timing, _ = learn_timing(stations[few], targets[few, :2], targets[few, 2:4], curved=False)
        front = plane_fit(stations, self.timing)
        pulls = (front.axis - targets[:, :2]) / axis_errors(front)
        self.scales = learn_scales(pulls, triggered(stations), secant_of(front.axis))
        state = unfold("timing", self.timing) if self.timing else {}
        save_arrays(directory / "plane_fit.npz", state | self.scales)

    def restore(self, directory: Path) -> None:
        """Read ``plane_fit.npz``."""
        state = load_arrays(directory / "plane_fit.npz")
        self.timing = fold(Timing, "timing", state) if self.weighted else None
        self.scales = {name: values for name, values in state.items() if name.startswith("scale")}

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and standard deviation (shower, 6), nan but for the axis.

        Raises:
            BadInput: a shower with fewer than three triggered stations.
        """
        stations = read_stations(inputs)
        front = plane_fit(stations, self.timing)
        mean, std = np.full((2, len(inputs), len(TARGETS)), np.nan, np.float32)
        mean[:, :2] = front.axis
        std[:, :2] = axis_errors(front) * scales_of(self.scales, triggered(stations), secant_of(front.axis))
        return Prediction(mean, std)


class Reconstructed(NamedTuple):
    """What the fits say of showers.

    Attributes:
        mean, std: of the targets (shower, 6); std not yet scaled.
        front: the sphere.
        bend: curvature beyond its mean.
        size: core, S1000 and beta.
        steeper: beta beyond its mean (shower,).
    """

    mean: Floats
    std: Floats
    front: Front
    bend: Bend
    size: Size
    steeper: Floats


class StandardReconstruction:
    """All six targets by fits; see the module.

    Args:
        times: the model of start times in the fit of the sphere. ``"published"``: as they are, with the variance of
            ``shower_front.Timing``; ``"traces"``: mean delay and variance from the trace (``shower_timing``).
    """

    kind = "baseline"

    def __init__(self, times: Literal["published", "traces"] = "traces") -> None:
        self.title = {
            "published": "standard reconstruction, published timing",
            "traces": "standard reconstruction, timing corrected by traces",
        }[times]
        self.times = times
        self.timing, self.lateral, self.calibration = Timing(), Lateral(), Calibration()
        self.curvature = Curvature(1e-4, 0.0, 0.0, 0.2)
        self.start_times: StartTimes | None = None
        self.stretch = np.zeros(3)
        self.risetime: Risetime | None = None
        self.scales: Arrays = {}

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:  # noqa: ARG002
        """Tune everything on the training showers. Writes ``standard_reconstruction.npz``."""
        stations, targets = learned_from(train)
        axis, core = np.ascontiguousarray(targets[:, :2]), np.ascontiguousarray(targets[:, 2:4])
        few = (stations[:TUNED], axis[:TUNED], core[:TUNED])
        self.lateral = learn_lateral(*few)
        self.timing, self.curvature = learn_timing(*few, curved=True)
        if self.times == "traces":
            self.start_times, self.curvature = learn_start_times(stations, axis, core, self.curvature)
        self.stretch = learn_stretch(self._geometry(stations)[0].axis, axis)
        front, size = self._geometry(stations)
        self.calibration = learn_energy(size.log_size, front.axis, targets[:, 4])
        lg_energy = self.calibration.lg_energy(size.log_size, front.axis)
        self.risetime = learn_risetime(stations, front.axis, size.core, lg_energy, self._bend(front), targets[:, 5])
        found = self.reconstruct(stations)
        pulls = (found.mean - targets) / found.std
        self.scales = learn_scales(pulls, found.mean[:, 4], secant_of(front.axis))
        save_arrays(directory / "standard_reconstruction.npz", self._state())

    def restore(self, directory: Path) -> None:
        """Read ``standard_reconstruction.npz``."""
        state = load_arrays(directory / "standard_reconstruction.npz")
        self.timing, self.lateral = fold(Timing, "timing", state), fold(Lateral, "lateral", state)
        self.curvature = fold(Curvature, "curvature", state)
        self.calibration = fold(Calibration, "calibration", state)
        self.stretch = state["stretch"]
        self.risetime = fold(Risetime, "risetime", state)
        self.start_times = fold(StartTimes, "start_times", state) if self.times == "traces" else None
        self.scales = {name: values for name, values in state.items() if name.startswith("scale")}

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and standard deviation (shower, 6).

        Raises:
            BadInput: a shower with fewer than three triggered stations.
        """
        found = self.reconstruct(read_stations(inputs))
        std = found.std * scales_of(self.scales, found.mean[:, 4], secant_of(found.mean[:, :2]))
        return Prediction(found.mean.astype(np.float32), std.astype(np.float32))

    def summary(self, inputs: Inputs) -> NDArray[np.float32]:
        """The reconstructed numbers (shower, 21), for a statistical learner.

        The six targets; logarithms of their uncertainties; 1 / cos(zenith); curvature and beta beyond their means; chi2
        of the times; numbers of triggered and saturated stations; logarithms of the total signal, of the largest, and
        mean logarithm of T50.
        """
        stations = read_stations(inputs)
        found = self.reconstruct(stations)
        used = stations[..., STATUS] == TRIGGERED
        signals, count = np.where(used, stations[..., SIGNAL], 0), used.sum(axis=1)
        half = np.where(used, np.log(np.maximum(stations[..., T50], 1)), 0).sum(axis=1) / count
        columns = [
            *found.mean.T,
            *np.log(found.std).T,
            secant_of(found.mean[:, :2]),
            found.bend.beyond,
            found.steeper,
            np.log1p(found.front.chi2),
            count,
            stations[..., SATURATED].sum(axis=1),
            np.log(np.maximum(signals.sum(axis=1), 1)),
            np.log(np.maximum(signals.max(axis=1), 1)),
            half,
        ]
        return np.stack(columns, axis=1).astype(np.float32)

    def reconstruct(self, stations: Floats) -> Reconstructed:
        """All fits of stations (shower, station, 9) as ``shower_stations.read_stations`` gives them.

        Raises:
            RuntimeError: neither ``fit`` nor ``restore`` was called.
        """
        if self.risetime is None:
            raise RuntimeError("fit or restore the reconstruction before it reconstructs")
        front, size = self._geometry(stations)
        lg_energy = self.calibration.lg_energy(size.log_size, front.axis)
        bend = self._bend(front)
        xmax, xmax_error = self.risetime.xmax(stations, front.axis, size.core, lg_energy, bend)
        variances = np.maximum(np.diagonal(size.covariance, axis1=1, axis2=2), 1e-8)
        # an axis goes from the core to the centre of the sphere: what moves one end turns it
        turned = np.hypot(axis_errors(front), front.curvature[:, None] * np.sqrt(variances[:, :2]))
        lg_error = np.sqrt(variances[:, 2] + 0.06**2) * self.calibration.b / np.log(10)  # and shower-to-shower
        return Reconstructed(
            np.column_stack([front.axis, size.core, lg_energy, xmax]),
            np.column_stack([turned, np.sqrt(variances[:, :2]), lg_error, xmax_error]),
            front,
            bend,
            size,
            size.beta - self.lateral.beta(secant_of(front.axis), size.log_size),
        )

    def _geometry(self, stations: Floats) -> tuple[Front, Size]:
        """Axis and core, each with the other's last."""
        front = plane_fit(stations, self.timing)
        for _ in range(ROUNDS):
            size = lateral_fit(stations, front.axis, self.lateral)
            curvature = self.curvature.of(front.axis)
            times = (
                self.timing.of(stations)
                if self.start_times is None
                else self.start_times.of(stations, front.axis, size.core)
            )
            front = sphere_fit(stations, *times, front.axis, size.core, *curvature)
        return front._replace(axis=stretched(front.axis, self.stretch)), size

    def _bend(self, front: Front) -> Bend:
        mean, spread = self.curvature.of(front.axis)
        known = np.clip(1 - front.curvature_variance / spread**2, 0, 1)
        return Bend((front.curvature - mean) / spread, known)

    def _state(self) -> Arrays:
        """All constants by name."""
        models = {
            "timing": self.timing,
            "lateral": self.lateral,
            "curvature": self.curvature,
            "calibration": self.calibration,
            "risetime": self.risetime,
            "start_times": self.start_times,
        }
        found = self.scales | {"stretch": self.stretch}
        for name, model in models.items():
            found |= unfold(name, model) if model is not None else {}
        return found


class LearnedCorrection:
    """A statistical learner on the numbers of the standard reconstruction, for what that misses.

    It learns the residuals in units of the stated uncertainties: trees, which are constant in steps, need not draw the
    straight line from the reconstructed to the true value, and uncertainties go on to differ between showers.

    Args:
        learner: what learns: ``Boosting`` or ``Ridge``.
        title: for tables.
    """

    kind = "baseline"

    def __init__(self, learner: type[Boosting] | type[Ridge], title: str) -> None:
        self.title = title
        self.standard = StandardReconstruction()
        self.learner = learner(self.standard.summary, title)

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Fit the reconstruction, then the learner to its residuals. Writes their files."""
        self.standard.fit(train, validation, directory)
        self.learner.fit(self._missed(train), self._missed(validation), directory)

    def restore(self, directory: Path) -> None:
        """Read their files."""
        self.standard.restore(directory)
        self.learner.restore(directory)

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and standard deviation (shower, 6).

        Raises:
            BadInput: a shower with fewer than three triggered stations.
        """
        found, missed = self.standard.predict(inputs), self.learner.predict(inputs)
        assert found.std is not None
        assert missed.std is not None
        return Prediction(found.mean + found.std * missed.mean, found.std * missed.std)

    def _missed(self, samples: Samples) -> Samples:
        """The same showers, the targets being what the reconstruction misses, in units of its uncertainties."""

        def both(inputs: Inputs) -> Inputs:
            found = self.standard.predict(inputs)
            assert found.std is not None
            return np.stack([found.mean, found.std], axis=1)

        mean, std = gather(samples, both).transpose(1, 0, 2)
        return replace(samples, targets=np.clip((samples.targets - mean) / std, -6, 6).astype(np.float32))


def learned_from(train: Samples) -> tuple[Floats, Floats]:
    """Stations (shower, station, 9) and targets (shower, 6) of training showers, at most MOST of them."""
    some = replace(train, indices=train.indices[:MOST], targets=train.targets[:MOST])
    return gather(some, read_as_stations).astype(np.float64), some.targets.astype(np.float64)


def read_as_stations(inputs: Inputs) -> Inputs:
    """``read_stations`` in single precision, to be kept for many showers."""
    return read_stations(inputs).astype(np.float32)


def triggered(stations: Floats) -> Floats:
    """Number of triggered stations (shower,)."""
    return np.asarray((stations[..., STATUS] == TRIGGERED).sum(axis=1), dtype=np.float64)


def axis_errors(front: Front) -> Floats:
    """Standard deviations (shower, 2) of the axis, at most 0.5 and never 0."""
    return np.clip(np.sqrt(np.diagonal(front.covariance, axis1=1, axis2=2)), 1e-5, 0.5)


def stretched(axis: Floats, stretch: Floats) -> Floats:
    """Axes (shower, 2) with their mean zenith angle put right: their length grows by a polynomial of its square."""
    square = np.square(axis).sum(axis=1, keepdims=True)
    found = axis * (1 + np.polynomial.polynomial.polyval(square, stretch))
    return np.asarray(found * np.minimum(1, STEEPEST / np.maximum(np.hypot(*found.T), 1e-9))[:, None])


def learn_stretch(said: Floats, true: Floats) -> Floats:
    """The polynomial (3,) of least squares; a few far misses count no more than others.

    Args:
        said: axes (shower, 2) as they are fitted.
        true: (shower, 2).
    """
    square = np.square(said).sum(axis=1)[:, None, None]
    terms = said[..., None] * np.concatenate([np.ones_like(square), square, square**2], axis=2)
    missed = np.hypot(*(true - said).T)
    kept = missed <= np.quantile(missed, 0.95)
    design = terms[kept].reshape(-1, 3)
    return np.asarray(np.linalg.solve(design.T @ design + 1e-3 * np.eye(3), design.T @ (true - said)[kept].ravel()))


def learn_scales(pulls: Floats, first: Floats, second: Floats) -> Arrays:
    """Scales of uncertainties in three bins of either variable, drawn towards those of all showers.

    Args:
        pulls: residuals over stated uncertainties (shower, target).
        first: (shower,).
        second: (shower,).

    Returns:
        ``scale_first``, ``scale_second``: edges (2,); ``scale``: (bin, bin, target).
    """
    edges = {"scale_first": np.quantile(first, [1 / 3, 2 / 3]), "scale_second": np.quantile(second, [1 / 3, 2 / 3])}
    row, column = np.searchsorted(edges["scale_first"], first), np.searchsorted(edges["scale_second"], second)
    overall = np.quantile(np.abs(pulls), 0.683, axis=0)
    table = np.tile(overall, (3, 3, 1))
    for place in np.ndindex(3, 3):
        inside = (row == place[0]) & (column == place[1])
        if inside.any():
            own, count = np.quantile(np.abs(pulls[inside]), 0.683, axis=0), inside.sum()
            table[place] = (count * own + FULL_BIN * overall) / (count + FULL_BIN)
    return edges | {"scale": np.maximum(table, 1e-3)}


def scales_of(scales: Arrays, first: Floats, second: Floats) -> Floats:
    """Scales (shower, target) for both variables (shower,)."""
    row, column = np.searchsorted(scales["scale_first"], first), np.searchsorted(scales["scale_second"], second)
    return np.asarray(scales["scale"][row, column])


def unfold(name: str, model: NamedTuple) -> Arrays:
    """The fields of a named tuple as arrays ``name.field``."""
    return {f"{name}.{field}": np.array(value) for field, value in model._asdict().items()}


def fold(model: Callable[..., Model], name: str, arrays: Arrays) -> Model:
    """The named tuple that ``unfold`` took apart."""
    fields = {key.removeprefix(f"{name}."): values for key, values in arrays.items() if key.startswith(f"{name}.")}
    return model(**{field: values if values.ndim else values.item() for field, values in fields.items()})
