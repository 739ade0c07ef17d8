"""The network on cosmic rays: what rotations, orders and numbers of cosmic rays do to it; compiled against plain."""

import math

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
def test_any_number_of_cosmic_rays_has_finite_answers(cosmic_rays: int) -> None:
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


def test_gradient_reaches_directions_and_energies_of_cosmic_rays() -> None:
    model, shape = tiny()
    given = skies(2, shape[0], 7).requires_grad_()
    (slope,) = torch.autograd.grad(model(given)[:, 0].sum(), given)
    assert torch.isfinite(slope).all()
    assert (slope[..., :3].abs().sum(dim=(1, 2)) > 0).all()
    assert (slope[..., 3].abs().sum(dim=1) > 0).all()


def test_head_is_the_sums_of_the_docstring() -> None:
    given, model = skies(2, 80, 9), network().double()
    with torch.no_grad():
        out, logits = model.scores(given.double())
    a, b, slope, start = (
        value.item() for layer in (model.evidence, model.fraction) for value in (layer.weight, layer.bias)
    )
    for sky in range(2):
        ratios = [math.exp(logit) for logit in logits[sky].tolist()]
        probabilities = [ratio / (1 + ratio) for ratio in ratios]
        place = given[sky, :, :3].double().numpy().T @ probabilities / (sum(probabilities) + 1e-6)
        assert out[sky, 0].item() == pytest.approx(a * sum(math.log1p(ratio) for ratio in ratios) + b, rel=1e-12)
        assert out[sky, 1].item() == pytest.approx(slope * 20 * sum(probabilities) / 80 + start, rel=1e-12)
        np.testing.assert_allclose(out[sky, 2:].numpy(), place, rtol=1e-6)  # directions in single precision
        assert np.linalg.norm(place) < 1


@pytest.mark.parametrize("evidence", [1.0, 10.0, 100.0])
def test_log_odds_grow_with_the_evidence_and_do_not_flatten(evidence: float) -> None:
    """Logits far above zero: one more on each adds the slope for each cosmic ray, however much there is already."""
    given, model = skies(2, 100, 10), network().double()
    with torch.no_grad():
        model.logit[2].bias += 10 + evidence
        before, logits = model.scores(given.double())
        model.logit[2].bias += 1
        after = model(given.double())
        assert logits.min() > 5
        growth = model.evidence.weight.item() * 100
        # softplus(l + 1) - softplus(l) = 1 within exp(-l)
        np.testing.assert_allclose((after - before)[:, 0].numpy(), growth, rtol=math.exp(-5))


def test_twice_the_evidence_is_twice_the_log_odds() -> None:
    """A cluster and its mirror image: the network sees distances, so that both give the same, and together the sum."""
    model = DynamicGraph(neighbours=6, widths=(16, 16), dynamic=(False, True)).double().eval()
    cluster = skies(1, 40, 11).double()
    cluster[..., :3] = torch.tensor([0.0, 0.0, 1.0]) + 0.1 * cluster[..., :3]
    mirrored = cluster * torch.tensor([1.0, 1.0, -1.0, 1.0])
    with torch.no_grad():
        model.evidence.bias.zero_()
        one, two = model(cluster)[0], model(torch.cat([cluster, mirrored], dim=1))[0]
    assert two[0].item() == pytest.approx(2 * one[0].item(), rel=1e-6)  # directions in single precision


def test_every_output_trains_its_own_head_and_the_shared_layers() -> None:
    """Gradients reach all parameters; those before the head from each of log-odds, fraction, direction and logits."""
    given = skies(2, 60, 12)
    for place, own in enumerate(("evidence", "fraction", "direction", "logits")):
        model = network()
        out, logits = model.scores(given)
        weights = torch.arange(1.0, 121.0).reshape(2, 60)
        asked = (logits * weights).sum() if own == "logits" else out[:, place].sum()
        asked.backward()
        for name, parameter in model.named_parameters():
            head = name.split(".")[0]
            reached = parameter.grad is not None and bool(parameter.grad.any())
            assert reached == (head == own or head not in ("evidence", "fraction")), (own, name)


def test_network_learns_a_source() -> None:
    """Half of the cosmic rays of a signal sky within 10 degrees: thirty steps must find that."""
    torch.manual_seed(9)
    model = DynamicGraph(neighbours=8, widths=(16, 16), dynamic=(False, True))
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


def test_settings_without_one_entry_a_layer_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry a layer"):
        DynamicGraph(widths=(8, 8), dynamic=(False,))
