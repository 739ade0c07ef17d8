"""Points of a function, each measured with a known Gaussian error: the function, and the columns that hold them.

The function is a resonance on a falling background. Its peak is narrow and the rest is smooth, which is where methods
with one stiffness or one length scale for all of the axis have to compromise. x and y have no unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import ArrayRecords, Inputs, Samples
from cloudchamber.schema import Array, Arrays, BadInput

RESOLUTION = 1e-3
"""x is known to this much: a training copy moves it by half of that at most."""
OUTSIDE = 1.5
"""How far beyond the points methods are asked, in units of the largest abs(x) of a point."""
COLUMNS = {
    "x": Array("point", "", "where the function is measured"),
    "error": Array("point", "", "standard deviation of the measurement", low=0),
    "y": Array("point", "", "measured value: function plus Gaussian error"),
}
POINT_INPUT = Array("point column", "", "x and the error of the measurement there")

Values = NDArray[np.float64]
"""(point,)."""


def resonance(x: NDArray[np.floating[Any]]) -> Values:
    """The function: an exponential background, and a Breit-Wigner peak of height 1 and half width 0.15 at 0.3.

    Examples:
        >>> resonance(np.array([0.3, 0.45])).round(3).tolist()  # the top, and half of the peak's height
        [1.261, 0.742]
    """
    place = np.asarray(x, np.float64)
    return np.asarray(0.5 * np.exp(-0.5 * (place + 1)) + 1 / (1 + np.square((place - 0.3) / 0.15)), np.float64)


@dataclass(frozen=True)
class Points:
    """Measured points, in ascending order of x.

    Attributes:
        x: (point,), where.
        y: (point,), measured value.
        error: (point,), its standard deviation; above 0.
    """

    x: Values
    y: Values
    error: Values

    @classmethod
    def of(cls, *samples: Samples) -> Self:
        """The points of one or more splits, with what was measured as ``y``.

        Raises:
            BadInput: no points, or points whose error is 0, with the place of the first of them.
        """
        inputs = np.concatenate([one.inputs() for one in samples]).astype(np.float64)
        values = np.concatenate([one.targets[:, 0] for one in samples]).astype(np.float64)
        if len(inputs) == 0:
            raise BadInput("no points to fit: give measured points with their errors")
        if (exact := inputs[:, 1] <= 0).any():
            raise BadInput(
                f"column 'error': {exact.sum()} of the {len(inputs)} points to fit have no error above 0, the first at "
                f"x = {inputs[exact, 0].min():.6g}: give each point the standard deviation of its measurement"
            )
        order = np.argsort(inputs[:, 0], kind="stable")
        return cls(inputs[order, 0], values[order], inputs[order, 1])

    @classmethod
    def read(cls, arrays: Arrays) -> Self:
        """What ``arrays`` wrote."""
        return cls(arrays["x"], arrays["y"], arrays["error"])

    def arrays(self) -> Arrays:
        """By name, for files."""
        return {"x": self.x, "y": self.y, "error": self.error}

    def __len__(self) -> int:
        return len(self.x)


def point_inputs(config: Any, records: Arrays, rng: np.random.Generator | None) -> Inputs:  # noqa: ARG001
    """Places and errors (point, 2); with ``rng``, the places are drawn anew within the RESOLUTION.

    Args:
        config: of the study, which plays no part.
        records: the COLUMNS.
        rng: of a training copy.
    """
    x = np.asarray(records["x"], np.float64)
    if rng is not None:
        x = x + rng.uniform(-RESOLUTION / 2, RESOLUTION / 2, x.shape)
    return np.stack([x, np.asarray(records["error"], np.float64)], axis=1).astype(np.float32)


def measured(x: Values, error: Values, rng: np.random.Generator) -> Samples:
    """A measurement of the function, as samples.

    Args:
        x: (point,), where.
        error: (point,), standard deviations.
        rng: of the measured values.
    """
    values = resonance(x) + error * rng.standard_normal(len(x))
    records = ArrayRecords({"x": x, "error": error, "y": values})
    everything = np.arange(len(x), dtype=np.int64)
    return Samples(records, everything, partial(point_inputs, None), values[:, None].astype(np.float32), ("y",))
