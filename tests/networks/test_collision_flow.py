"""The flow of nuclear collisions: whatever its weights, all is conserved; draws have the probabilities that it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from cloudchamber.networks.collision_flow import (
    LEAST,
    OFFSETS,
    SLOTS,
    CollisionFlow,
    FragmentSequence,
    within,
)
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.masses import mass_or_estimate
from cloudchamber.simulators.transport.whole_numbers import available_energy

pytestmark = pytest.mark.usefixtures("one_thread")

CARBON = (12.0, 6.0, 12.0, 6.0, 62.0)


def conditions(n: int) -> torch.Tensor:
    other = (4.0, 2.0, 12.0, 6.0, 95.0)
    rows = [(*(CARBON if i % 3 else other), 8 * i / n) for i in range(n)]
    return torch.tensor(rows, dtype=torch.float64)


def random_model(scale: float = 0.3) -> CollisionFlow:
    torch.manual_seed(3)
    model = CollisionFlow(24, width=8, pooled=6, layers=1, count_width=8, steps=2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return model.eval().requires_grad_(requires_grad=False)


def drawn(model: CollisionFlow, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    condition = conditions(n)
    rng = np.random.default_rng(1)
    A, Z = model.draw_nuclei(condition, torch.from_numpy(rng.random((n, model.uniforms))))
    return condition, A, Z


def test_nucleons_of_both_nuclei_are_all_there() -> None:
    condition, A, Z = drawn(random_model(), 300)
    total = (condition[:, :2] + condition[:, 2:4]).long()
    assert torch.equal(torch.stack([A.sum(1), Z.sum(1)], dim=1), total)
    assert bool(((Z >= 0) & (Z <= A)).all())
    fragments, gas = A[:, :SLOTS], A[:, SLOTS:]
    assert bool(((fragments == 0) | (fragments >= 2)).all())
    assert bool((gas <= 1).all())
    assert len(torch.unique(A.sum(1) - gas.sum(1))) > 5  # it draws many kinds of events


def test_momentum_and_energy_add_up_for_any_weights() -> None:
    model = random_model()
    condition, A, Z = drawn(model, 300)
    normal = torch.from_numpy(np.random.default_rng(2).standard_normal((*A.shape, 4), dtype=np.float32))
    momentum, excitation, stretch, solved = model.momenta(condition, A, Z, normal)
    assert int(solved.sum()) > 20
    p, e = momentum[solved].numpy(), excitation[solved].numpy()
    assert np.abs(p.sum(1)).max() < 1e-8
    a, z = A[solved].numpy(), Z[solved].numpy()
    mass = np.where(a > 0, mass_or_estimate(z, np.maximum(a, 1)), 0) + e
    energy = np.sqrt(mass**2 + (p**2).sum(2)).sum(1)
    channels = [EntranceChannel((int(r[0]), int(r[1])), (int(r[2]), int(r[3])), float(r[4])) for r in condition[solved]]
    assert energy == pytest.approx([available_energy(one) for one in channels], abs=1e-6)
    assert bool((excitation[A < 2] == 0).all())
    assert bool((momentum[A == 0] == 0).all())
    assert bool(((stretch[solved] > 0.5) & (stretch[solved] < 2)).all())


def test_a_single_nucleus_rests_and_takes_all_the_energy() -> None:
    model = random_model()
    condition = torch.tensor([[*CARBON, 0.0]], dtype=torch.float64)
    A, Z = torch.zeros(1, SLOTS, dtype=torch.long), torch.zeros(1, SLOTS, dtype=torch.long)
    A[0, 0], Z[0, 0] = 24, 12
    momentum, excitation, _, solved = model.momenta(condition, A, Z, torch.zeros(1, SLOTS, 4))
    assert bool(solved[0])
    assert bool((momentum == 0).all())
    wanted = available_energy(EntranceChannel((12, 6), (12, 6), 62.0)) - mass_or_estimate(12, 24)
    assert float(excitation[0, 0]) == pytest.approx(float(wanted), abs=1e-6)


def test_events_without_energy_for_their_masses_have_no_solution() -> None:
    model = random_model()
    condition = torch.tensor([[12.0, 6.0, 12.0, 6.0, 10.0, 0.0]], dtype=torch.float64)
    A, Z = torch.zeros(1, SLOTS + 24, dtype=torch.long), torch.zeros(1, SLOTS + 24, dtype=torch.long)
    A[0, SLOTS:], Z[0, SLOTS + 12 :] = 1, 1  # 184 MeV of binding, 60 MeV there are
    *_, solved = model.momenta(condition, A, Z, torch.randn(1, SLOTS + 24, 4))
    assert not bool(solved[0])


def test_probabilities_of_all_fragments_add_up_to_one() -> None:
    """Of 4He on 4He, every list of fragments that there can be; offsets reach all charges of so light nuclei."""
    torch.manual_seed(1)
    network = FragmentSequence(8, 8)
    condition = torch.tensor([[4.0, 2.0, 4.0, 2.0, 62.0, 2.0]], dtype=torch.float64)
    lists = [
        (masses, charges)
        for masses in (m for k in range(5) for m in itertools.product(range(2, 9), repeat=k) if sum(m) <= 8)
        for charges in itertools.product(*(range(a + 1) for a in masses))
        if sum(charges) <= 4 and sum(masses) - sum(charges) <= 4
    ]
    A, Z = (torch.zeros(len(lists), SLOTS, dtype=torch.long) for _ in range(2))
    for row, (masses, charges) in enumerate(lists):
        A[row, : len(masses)], Z[row, : len(charges)] = torch.tensor(masses), torch.tensor(charges)
    assert OFFSETS >= 4
    with torch.no_grad():
        probability = network(condition.expand(len(lists), -1), A, Z).exp()
    assert float(probability.sum()) == pytest.approx(1, abs=1e-6)


def test_draws_have_the_probabilities_of_the_likelihood() -> None:
    torch.manual_seed(1)
    network = FragmentSequence(8, 8)
    n = 20_000
    condition = torch.tensor([[4.0, 2.0, 4.0, 2.0, 62.0, 2.0]], dtype=torch.float64).expand(n, -1)
    with torch.no_grad():
        A, Z, _ = network.draw(condition, torch.from_numpy(np.random.default_rng(4).random((n, 2 * SLOTS))))
        seen, count = torch.unique(torch.cat([A, Z], dim=1), dim=0, return_counts=True)
        often = count > 200
        expected = network(condition[: len(seen)], seen[:, :SLOTS], seen[:, SLOTS:]).exp()[often] * n
    pull = (count[often] - expected) / expected.sqrt()
    assert int(often.sum()) > 5
    assert float(pull.abs().max()) < 4.5  # of some tens of Poisson numbers


def test_coordinates_and_momenta_are_inverse_to_each_other() -> None:
    model = random_model()
    condition, A, Z = drawn(model, 50)
    normal = torch.from_numpy(np.random.default_rng(2).standard_normal((*A.shape, 4), dtype=np.float32))
    momentum, excitation, _, solved = model.momenta(condition, A, Z, normal)
    coordinates = model.coordinates(momentum, excitation, A)
    again, warm, stretch, _ = model.closed(coordinates, condition, A, Z)
    assert float((again - momentum)[solved].abs().max()) < 1e-6
    assert float((warm - excitation)[solved].abs().max()) < 1e-6
    assert float((stretch[solved] - 1).abs().max()) < 1e-9
    assert float(coordinates[..., 3][A > 1].min()) >= np.log(LEAST) - 1e-9


def test_means_and_projected_noise_conserve_momentum() -> None:
    model = random_model()
    condition, A, Z = drawn(model, 40)
    mean, width = model.scales(*model.known(condition, A, Z), A)
    root = (A * 931.494).double().sqrt()[..., None]
    assert float((root * mean[..., :3]).sum(1).abs().max()) < 1e-8
    normals, free = model.subspace(width, A)
    u = within(torch.randn(*A.shape, 4, dtype=torch.float64), normals, free)
    assert float((root * width[..., :3] * u[..., :3]).sum(1).abs().max()) < 1e-8
    assert float(mean[..., 1].abs().max()) == 0  # the reaction plane is a mirror


def test_an_event_does_not_depend_on_empty_slots_and_others() -> None:
    model = random_model()
    condition, A, Z = drawn(model, 6)
    normal = torch.from_numpy(np.random.default_rng(2).standard_normal((*A.shape, 4), dtype=np.float32))
    momentum = model.momenta(condition, A, Z, normal)[0]
    more = [torch.nn.functional.pad(one, (0, 3)) for one in (A, Z)]
    wide = torch.cat([normal, torch.randn(6, 3, 4)], dim=1)
    alone = model.momenta(condition[2:3], more[0][2:3], more[1][2:3], wide[2:3])[0]
    torch.testing.assert_close(alone[0, : A.shape[1]], momentum[2], atol=1e-3, rtol=1e-4)  # the flow is in float32
