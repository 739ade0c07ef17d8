"""The convolutional network that reconstructs air showers from the maps of a surface array.

Erdmann, Glombitza, Walz, arXiv:1708.00647: a network of its own, the same at every station, makes ten learned variables
of a trace; with the start time they are images of the array, which densely connected blocks (Huang et al.,
arXiv:1608.06993) of separable convolutions (Chollet, arXiv:1610.02357) read, with a tower for each task. Unlike the
publication's, this one corrects a first look (``layers.shower_front``): it sees delays after that front, and positions
relative to that core as further images; without signals, after a plane front and relative to the triggered stations.
The images also give weights and corrections for fits of front and lateral distribution (``layers.learned_fit``), and a
tower sees sums over the array besides its flattened images.

In an array of triangles every odd row is shifted by half a spacing. Images here have axial coordinates (Hoogeboom et
al., arXiv:1803.02108): a step along a row, and a step up to the right; of the 3 x 3 kernel the two corners that are no
neighbours are 0. So a kernel sees the same six neighbours in every row, which on images of shifted rows it does not.

Conventions: inputs and targets as in ``data.surface_array``; the outputs are six means, then six raw variances.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from cloudchamber.data.surface_array import SATURATED, TRACE
from cloudchamber.layers.learned_fit import FRONT_UNIT, LATERAL_UNIT, SHIFT, SIZE, TILT, LearnedFit
from cloudchamber.layers.shower_front import (
    POWERS,
    WITH_SIGNALS,
    WITHOUT_SIGNALS,
    FirstLook,
    compressed,
    first_look,
    signal_weight,
    start_weight,
)
from cloudchamber.layers.station_traces import VARIABLES, TraceReader, TraceVariables
from cloudchamber.simulators.airshower.surface_array import LIGHT

Reads = Literal["time", "total", "traces"]
TOWERS = {"axis": (0, 1), "core": (2, 3), "energy": (4,), "xmax": (5,)}
"""Targets of each tower."""
SPACING = 1500.0
"""Unit of lengths in the images [m]."""
LATE = 300.0
"""Unit of delays in the images [ns]."""


def axial_images(rows: int, columns: int) -> Tensor:
    """Station numbers (row, axial column) of an array whose odd rows are shifted; rows * columns where there is none.

    Examples:
        >>> axial_images(3, 2).tolist()
        [[6, 0, 1], [6, 2, 3], [4, 5, 6]]
    """
    stations = torch.full((rows, columns + (rows - 1) // 2), rows * columns)
    for row in range(rows):
        first = (rows - 1) // 2 - row // 2
        stations[row, first : first + columns] = columns * row + torch.arange(columns)
    return stations


class HexagonalConv(nn.Module):
    """A separable convolution on axial images: each channel by itself over seven stations, then all channels at each.

    Args:
        inward: channels before.
        outward: channels after.
    """

    hexagon: Tensor

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inward, 1, 3, 3) / 7**0.5)
        hexagon = torch.ones(3, 3)
        hexagon[0, 0] = hexagon[2, 2] = 0
        self.register_buffer("hexagon", hexagon, persistent=False)
        self.mix = nn.Conv2d(inward, outward, 1)
        nn.init.kaiming_normal_(self.mix.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Images (shower, inward, row, column) to (shower, outward, row, column), after a ReLU."""
        gathered = nn.functional.conv2d(images, self.weight * self.hexagon, padding=1, groups=images.shape[1])
        return torch.relu(self.mix(gathered))


