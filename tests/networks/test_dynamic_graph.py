"""The network on cosmic rays: what rotations, orders and numbers of cosmic rays do to it; compiled against plain."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cloudchamber.networks.dynamic_graph import DynamicGraph, tiny


def skies(samples: int, cosmic_rays: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(samples, cosmic_rays, 3, generator=generator), dim=-1)
    energies = 40 * torch.rand(samples, cosmic_rays, 1, generator=generator).clamp(min=1e-3) ** (-1 / 3)
    return torch.cat([directions, energies], dim=-1)


def network() -> DynamicGraph:
    torch.manual_seed(6)
    return DynamicGraph(neighbours=12, widths=(16, 16, 16)).eval()


def rotation(seed: int) -> Tensor:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return torch.from_numpy(q * np.sign(np.linalg.det(q))).float()


def test_rotated_sky_gives_same_numbers_and_rotated_direction() -> None:
    given, turn = skies(3, 300, 1), rotation(2)
    turned = torch.cat([given[..., :3] @ turn.T, given[..., 3:]], dim=-1)
    with torch.no_grad():
        out, logits = network().scores(given)
        out_turned, logits_turned = network().scores(turned)
    # rounding of rotated coordinates; an index that flips between two equally far neighbours would be of this size too
    torch.testing.assert_close(out_turned[:, :2], out[:, :2], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(out_turned[:, 2:], out[:, 2:] @ turn.T, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits_turned, logits, rtol=1e-3, atol=1e-3)


def test_order_does_not_matter_and_logits_follow() -> None:
    given = skies(2, 200, 3)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        out, logits = network().scores(given)
        out_mixed, logits_mixed = network().scores(given[:, order])
    torch.testing.assert_close(out_mixed, out, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits_mixed, logits[:, order], rtol=1e-4, atol=1e-5)


def test_compiled_and_plain_network_agree_with_gradients() -> None:
    given, model = skies(2, 150, 4), network()
    out, logits = model.scores(given)
    (out.sum() + logits.square().sum()).backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    double = network().double()
    out_plain, logits_plain = double.scores(given.double())
    (out_plain.sum() + logits_plain.square().sum()).backward()
    torch.testing.assert_close(out.double(), out_plain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits.double(), logits_plain, rtol=1e-4, atol=1e-4)
    for name, parameter in double.named_parameters():
        scale = float(parameter.grad.abs().max())
        torch.testing.assert_close(gradients[name].double(), parameter.grad, rtol=1e-3, atol=1e-4 * scale, msg=name)


@pytest.mark.parametrize("cosmic_rays", [2, 7, 500])
def test_any_number_of_cosmic_rays(cosmic_rays: int) -> None:
    with torch.no_grad():
        out, logits = network().scores(skies(2, cosmic_rays, 5))
    assert out.shape == (2, 5)
    assert logits.shape == (2, cosmic_rays)
    assert torch.isfinite(out).all()
    assert torch.isfinite(logits).all()


def test_length_of_the_position_does_not_matter() -> None:
    given = skies(2, 100, 6)
    longer = given * torch.tensor([7.0, 7.0, 7.0, 1.0])
    with torch.no_grad():
        torch.testing.assert_close(network()(longer), network()(given), rtol=1e-4, atol=1e-5)


def test_gradient_with_respect_to_the_cosmic_rays() -> None:
    model, shape = tiny()
    given = skies(2, shape[0], 7).requires_grad_()
    (slope,) = torch.autograd.grad(model(given)[:, 0].sum(), given)
    assert torch.isfinite(slope).all()
    assert (slope[..., :3].abs().sum(dim=(1, 2)) > 0).all()
    assert (slope[..., 3].abs().sum(dim=1) > 0).all()


def test_it_learns_a_source() -> None:
    """Half of the cosmic rays of a signal sky within 10 degrees: thirty steps must find that."""
    torch.manual_seed(8)
    model = DynamicGraph(outputs=1, neighbours=8, widths=(8, 8), dynamic=(False, True))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    truth = (torch.arange(32) % 2).float()
    losses = []
    for step in range(30):
        given = skies(32, 60, 100 + step)
        close = torch.nn.functional.normalize(given[:, :1, :3] + 0.15 * given[:, :30, :3], dim=-1)
        given[:, :30, :3] = torch.where(truth[:, None, None] > 0, close, given[:, :30, :3])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(given)[:, 0], truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:2])


def test_one_entry_a_layer() -> None:
    with pytest.raises(ValueError, match="one entry a layer"):
        DynamicGraph(widths=(8, 8), dynamic=(False,))
