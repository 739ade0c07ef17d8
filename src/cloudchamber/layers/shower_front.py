"""The physicist's first look at an air shower: the axis from start times, the core and the size from total signals.

Networks of air showers start from it (their ``first_estimate``) and read what it leaves: delays after the front,
signals relative to the lateral distribution, positions relative to the core. Two steps, both least squares solved by
Cramer's rule:

* the front: ``c (t - t0) = -(x - x0) . a + r^2 / (2 R)`` for the axis a, a unit vector towards the origin of the
  shower, with the distance r from the axis and a typical radius R of curvature; stations weigh by their signals. The
  heights of the stations enter by the vertical component of a first solution;
* the lateral distribution ``lg S = s - beta (lg(r / 1000 m) + lg((r + 700 m) / 1700 m))`` of the Pierre Auger
  Observatory (arXiv:1502.01323, form of its NKG function) with a typical beta, for the size s and the core: three
  Gauss-Newton steps from the barycentre, with a weak prior at it.

A network that may not read signals takes the plane front and the mean of the triggered stations. Everything is
differentiable, and finite for any input: variances of positions have a floor, and steps have a largest length.

Conventions: inputs as in ``data.surface_array``; lengths in m, times in ns, signals in VEM.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cloudchamber.data.surface_array import SATURATED, STATUS, TIME, TRACE, X, Z
from cloudchamber.simulators.airshower.surface_array import LIGHT

FLOOR = 1.0
"""Added to the variances of the positions in the fit of the front [m^2]."""
STEEPEST = 0.95
"""Largest horizontal component of the axis: 72 degrees from the vertical."""
CURVATURE = 10_000.0
"""Typical radius of the front [m]."""
STEEPNESS, LESS_STEEP = 2.3, 0.25
"""Beta at 38 degrees, and by how much it falls with the secant of the zenith angle."""
SPREAD = 0.1
"""Of lg S around the lateral distribution, besides the fluctuation of the signal."""
PRIOR = 300.0
"""How far the core lies from the barycentre [m]; a step to it is at most LONGEST."""
LONGEST = 400.0
CLOSEST = 50.0
"""Added in quadrature to distances from the axis [m]: no signal is infinite."""
STEPS = 3
OFFSET = 17.4
"""lg(energy / eV) of a shower of 1 VEM at 1000 m, about; the training takes the mean off."""
TIMING, LATENESS = 5.0, 100.0
"""Spread of light's way in a start time [m], and that of a single particle of 1 VEM, about."""
POWERS = (0.5, 0.0)
"""Of the signals, as other weights in the fit of the front."""
WITH_SIGNALS, WITHOUT_SIGNALS = 5, 3
"""Numbers of ``FirstLook.whole``."""


class FirstLook(NamedTuple):
    """What the first look finds.

    Attributes:
        axis: unit vector (shower, 3).
        tilts: horizontal components of the axes that other weights give, less this one's (shower, len(POWERS), 2).
        core: in the plane of height 0 (shower, 2).
        places: positions of the stations relative to it (shower, station, 3).
        distance: of the stations from the axis (shower, station).
        delay: of the start after the front, 0 where not triggered (shower, station).
        total: signal, 0 where not triggered (shower, station).
        excess: lg of the signal less that of the lateral distribution, 0 where not triggered (shower, station).
        expected: lg of the signal by the lateral distribution (shower, station); 0 without signals.
        slopes: of that in the core (shower, station, 2) [1/m]; 0 without signals.
        size: lg of the signal at 1000 m, or of the number of triggered stations without signals (shower,).
        triggered, working: 1 or 0 (shower, station).
    """

    axis: Tensor
    tilts: Tensor
    core: Tensor
    places: Tensor
    distance: Tensor
    delay: Tensor
    total: Tensor
    excess: Tensor
    expected: Tensor
    slopes: Tensor
    size: Tensor
    triggered: Tensor
    working: Tensor

    def estimate(self) -> Tensor:
        """The first estimate of ``data.surface_array.TARGETS`` (shower, 6); it leaves the depth of the maximum at 0."""
        energy = self.size[:, None] + OFFSET
        return torch.cat([self.axis[:, :2], self.core, energy, torch.zeros_like(energy)], dim=1)

    def whole(self, signals: bool) -> Tensor:
        """What is known of a shower as a whole (shower, number), all of the order of one.

        The vertical component of the axis, how many stations triggered, the spread of their delays.

        Args:
            signals: also the size, and the largest signal.
        """
        number = self.triggered.sum(dim=1)
        scatter = (self.delay.square().sum(dim=1) / number.clamp(min=1) + 1).sqrt()
        known = [4 * self.axis[:, 2] - 3, torch.log10(1 + number) - 1, torch.log10(scatter) - 2]
        if signals:
            known += [self.size - 1.5, torch.log10(1 + self.total.amax(dim=1)) - 2]
        return torch.stack(known, dim=1)


