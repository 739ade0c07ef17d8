"""A network on the stations of any surface array, as they lie in the frame of the shower.

Nodes are the triggered stations and the silent ones nearest to the core; dead ones say nothing. The frame has its
origin in the core of a first look (``layers.shower_front``) and its first axis along that one's azimuth, so that a
shower and array that are turned about the vertical, or moved, give the same nodes: the corrections of axis and core are
turned back (in standardised targets, whose x and y differ in scale by some per cent). Nodes exchange messages by masked
attention (Vaswani et al., arXiv:1706.03762, eq. 1); the graph is that of all pairs, for a shower triggers few stations.
Learned variables of the traces are as in arXiv:1708.00647. What the nodes know in the end serves twice: as weights and
corrections in fits of front and lateral distribution (``layers.learned_fit``), and pooled, for what those leave.

Conventions: inputs and targets as in ``data.surface_array``. The outputs are six means, then six raw variances
(``learning.gaussian``), of which those of x and y are the diagonal of the turned covariance.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cloudchamber.data.surface_array import SATURATED, TRACE
from cloudchamber.layers.learned_fit import FRONT_UNIT, LATERAL_UNIT, SHIFT, SIZE, TILT, LearnedFit
from cloudchamber.layers.shower_front import (
    POWERS,
    WITH_SIGNALS,
    FirstLook,
    compressed,
    first_look,
    signal_weight,
    start_weight,
)
from cloudchamber.layers.station_traces import VARIABLES, TraceReader, TraceVariables
from cloudchamber.simulators.airshower.surface_array import LIGHT

SPACING = 1500.0
"""Unit of lengths in the features [m]."""
LATE = 300.0
"""Unit of delays [ns]."""
KNOWN = WITH_SIGNALS + 2 * len(POWERS)
"""Features of a shower."""
VERTICAL = 0.02
"""Sine of the zenith angle below which the azimuth of a shower means little."""
FEATURES = 15
"""Of a node, besides the learned variables of its trace."""


class AttentionBlock(nn.Module):
    """Masked attention among nodes and a two-layer network for each, both added to what there was.

    Args:
        width: features of a node.
        heads: of the attention; they share the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.collect = nn.Linear(width, width)
        self.each = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, nodes: Tensor, present: Tensor) -> Tensor:
        """Nodes (shower, node, width) after messages from those ``present`` (shower, node; 1 or 0)."""
        parts = self.project(self.before(nodes)).reshape(*nodes.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1], parts[2]
        scores = query @ key.transpose(2, 3) / key.shape[-1] ** 0.5 + 1e4 * (present[:, None, None] - 1)
        messages = (scores.softmax(dim=3) @ value).transpose(1, 2).flatten(2)
        nodes = nodes + self.collect(messages)
        changed: Tensor = nodes + self.each(nodes)
        return changed


