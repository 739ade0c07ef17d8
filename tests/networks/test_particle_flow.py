"""The layers that let particles know of each other."""

from __future__ import annotations

import torch
from torch import nn

from cloudchamber.networks.particle_flow import POOLED, EPiC


def test_a_layer_adds_to_event_and_particles_what_the_paper_says() -> None:
    torch.manual_seed(1)
    layer = EPiC(width=4, pooled=3)
    particles, event = torch.randn(2, 5, 4), torch.randn(2, 3)
    mask = torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0, 0.0]])
    with torch.no_grad():
        moved, known = layer(particles, event, mask, mask.sum(1, keepdim=True))
        for row, there in enumerate((5, 2)):
            seen = layer.norm(particles[row, :there])
            both = torch.cat([seen.mean(0), seen.sum(0) / POOLED])
            new = event[row] + layer.whole(nn.functional.silu(layer.pool(both) + layer.keep(event[row])))
            torch.testing.assert_close(known[row], new)  # rounding of single precision
            step = layer.out(nn.functional.silu(layer.single(seen) + layer.read(new)))
            torch.testing.assert_close(moved[row, :there], particles[row, :there] + step)