def first_look(inputs: Tensor, signals: bool) -> FirstLook:
    """Axis, core and size by raw ``inputs`` (shower, station, 6 + bins).

    Args:
        inputs: any stations in any order; without triggered ones the axis is vertical.
        signals: whether total signals may be read; if not, stations that triggered count alike.
    """
    triggered = (inputs[..., STATUS] > 0.5).to(inputs.dtype)
    working = (inputs[..., STATUS] > -0.5).to(inputs.dtype)
    total = inputs[..., TRACE:].sum(dim=2).clamp(min=0) * triggered
    position, height = inputs[..., X:Z], inputs[..., Z]
    ways = inputs[..., TIME] * LIGHT
    share = normalised(triggered * (total + 0.1) if signals else triggered)
    flat = plane_axis(share, position, ways)
    axis = plane_axis(share, position, ways + flat[:, 2:] * height)
    root = normalised(triggered * (total + 0.1).sqrt() if signals else triggered)
    core = (root[:, :, None] * position).sum(dim=1)
    places = torch.cat([position - core[:, None], height[:, :, None]], dim=2)
    size, expected = torch.log10(1 + triggered.sum(dim=1)), torch.zeros_like(total)
    slopes = torch.zeros_like(places[..., :2])
    if signals:
        weight = signal_weight(triggered, inputs[..., SATURATED], total)
        step, size, expected = lateral_fit(places, axis, torch.log10(total + 0.1), weight)
        slopes = lateral_slopes(places, axis, step)
        core, places = core + step, moved(places, step)
        sagitta = away_from(places, axis).square() / (2 * CURVATURE)
        ways = ways - sagitta
        axis = plane_axis(share, position, ways + axis[:, 2:] * height)
    straight = ways + axis[:, 2:] * height
    others = [normalised(triggered * (total + 0.1) ** power if signals else triggered) for power in POWERS]
    tilts = torch.stack([(plane_axis(one, position, straight) - axis)[:, :2] for one in others], dim=1)
    late = ways + (places @ axis[:, :, None])[..., 0]
    excess = triggered * (torch.log10(total + 0.1) - expected).clamp(-2, 2)
    delay = triggered * (late - (share * late).sum(dim=1, keepdim=True)) / LIGHT
    return FirstLook(
        axis,
        tilts,
        core,
        places,
        away_from(places, axis),
        delay,
        total,
        excess,
        expected,
        slopes,
        size,
        triggered,
        working,
    )


def signal_weight(triggered: Tensor, saturated: Tensor, total: Tensor) -> Tensor:
    """Inverse variances of lg S, all (shower, station): 0 where not triggered or saturated."""
    return triggered * (1 - saturated.clamp(0, 1)) / (SPREAD**2 + 0.25 / (total + 1))


def start_weight(triggered: Tensor, total: Tensor) -> Tensor:
    """Inverse variances of light's way in the start times [1/m^2], all (shower, station): 0 where not triggered."""
    return triggered / (TIMING**2 + LATENESS**2 / (total + 0.1))


def compressed(values: Tensor) -> Tensor:
    """The inverse hyperbolic sine: linear in small values, logarithmic in large ones of either sign."""
    if torch.onnx.is_in_onnx_export():  # the exporter does not know it; this form has no slope at 0
        size = values.abs()
        return values.sign() * torch.log(size + (size.square() + 1).sqrt())
    return torch.asinh(values)


def normalised(weight: Tensor) -> Tensor:
    """Weights (shower, station) divided by their sum; all 0 if that is 0."""
    return weight / weight.sum(dim=1, keepdim=True).clamp(min=1e-6)


def away_from(places: Tensor, axis: Tensor) -> Tensor:
    """Distances (shower, station) of places (shower, station, 3) from the axis (shower, 3) through the origin.

    CLOSEST is added in quadrature.
    """
    across = places - (places @ axis[:, :, None]) * axis[:, None]
    return (across.square().sum(dim=2) + CLOSEST**2).sqrt()


