"""The flow's frame: projection, subspace, and that everything is conserved whatever the network says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from cloudchamber.data.final_states import Vocabulary
from cloudchamber.networks.interaction_flow import InteractionFlow, project, within
from cloudchamber.networks.kind_counts import CODES
from cloudchamber.simulators.hadronic import kinematics
from cloudchamber.simulators.hadronic.particles import conserved

HEAVIEST = (82, 208)


@pytest.fixture(scope="module")
def model() -> InteractionFlow:
    torch.manual_seed(0)
    code = np.array([3122, 311, -311, 321, 22, 2212, 2112, 1000020040, 111, -211, 211, 2112])
    slow = np.array([False] * 7 + [True] + [False] * 3 + [True])
    most = np.array([1, 1, 1, 1, 2, 2, 2, 1, 3, 3, 3, 6])
    found = InteractionFlow(Vocabulary(code, slow, most), HEAVIEST, 8, 6, 2, 8, 2).eval()
    with torch.no_grad():
        found.flow.velocity.weight.normal_(0, 0.3)  # it starts at 0
        found.spread[:] = torch.tensor([0.3, 0.6])
        found.spread[found.books["slow"], 1] = 0.05
    return found


def conditions(n: int) -> torch.Tensor:
    target = torch.tensor([[1.0, 1.0], [6.0, 12.0], [82.0, 208.0]])[torch.arange(n) % 3]
    return torch.cat([(torch.arange(n) % len(CODES))[:, None], target, torch.full((n, 1), 20.0)], dim=1).double()


def test_newton_projection_is_that_of_kinematics() -> None:
    rng = np.random.default_rng(1)
    mass = rng.choice([0.1396, 0.938], (200, 6))
    space = rng.normal(0, 0.4, (200, 6, 3))
    space[..., :2] -= space[..., :2].mean(axis=1, keepdims=True)
    energy = rng.uniform(8, 15, 200)
    expected, stretch, good = kinematics.project(space.reshape(-1, 3), mass.reshape(-1), np.arange(0, 1201, 6), energy)
    transverse = np.sqrt(mass**2 + (space[..., :2] ** 2).sum(axis=2))
    rapidity = np.arcsinh(space[..., 2] / transverse)
    y, a, solved = project(torch.from_numpy(transverse), torch.from_numpy(rapidity), torch.from_numpy(energy**2))
    assert good.all()
    assert solved.all()
    np.testing.assert_allclose(a, stretch, rtol=1e-9)
    np.testing.assert_allclose(transverse * np.sinh(y.numpy()), expected[:, 3].reshape(200, 6), rtol=1e-8, atol=1e-9)


def test_too_little_energy_has_no_solution() -> None:
    transverse, rapidity = torch.ones(1, 3).double(), torch.tensor([[0.0, 0.5, 1.0]]).double()
    assert not project(transverse, rapidity, torch.tensor([8.9]).double())[2].any()
    assert project(transverse, rapidity, torch.tensor([9.5]).double())[2].all()


def test_everything_is_conserved_by_an_untrained_network(model: InteractionFlow) -> None:
    n = 300
    condition = conditions(n)
    with torch.inference_mode():
        kind = model.draw_kinds(condition, torch.rand(n, 2 + model.kinds).double())
        normal = torch.randn(*kind.shape, 3)
        code, momentum, _, solved = model.momenta(condition, kind, torch.rand(kind.shape).double(), normal)
    assert solved.float().mean() > 0.5
    there = code != 0
    assert torch.equal(there, kind >= 0)
    total = momentum.sum(1)[solved]
    mass = torch.tensor([0.13957039, 0.13957039, 0.493677, 0.493677, 0.497611, 0.93827209, 0.93956542]).double()
    kinetic = condition[:, 3][solved]
    beam = (kinetic * (kinetic + 2 * mass[condition[:, 0].long()][solved])).sqrt()
    assert total[:, 1:3].abs().max() < 1e-9
    assert (total[:, 3] - beam).abs().max() < 1e-5  # the masses above have so many digits
    numbers = conserved(code[solved][there[solved]].numpy())
    owner = torch.nonzero(there[solved])[:, 0].numpy()
    charge = np.bincount(owner, numbers[:, 0])
    incoming = conserved(np.array(CODES))[condition[:, 0].long()[solved].numpy(), 0] + condition[:, 1][solved].numpy()
    np.testing.assert_array_equal(charge, incoming)
    shell = momentum[..., 0] ** 2 - (momentum[..., 1:] ** 2).sum(2)
    assert (shell[there] > -1e-6).all()


def test_order_of_particles_does_not_matter(model: InteractionFlow) -> None:
    condition = conditions(30)
    with torch.inference_mode():
        kind = model.draw_kinds(condition, torch.rand(30, 2 + model.kinds).double())
        normal, coin = torch.randn(*kind.shape, 3), torch.rand(kind.shape).double()
        back = torch.arange(kind.shape[1] - 1, -1, -1)
        _, one, _, solved = model.momenta(condition, kind, coin, normal)
        _, other, _, _ = model.momenta(condition, kind[:, back], coin[:, back], normal[:, back])
    torch.testing.assert_close(one[solved], other[:, back][solved], rtol=1e-4, atol=1e-4)


def test_turning_the_noise_does_not_move_the_sums(model: InteractionFlow) -> None:
    """The subspace: w u adds up to zero across the beam where no nucleus takes the balance, and projecting twice is
    projecting once."""
    condition = conditions(30)
    with torch.inference_mode():
        kind = model.draw_kinds(condition, torch.rand(30, 2 + model.kinds).double())
        u = torch.randn(*kind.shape, 3).double()
        normals, free = model.subspace(condition, kind)
        once = within(u, normals, free)
        across = model.scales(condition, kind)[0]
        twice = within(once, normals, free)
    torch.testing.assert_close(once, twice)
    closed = (kind != model.kinds).all(1)
    assert closed.any()
    assert not closed.all()
    assert (across[..., None] * once[..., :2]).sum(1)[closed].abs().max() < 1e-12


class NoProductsOfWholeNumbers(TorchFunctionMode):
    """Refuse matrix products of whole numbers, which the processor computes and CUDA does not."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.mm, torch.einsum):
            assert all(one.is_floating_point() for one in args if isinstance(one, torch.Tensor)), function
        return function(*args, **(kwargs or {}))


def test_nothing_asks_for_what_a_gpu_cannot_do(model: InteractionFlow) -> None:
    condition = conditions(20)
    rng = torch.Generator().manual_seed(2)
    uniform = torch.rand(20, 2 + model.kinds, dtype=torch.float64, generator=rng)
    with NoProductsOfWholeNumbers(), torch.inference_mode():
        kind = model.draw_kinds(condition, uniform)
        coin = torch.rand(*kind.shape, dtype=torch.float64, generator=rng)
        model.momenta(condition, kind, coin, torch.randn(*kind.shape, 3, generator=rng))
        with pytest.raises(AssertionError):  # the watch itself works
            _ = kind @ kind.T
