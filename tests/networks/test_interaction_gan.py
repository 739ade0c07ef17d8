"""The networks of the GAN: forms, gradients, what order and company of the particles mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cloudchamber.networks.interaction_gan import (
    NEVER,
    InteractionDiscriminator,
    InteractionGenerator,
    Multiplicity,
    owners,
)

CONDITIONS, KINDS, MOST, NOISE, WIDTH = 4, 5, 6, 3, 16
COUNT = torch.tensor([2, 6, 1, 3])
PARTICLES = int(COUNT.sum())


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator(*, given: bool = False) -> InteractionGenerator:
    torch.manual_seed(1)
    return InteractionGenerator(CONDITIONS, KINDS, 0 if given else MOST, NOISE, WIDTH, 0.5)


def discriminator() -> InteractionDiscriminator:
    torch.manual_seed(2)
    masses = torch.tensor([0.0, 0.13, 0.14, 0.94, 1.1])
    return InteractionDiscriminator(CONDITIONS, masses, torch.tensor([0.3, 0.3, 1.1]), WIDTH)


def kinds(seed: int = 3) -> Tensor:
    index = torch.randint(KINDS, (PARTICLES,), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.one_hot(index, KINDS).float()


def made(network: InteractionGenerator, kind: Tensor | None = None, seed: int = 4) -> tuple[Tensor, Tensor]:
    noise = drawn(PARTICLES, NOISE, seed=seed).clamp(-1, 1)
    return network(drawn(4, CONDITIONS), COUNT, noise, drawn(PARTICLES, KINDS, seed=seed + 1), kind)


def test_owners_repeat_each_event_once_a_particle() -> None:
    assert owners(COUNT).tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 2, 3, 3, 3]


def test_generated_kinds_are_one_hot_and_given_ones_stay() -> None:
    kind, momentum = made(generator())
    assert momentum.shape == (PARTICLES, 3)
    np.testing.assert_allclose(np.sort(kind.detach().numpy(), axis=1), [[0, 0, 0, 0, 1]] * PARTICLES, atol=1e-6)
    assert len(set(kind.argmax(dim=1).tolist())) > 1
    given = kinds()
    kind, momentum = made(generator(given=True), given)
    assert kind is given
    assert momentum.shape == (PARTICLES, 3)


@pytest.mark.parametrize("given", [False, True])
def test_gradients_reach_every_parameter(given: bool) -> None:
    network, judge = generator(given=given), discriminator()
    kind, momentum = made(network, kinds() if given else None)
    loss = judge(drawn(4, CONDITIONS), COUNT, kind, momentum).square().sum()
    if network.multiplicity is not None:
        loss = loss + torch.nn.functional.cross_entropy(network.multiplicity(drawn(4, CONDITIONS)), COUNT)
    loss.backward()
    for name, parameter in [*network.named_parameters(), *judge.named_parameters()]:
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_gradient_goes_through_kinds_as_well() -> None:
    """What is said of the emitted kinds alone teaches the layers before them."""
    network = generator()
    kind, _ = made(network)
    (kind @ torch.arange(5.0)).sum().backward()
    assert network.kind is not None
    assert network.kind.weight.grad is not None
    assert network.kind.weight.grad.any()
    assert network.steps.weight_ih_l0.grad.any()


def test_events_know_nothing_of_each_other_but_particles_do() -> None:
    network = generator()
    condition, noise, choice = drawn(4, CONDITIONS), drawn(PARTICLES, NOISE), drawn(PARTICLES, KINDS)
    with torch.no_grad():
        first = network(condition, COUNT, noise, choice)[1]
        noise[0] += 1  # first particle of the first event
        second = network(condition, COUNT, noise, choice)[1]
    changed = (first != second).any(dim=1)
    assert changed[:2].all()
    torch.testing.assert_close(first[2:], second[2:], rtol=1e-5, atol=1e-6)
    alone = network(condition[1:2], COUNT[1:2], noise[2:8], choice[2:8])[1]
    torch.testing.assert_close(alone, first[2:8], rtol=1e-5, atol=1e-6)


def test_last_particle_tells_the_first() -> None:
    network = generator()
    condition, noise, choice = drawn(1, CONDITIONS), drawn(5, NOISE), drawn(5, KINDS)
    with torch.no_grad():
        before = network(condition, torch.tensor([5]), noise, choice)[1]
        noise[4] += 1
        after = network(condition, torch.tensor([5]), noise, choice)[1]
    assert (before[0] != after[0]).any()


def test_discriminator_knows_no_order() -> None:
    judge, kind, momentum = discriminator(), kinds(), drawn(PARTICLES, 3)
    order = torch.tensor([1, 0, 7, 3, 4, 2, 5, 6, 8, 11, 9, 10])  # within events
    with torch.no_grad():
        one = judge(drawn(4, CONDITIONS), COUNT, kind, momentum)
        two = judge(drawn(4, CONDITIONS), COUNT, kind[order], momentum[order])
        other = judge(drawn(4, CONDITIONS), COUNT, kind, momentum + 0.1)
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
    assert (one != other).all()


def test_discriminator_has_second_derivatives_at_rest_and_without_mass() -> None:
    judge = discriminator()
    kind = torch.nn.functional.one_hot(torch.zeros(PARTICLES, dtype=torch.int64), KINDS).float().requires_grad_()
    momentum = torch.zeros(PARTICLES, 3, requires_grad=True)
    logit = judge(drawn(4, CONDITIONS), COUNT, kind, momentum)
    slopes = torch.autograd.grad(logit.sum(), (kind, momentum), create_graph=True)
    sum(slope.square().sum() for slope in slopes).backward()
    for name, parameter in judge.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


def test_scale_is_that_of_the_training() -> None:
    network = generator()
    momentum = drawn(10_000, 3) * torch.tensor([0.3, 0.3, 2.0])
    network.fit(torch.tensor([2, 2, 3, 5]), torch.tensor([0, 1, 1, 1]), momentum)
    torch.testing.assert_close(network.scale, torch.tensor([0.3, 0.3, 2.0]), rtol=0.03, atol=0)
    assert network.scale[0] == network.scale[1]


def test_numbers_start_at_the_frequencies() -> None:
    numbers = Multiplicity(CONDITIONS, MOST, WIDTH)
    numbers.fit(torch.tensor([2, 2, 3, 5]))
    with torch.no_grad():
        logits = numbers(drawn(3, CONDITIONS))
    torch.testing.assert_close(logits.softmax(dim=1), torch.tensor([[0, 0, 0.5, 0.25, 0, 0.25, 0]] * 3))
    assert logits.min() == NEVER


def test_numbers_learn_the_condition() -> None:
    numbers = Multiplicity(1, 3, WIDTH)
    condition = (torch.arange(200.0) % 2)[:, None]
    count = 1 + 2 * condition[:, 0].long()
    numbers.fit(count)
    optimiser = torch.optim.Adam(numbers.parameters(), lr=1e-2)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(numbers(condition), count)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (numbers(condition).argmax(dim=1) == count).all()