class ShowerGraph(nn.Module):
    """Raw inputs (shower, station, 6 + bins) of any array to (shower, 12): corrections of a first estimate.

    References:
        | A deep learning-based reconstruction of cosmic ray-induced air showers (Erdmann, Glombitza, Walz, 2017)
        | https://arxiv.org/abs/1708.00647
        | Attention is all you need (Vaswani et al., 2017)
        | https://arxiv.org/abs/1706.03762

    Args:
        bins: length of a trace.
        nodes: stations a shower that are read; an array with fewer has fewer.
        width: features of a node, divisible by ``heads``.
        blocks: of attention.
        heads: of each block.
        traces: how traces are read.
    """

    def __init__(
        self,
        bins: int = 120,
        nodes: int = 32,
        width: int = 48,
        blocks: int = 2,
        heads: int = 4,
        traces: TraceReader = "convolution",
    ) -> None:
        super().__init__()
        self.outputs = 12
        self.nodes = nodes
        self.traces = TraceVariables(bins, traces)
        self.embed = nn.Sequential(nn.Linear(FEATURES + VARIABLES, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.shower = nn.Linear(KNOWN, width)
        self.blocks = nn.ModuleList(AttentionBlock(width, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.value = nn.Linear(width, 2 * width)
        self.attention = nn.Linear(width, heads)
        self.heads = heads
        self.front = LearnedFit(width, unit=FRONT_UNIT, prior=3 * TILT)
        self.lateral = LearnedFit(width, unit=LATERAL_UNIT, prior=3 * SHIFT)
        self.answer = nn.Sequential(
            nn.Linear(4 * width + KNOWN + 5, 2 * width), nn.GELU(), nn.Linear(2 * width, self.outputs)
        )

    def first_estimate(self, inputs: Tensor) -> Tensor:
        """What the network corrects, (shower, 6), in the units of the targets."""
        return first_look(inputs, signals=True).estimate()

    def trace_variables(self, inputs: Tensor) -> Tensor:
        """The learned variables of the traces (shower, station, 10), 0 where not triggered."""
        variables: Tensor = self.traces(inputs[..., TRACE:], first_look(inputs, signals=True).triggered)
        return variables

    def forward(self, inputs: Tensor) -> Tensor:
        """Means and raw variances (shower, 12) of the standardised corrections."""
        front = first_look(inputs, signals=True)
        turn = azimuth(front.axis)
        chosen = self.choose(front)
        pick = chosen[:, :, None]
        seen = inputs.gather(1, pick.expand(-1, -1, inputs.shape[2]))
        triggered, present = front.triggered.gather(1, chosen), front.working.gather(1, chosen)
        features = station_features(front, turn, inputs[..., SATURATED])
        features = features.gather(1, pick.expand(-1, -1, features.shape[2]))
        whole = torch.cat([front.whole(signals=True), compressed(turned(front.tilts, turn) / TILT).flatten(1)], dim=1)
        nodes = self.embed(torch.cat([features, self.traces(seen[..., TRACE:], triggered)], dim=2))
        nodes = nodes + self.shower(whole)[:, None]
        for block in self.blocks:
            nodes = block(nodes, present)
        nodes = self.norm(nodes)
        fitted = self.fitted(nodes, front, turn, chosen, seen[..., SATURATED])
        answer = self.answer(torch.cat([self.pooled(nodes, present), whole, fitted], dim=1))
        return turned_back(torch.cat([answer[:, :5] + fitted, answer[:, 5:]], dim=1), turn)

    def fitted(self, nodes: Tensor, front: FirstLook, turn: Tensor, chosen: Tensor, saturated: Tensor) -> Tensor:
        """Corrections of axis, core and energy (shower, 5) by the learned fits, in the frame of the shower.

        Args:
            nodes: (shower, node, width).
            front: first look.
            turn: cosine and sine of the azimuth (shower, 2).
            chosen: numbers of the nodes' stations (shower, node).
            saturated: of the nodes (shower, node).
        """
        triggered, total, delay, excess = (
            one.gather(1, chosen) for one in (front.triggered, front.total, front.delay, front.excess)
        )
        places, slopes = (
            turned(one[..., :2], turn).gather(1, chosen[:, :, None].expand(-1, -1, 2))
            for one in (front.places, front.slopes)
        )
        tilt, _ = self.front(nodes, delay * LIGHT, -places, start_weight(triggered, total))
        step, size = self.lateral(nodes, excess, slopes, signal_weight(triggered, saturated, total))
        return torch.cat([tilt / TILT, step / SHIFT, size / SIZE], dim=1)

    def choose(self, front: FirstLook) -> Tensor:
        """Numbers of the stations that are read (shower, node): triggered ones first, then the nearest working ones."""
        away = front.places[..., :2].square().sum(dim=2).sqrt() / SPACING
        rank = front.triggered + front.working + 1 / (1 + away)
        return rank.topk(min(self.nodes, rank.shape[1]), dim=1).indices

    def pooled(self, nodes: Tensor, present: Tensor) -> Tensor:
        """Sum, and average by learned attention, of what the nodes say: (shower, 4 width)."""
        values = nn.functional.gelu(self.value(nodes)) * present[:, :, None]
        scores = self.attention(nodes).transpose(1, 2) + 1e4 * (present[:, None] - 1)
        averages = scores.softmax(dim=2)[:, :, None] @ values.reshape(*values.shape[:2], self.heads, -1).transpose(1, 2)
        return torch.cat([values.sum(dim=1) / 8, averages.flatten(1)], dim=1)


def azimuth(axis: Tensor) -> Tensor:
    """Cosine and sine of the azimuth of unit vectors (shower, 3), as (shower, 2); both go to 0 where there is none."""
    level = axis[:, :2]
    return level / (level.square().sum(dim=1, keepdim=True) + VERTICAL**2).sqrt()


def turned(vectors: Tensor, turn: Tensor) -> Tensor:
    """Horizontal vectors (shower, number, 2) in the frame of the shower: ahead and aside."""
    cosine, sine = turn[:, :1], turn[:, 1:]
    x, y = vectors[..., 0], vectors[..., 1]
    return torch.stack([cosine * x + sine * y, cosine * y - sine * x], dim=2)


def station_features(front: FirstLook, turn: Tensor, saturated: Tensor) -> Tensor:
    """What a node reads of a station besides its trace (shower, station, FEATURES), in the frame of the shower."""
    ahead, aside = turned(front.places[..., :2] / SPACING, turn).unbind(dim=2)
    distance = front.distance / SPACING
    late = front.delay / LATE
    seen = torch.log10(1 + front.total)
    return torch.stack(
        [
            ahead,
            aside,
            distance,
            torch.log10(10 * distance),
            compressed(late),
            compressed(late * ahead),
            compressed(late * aside),
            compressed(late * distance),
            seen,
            front.expected.clamp(-2, 4),
            front.excess,
            front.excess * ahead,
            front.excess * aside,
            front.triggered,
            saturated,
        ],
        dim=2,
    )


def turned_back(outputs: Tensor, turn: Tensor) -> Tensor:
    """Outputs (shower, 12) in the frame of the shower to those of the array.

    Axis and core turn as vectors, their variances as the diagonal of a covariance that is diagonal in the frame.
    """
    cosine, sine = turn[:, :1], turn[:, 1:]
    mean, raw = outputs.chunk(2, dim=1)
    variance = nn.functional.softplus(raw[:, :4]) + 1e-6
    turned, spread = [], []
    for first in (0, 2):
        ahead, aside = mean[:, first : first + 1], mean[:, first + 1 : first + 2]
        turned += [cosine * ahead - sine * aside, sine * ahead + cosine * aside]
        ahead, aside = variance[:, first : first + 1], variance[:, first + 1 : first + 2]
        unknown = (1 - cosine**2 - sine**2) * (ahead + aside) / 2  # of a vertical shower without azimuth
        spread += [cosine**2 * ahead + sine**2 * aside + unknown, sine**2 * ahead + cosine**2 * aside + unknown]
    total = torch.cat(spread, dim=1) + 1e-6
    half = torch.tanh(total / 2)
    inverse = total + torch.log(2 * half / (1 + half))  # log(exp(total) - 1), of the softplus
    return torch.cat([*turned, mean[:, 4:], inverse, raw[:, 4:]], dim=1)


def tiny() -> tuple[ShowerGraph, tuple[int, ...]]:
    """A small one for tests, with the shape of one input."""
    return ShowerGraph(bins=40, nodes=6, width=8, blocks=1, heads=2), (9, 46)