def plane_axis(share: Tensor, position: Tensor, ways: Tensor) -> Tensor:
    """The axis of the plane front, a unit vector (shower, 3).

    Args:
        share: weights of the stations with sum 1 (shower, station).
        position: horizontal (shower, station, 2).
        ways: light's way in the start time, less what is no plane (shower, station).
    """
    offset = position - (share[:, :, None] * position).sum(dim=1, keepdim=True)
    late = ways - (share * ways).sum(dim=1, keepdim=True)
    level = -solved(share, offset, late, FLOOR)
    length = (level.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()
    level = level * (STEEPEST / length).clamp(max=1)
    return torch.cat([level, (1 - level.square().sum(dim=1, keepdim=True)).sqrt()], dim=1)


def solved(weight: Tensor, slopes: Tensor, values: Tensor, ridge: float) -> Tensor:
    """The two numbers b of the weighted least squares ``values = slopes . b``, (shower, 2), by Cramer's rule.

    Args:
        weight: (shower, station).
        slopes: (shower, station, 2).
        values: (shower, station).
        ridge: added to the diagonal of the normal matrix.
    """
    x, y = slopes[..., 0], slopes[..., 1]
    xx, yy = (weight * x * x).sum(dim=1) + ridge, (weight * y * y).sum(dim=1) + ridge
    xy, xv, yv = (weight * x * y).sum(dim=1), (weight * x * values).sum(dim=1), (weight * y * values).sum(dim=1)
    determinant = (xx * yy - xy * xy).clamp(min=ridge**2)  # larger but for rounding
    return torch.stack([(xv * yy - yv * xy) / determinant, (yv * xx - xv * xy) / determinant], dim=1)


def lateral_fit(places: Tensor, axis: Tensor, signal: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The lateral distribution through signals, from the barycentre.

    Args:
        places: relative to the barycentre (shower, station, 3).
        axis: (shower, 3).
        signal: lg S (shower, station).
        weight: inverse variances of lg S, 0 for stations that have no say (shower, station).

    Returns:
        The core relative to the barycentre (shower, 2), the size (shower,), and lg of the expected signals (shower,
        station).
    """
    beta = steepness(axis)
    core = torch.zeros_like(axis[:, :2])
    share = normalised(weight)
    for _ in range(STEPS):
        left = signal - lateral(away_from(moved(places, core), axis), beta)
        left = left - (share * left).sum(dim=1, keepdim=True)
        slopes = lateral_slopes(places, axis, core)
        slopes = slopes - (share[:, :, None] * slopes).sum(dim=1, keepdim=True)
        # the prior pulls the whole core, not the step: solved for the core itself
        step = solved(weight, slopes, left + (slopes @ core[:, :, None])[..., 0], PRIOR**-2) - core
        length = (step.square().sum(dim=1, keepdim=True) + 1e-6).sqrt()
        core = core + step * (LONGEST / length).clamp(max=1)
    shape = lateral(away_from(moved(places, core), axis), beta)
    size = (share * (signal - shape)).sum(dim=1)
    return core, size, size[:, None] + shape


def lateral(distance: Tensor, beta: Tensor) -> Tensor:
    """The lg of the signal relative to that at 1000 m, at a distance (shower, station) for steepness (shower, 1).

    Examples:
        >>> lateral(torch.tensor([[1000.0]]), torch.tensor([[2.3]])).abs().item() < 1e-6
        True
    """
    return -beta * (torch.log10(distance / 1000) + torch.log10((distance + 700) / 1700))


def lateral_slopes(places: Tensor, axis: Tensor, core: Tensor) -> Tensor:
    """How lg S of the stations changes with the core (shower, station, 2) [1/m].

    Args:
        places: of the stations (shower, station, 3).
        axis: (shower, 3).
        core: in the plane of height 0 (shower, 2).
    """
    there = moved(places, core)
    distance = away_from(there, axis)
    # the distance changes by minus the horizontal part of the unit vector from the axis to the station
    outward = (there[..., :2] - (there @ axis[:, :, None]) * axis[:, None, :2]) / distance[:, :, None]
    fall = steepness(axis) * (1 / distance + 1 / (distance + 700)) / 2.302585
    return fall[:, :, None] * outward


def steepness(axis: Tensor) -> Tensor:
    """Beta of the lateral distribution (shower, 1) of showers with an axis (shower, 3)."""
    return STEEPNESS - LESS_STEEP * (1 / axis[:, 2:] - 1.27)


def moved(places: Tensor, core: Tensor) -> Tensor:
    """Places (shower, station, 3) relative to a core (shower, 2) in the plane of height 0."""
    return torch.cat([places[..., :2] - core[:, None], places[..., 2:]], dim=2)