class DenseBlock(nn.Module):
    """Convolutions that each read the images of all before (arXiv:1608.06993).

    Args:
        inward: channels of the input.
        growth: channels that each convolution adds.
        layers: how many convolutions.
    """

    def __init__(self, inward: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(HexagonalConv(inward + growth * layer, growth) for layer in range(layers))
        self.outward = inward + growth * layers

    def forward(self, images: Tensor) -> Tensor:
        """Images (shower, inward, row, column) and what was made of them (shower, outward, row, column)."""
        for layer in self.layers:
            images = torch.cat([images, layer(images)], dim=1)
        return images


class Tower(nn.Module):
    """One task: a convolution, then dense layers that know each station's place, and the sum over all stations.

    Args:
        inward: channels of the images.
        channels: of the tower's images.
        pooled: channels that are summed over the stations.
        stations: number of pixels that are stations or none.
        known: numbers of the shower as a whole.
        hidden: width of the dense layer.
        targets: each gets a mean and a raw variance.
    """

    def __init__(
        self, inward: int, channels: int, pooled: int, stations: int, known: int, hidden: int, targets: int
    ) -> None:
        super().__init__()
        self.images = nn.Sequential(nn.Conv2d(inward, channels, 1), nn.ReLU(), HexagonalConv(channels, channels))
        self.summed = nn.Sequential(nn.Conv2d(inward, pooled, 1), nn.ReLU())
        self.dense = nn.Sequential(
            nn.Linear(channels * stations + pooled + known, hidden), nn.ReLU(), nn.Linear(hidden, 2 * targets)
        )

    def forward(self, images: Tensor, known: Tensor) -> Tensor:
        """Means, then raw variances (shower, 2 targets) of images (shower, inward, row, column)."""
        read = [self.images(images).flatten(1), self.summed(images).sum(dim=(2, 3)) / 10, known]
        outputs: Tensor = self.dense(torch.cat(read, dim=1))
        return outputs


class ShowerArray(nn.Module):
    """Raw inputs (shower, station, 6 + bins) of a triangular array to (shower, 12): corrections of a first estimate.

    References:
        | A deep learning-based reconstruction of cosmic ray-induced air showers (Erdmann, Glombitza, Walz, 2017)
        | https://arxiv.org/abs/1708.00647
        | Densely connected convolutional networks (Huang et al., 2016)
        | https://arxiv.org/abs/1608.06993
        | Xception: deep learning with depthwise separable convolutions (Chollet, 2016)
        | https://arxiv.org/abs/1610.02357
        | HexaConv (Hoogeboom et al., 2018)
        | https://arxiv.org/abs/1803.02108

    Args:
        bins: length of a trace.
        rows, columns: of the array; station = columns * row + column, odd rows shifted to larger x.
        reads: "time" (start times, and which stations triggered), "total" (and total signals), "traces" (and ten
            learned variables of each trace). The first estimate reads no more.
        traces: how traces are read.
        growth: images that each convolution of the block adds.
        layers: convolutions of the block.
        channels: images of a tower.
        pooled: further images of a tower, of which it sees only the sum over the stations.
        hidden: width of a tower's dense layer.
    """

    stations: Tensor
    pixels: Tensor

    def __init__(
        self,
        bins: int = 120,
        rows: int = 9,
        columns: int = 9,
        reads: Reads = "traces",
        traces: TraceReader = "convolution",
        growth: int = 12,
        layers: int = 4,
        channels: int = 8,
        pooled: int = 32,
        hidden: int = 24,
    ) -> None:
        super().__init__()
        self.outputs = 12
        self.reads = reads
        self.signals = reads != "time"
        self.traces = TraceVariables(bins, traces) if reads == "traces" else None
        stations = axial_images(rows, columns)
        self.register_buffer("stations", stations, persistent=False)
        self.register_buffer("pixels", stations.flatten().argsort()[: rows * columns], persistent=False)
        images = 8 + 4 * self.signals + VARIABLES * (reads == "traces")
        known = 5 + 2 * len(POWERS) + (WITH_SIGNALS if self.signals else WITHOUT_SIGNALS)
        self.block = DenseBlock(images, growth, layers)
        self.front = LearnedFit(self.block.outward, unit=FRONT_UNIT, prior=3 * TILT)
        self.lateral = LearnedFit(self.block.outward, unit=LATERAL_UNIT, prior=3 * SHIFT) if self.signals else None
        self.towers = nn.ModuleDict(
            {
                name: Tower(self.block.outward, channels, pooled, self.stations.numel(), known, hidden, len(targets))
                for name, targets in TOWERS.items()
            }
        )

    def first_estimate(self, inputs: Tensor) -> Tensor:
        """What the network corrects, (shower, 6), in the units of the targets."""
        return first_look(inputs, self.signals).estimate()

    def trace_variables(self, inputs: Tensor) -> Tensor:
        """The learned variables of the traces (shower, station, 10), 0 where not triggered.

        Raises:
            ValueError: the network reads no traces.
        """
        if self.traces is None:
            raise ValueError(f"reads = {self.reads!r}: this network has no variables of traces")
        variables: Tensor = self.traces(inputs[..., TRACE:], first_look(inputs, self.signals).triggered)
        return variables

    def forward(self, inputs: Tensor) -> Tensor:
        """Means and raw variances (shower, 12) of the standardised corrections."""
        front = first_look(inputs, self.signals)
        features = station_features(front, inputs[..., SATURATED], self.signals)
        if self.traces is not None:
            features = torch.cat([features, self.traces(inputs[..., TRACE:], front.triggered)], dim=2)
        padded = torch.cat([features, torch.zeros_like(features[:, :1])], dim=1)
        images = padded[:, self.stations.flatten()].transpose(1, 2).reshape(inputs.shape[0], -1, *self.stations.shape)
        images = self.block(images)
        stations = images.flatten(2)[:, :, self.pixels].transpose(1, 2)
        fitted = self.fitted(stations, front, inputs[..., SATURATED])
        tilts = compressed(front.tilts / TILT).flatten(1)
        known = torch.cat([front.whole(self.signals), tilts, fitted], dim=1)
        means, raws = zip(*(tower(images, known).chunk(2, dim=1) for tower in self.towers.values()), strict=True)
        return torch.cat([torch.cat(means[:-1], dim=1) + fitted, means[-1], *raws], dim=1)

    def fitted(self, stations: Tensor, front: FirstLook, saturated: Tensor) -> Tensor:
        """Corrections of axis, core and energy (shower, 5) by the learned fits; without signals only of the axis.

        Args:
            stations: features (shower, station, feature).
            front: first look.
            saturated: 1 or 0 (shower, station).
        """
        total = front.total if self.signals else front.triggered
        weight = start_weight(front.triggered, total)
        tilt, _ = self.front(stations, front.delay * LIGHT, -front.places[..., :2], weight)
        if self.lateral is None:
            return torch.cat([tilt / TILT, torch.zeros_like(front.core), torch.zeros_like(front.size)[:, None]], dim=1)
        weight = signal_weight(front.triggered, saturated, front.total)
        step, size = self.lateral(stations, front.excess, front.slopes, weight)
        return torch.cat([tilt / TILT, step / SHIFT, size / SIZE], dim=1)


def station_features(front: FirstLook, saturated: Tensor, signals: bool) -> Tensor:
    """The images of an array but for learned variables, (shower, station, image).

    Args:
        front: first look at the showers.
        saturated: 1 or 0 (shower, station).
        signals: with total signal, its ratio to the lateral distribution, and saturation.
    """
    x, y = front.places[..., 0] / SPACING, front.places[..., 1] / SPACING
    late = front.delay / LATE
    features = [
        x, y, front.distance / SPACING, front.triggered, front.working,
        compressed(late), compressed(late * x), compressed(late * y)
    ]  # fmt: skip
    if signals:
        features += [torch.log10(1 + front.total), front.excess, front.expected.clamp(-2, 4), saturated]
    return torch.stack(features, dim=2)


def tiny() -> tuple[ShowerArray, tuple[int, ...]]:
    """A small one for tests, with the shape of one input."""
    return ShowerArray(bins=40, rows=3, columns=3, growth=4, layers=2, channels=3, hidden=6), (9, 46)
