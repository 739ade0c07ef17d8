"""A generator of nuclear collisions: fragments one after another, then a flow for momenta and excitation energies.

``draw_nuclei`` turns conditions and uniform numbers into nuclei, ``momenta`` turns those and normal numbers into
momenta and excitation energies: plain functions of tensors, so that they leave as ONNX or for C++ with nothing drawn
inside.

Fragments are drawn one by one, the most forward first: its A, or the end of the list, then its Z, each with a
probability that depends on the condition and on what was drawn before. A and Z that are left are nucleons of the gas,
so that both are conserved.

Coordinates of a nucleus of mass m are w = p / sqrt(m), in which the kinetic energy is w^2 / 2, and v = ln(E* / A +
0.05 MeV). A first network gives mean and width of each, given all nuclei of the event; the flow (flow matching, Lipman
et al., arXiv:2210.02747, with the layers of arXiv:2301.08128) carries normal noise u to what is left, (w - mean) /
width. Noise, velocity and coordinates lie in the subspace in which momenta add up to 0. A common stretch of all momenta
makes the energy exact, with measured masses.

Conventions: common rest frame, the projectile along +z and displaced to +x; MeV, MeV/c, fm. Conditions (event, 6) are A
and Z of projectile and target, energy per nucleon and impact parameter. Arrays are (event, slot, ...), A = 0: empty.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cloudchamber.layers.constants import Constants
from cloudchamber.networks.particle_flow import FREQUENCIES, EPiC, times
from cloudchamber.simulators.transport.masses import mass_or_estimate, nuclear_mass

SLOTS = 5
"""Fragments of an event at most."""
FEATURES = 10
"""Numbers by which networks know a condition."""
OFFSETS = 4
"""How far Z may be from A Z_total / A_total, rounded."""
LEAST = 0.05
"""MeV per nucleon, added to excitation energies before the logarithm."""
STRETCH = (0.5, 2.0)
"""Of momenta, at least and at most: else there is no solution."""
BALANCING = 30
"""Steps of the search for the stretch: each gains two digits or more."""
BALANCE = 1e-7
"""MeV by which the energy may be off: there is no such stretch beyond."""
NUCLEON = 931.494
"""MeV: masses in the coordinates are A times this."""
WIDTHS = (-5.0, 3.0)
"""Logarithms of the widths are kept between these."""


def features(condition: Tensor) -> Tensor:
    """What networks know of a condition (event, FEATURES), float32.

    Args:
        condition: (event, 6).
    """
    A_p, Z_p, A_t, Z_t, energy, b = condition.unbind(1)
    touching = A_p ** (1 / 3) + A_t ** (1 / 3)
    columns = [
        A_p / 12 - 1, Z_p / 6 - 1, A_t / 12 - 1, Z_t / 6 - 1, (energy / 62).log() * 2, b / 4 - 1,
        (b / touching - 0.9) * 2, ((b / touching - 1.3) * 6).sigmoid(), ((b / touching - 0.9) * 6).sigmoid(),
        ((b / touching - 0.4) * 6).sigmoid(),
    ]  # fmt: skip
    return torch.stack(columns, dim=1).float()


def dense(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Two hidden layers.

    Args:
        inputs: numbers that come in.
        width: of the hidden layers.
        outputs: numbers that go out.
    """
    return nn.Sequential(
        nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)
    )


class FragmentSequence(nn.Module):
    """Probabilities of A and Z of the fragments, the most forward first.

    Args:
        largest: mass number of the largest fragment that there can be.
        width: of the hidden layers.
    """

    def __init__(self, largest: int, width: int) -> None:
        super().__init__()
        self.largest = largest
        known = FEATURES + 3 * SLOTS + 2
        self.mass = dense(known, width, largest + 1)
        self.charge = dense(known + 2, width, 2 * OFFSETS + 1)
        self.constants = Constants({"mass": torch.arange(largest + 1), "offset": torch.arange(-OFFSETS, OFFSETS + 1)})

    def mass_logits(self, known: Tensor, left: Tensor) -> Tensor:
        """Of A = 0 (no further fragment), 1 (never), 2 ... largest (event, largest + 1).

        Args:
            known: see ``_known``.
            left: A and Z that are left (event, 2).
        """
        A = self.constants["mass"]
        possible = (left[:, :1] >= A) & (A != 1)
        found: Tensor = self.mass(known).masked_fill(~possible, -torch.inf)
        return found

    def charge_logits(self, known: Tensor, left: Tensor, A: Tensor, share: Tensor) -> Tensor:
        """Of each offset of Z (event, 2 OFFSETS + 1).

        Args:
            known: see ``_known``.
            left: A and Z that are left (event, 2).
            A: of the fragment (event,).
            share: Z over A of all nucleons (event,).
        """
        Z = self.likely_charge(A, share)[:, None] + self.constants["offset"]
        possible = (Z >= 0) & (left[:, 1:] >= Z) & (A[:, None] >= Z) & (A[:, None] - Z <= left[:, :1] - left[:, 1:])
        more = torch.cat([known, A[:, None] / 6 - 1, left[:, 1:] / 6 - left[:, :1] / 12], dim=1).float()
        found: Tensor = self.charge(more).masked_fill(~possible, -torch.inf)
        return found

    def likely_charge(self, A: Tensor, share: Tensor) -> Tensor:
        """Z from which offsets count (event,).

        Args:
            A: of the fragment (event,).
            share: Z over A of all nucleons (event,).
        """
        return (A * share + 0.5).floor().long()

    def forward(self, condition: Tensor, A: Tensor, Z: Tensor) -> Tensor:
        """Log-likelihood (event,) of fragments.

        Args:
            condition: (event, 6).
            A: (event, SLOTS), 0 after the last.
            Z: (event, SLOTS).
        """
        left, share = _totals(condition)
        found = torch.zeros_like(share)
        open_ended = torch.ones_like(share, dtype=torch.bool)
        for slot in range(SLOTS):
            known = _known(condition, A, Z, left, slot)
            nats = self.mass_logits(known, left).double().log_softmax(1).gather(1, A[:, slot : slot + 1])[:, 0]
            there = A[:, slot] > 0
            offset = Z[:, slot] - self.likely_charge(A[:, slot], share) + OFFSETS
            chosen = offset.clamp(0, 2 * OFFSETS)[:, None]
            safe = torch.where(there, A[:, slot], 0)
            charges = self.charge_logits(known, left, safe, share).double()
            charges = torch.where(there[:, None], charges, 0.0).log_softmax(1).gather(1, chosen)[:, 0]
            found = found + torch.where(open_ended, nats, 0.0) + torch.where(there, charges, 0.0)
            open_ended = open_ended & there
            left = left - torch.stack([A[:, slot], Z[:, slot]], dim=1)
        return found

    def draw(self, condition: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A and Z of fragments (event, SLOTS) and what is left (event, 2).

        Args:
            condition: (event, 6).
            uniform: (event, 2 SLOTS), from 0 to below 1.
        """
        left, share = _totals(condition)
        # .shape and not len(): exported graphs would keep the number of the traced events
        none = torch.zeros(condition.shape[0], SLOTS, dtype=torch.long, device=condition.device)
        A, Z = none, none
        going = torch.ones_like(share, dtype=torch.bool)
        for slot in range(SLOTS):
            known = _known(condition, A, Z, left, slot)
            mass = _drawn(self.mass_logits(known, left), uniform[:, 2 * slot])
            going = going & (mass > 0)
            mass = torch.where(going, mass, 0)
            place = _drawn(self.charge_logits(known, left, mass, share), uniform[:, 2 * slot + 1])
            charge = self.likely_charge(mass, share) + place - OFFSETS
            # what no training event has may have no offset at all; what is left must be nucleons all the same
            least, most = mass - left[:, 0] + left[:, 1], torch.minimum(mass, left[:, 1])
            charge = torch.minimum(torch.maximum(charge, least), most)
            here = torch.arange(SLOTS, device=condition.device) == slot
            A, Z = torch.where(here, mass[:, None], A), torch.where(here, charge[:, None], Z)
            left = left - torch.stack([mass, charge], dim=1)
        return A, Z, left


def _totals(condition: Tensor) -> tuple[Tensor, Tensor]:
    """A and Z of both nuclei (event, 2), and Z over A (event,)."""
    both = (condition[:, :2] + condition[:, 2:4]).round().long()
    return both, both[:, 1].double() / both[:, 0]


def _known(condition: Tensor, A: Tensor, Z: Tensor, left: Tensor, slot: int) -> Tensor:
    """What is known before the fragment ``slot`` is drawn (event, FEATURES + 3 SLOTS + 2), float32."""
    before = torch.arange(SLOTS, device=A.device) < slot
    here = (torch.arange(SLOTS, device=A.device) == slot).float().expand(A.shape[0], SLOTS)
    drawn = torch.cat([A * before / 12, Z * before / 6, left / 12 - 1], dim=1).float()
    return torch.cat([features(condition), drawn, here], dim=1)


def _drawn(logits: Tensor, uniform: Tensor) -> Tensor:
    """The class of each event (event,) by its uniform number; a row without any is class 0."""
    # in single precision sums of probabilities depend on the program that adds them
    weight = (logits.double() - logits.double().amax(1, keepdim=True).clamp(min=-1e30)).exp()
    reached = weight.cumsum(1)
    return (reached <= uniform[:, None] * reached[:, -1:]).sum(1).clamp(max=logits.shape[1] - 1)


class CollisionVelocity(nn.Module):
    """Velocity (event, slot, 4) of coordinates (event, slot, 4), by EPiC layers (arXiv:2301.08128).

    Args:
        whole: numbers by which the network knows an event.
        single: numbers by which it knows a nucleus.
        width: of a nucleus' vector.
        pooled: of an event's vector.
        layers: EPiC layers.
    """

    def __init__(self, whole: int, single: int, width: int, pooled: int, layers: int) -> None:
        super().__init__()
        self.enter = nn.Linear(single + 4, width)
        self.condition = nn.Sequential(nn.Linear(whole + 2 * FREQUENCIES, pooled), nn.SiLU(), nn.Linear(pooled, pooled))
        self.spread = nn.Linear(pooled, width)
        self.layers = nn.ModuleList(EPiC(width, pooled) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.velocity = nn.Linear(width, 4)
        nn.init.zeros_(self.velocity.weight)
        nn.init.zeros_(self.velocity.bias)

    def forward(self, u: Tensor, single: Tensor, whole: Tensor, mask: Tensor, time: Tensor) -> Tensor:
        """Velocity (event, slot, 4), 0 for what is empty.

        Args:
            u: (event, slot, 4).
            single: what is known of each nucleus (event, slot, single).
            whole: what is known of the event (event, whole).
            mask: 1 for nuclei that are there (event, slot).
            time: (event,).
        """
        number = mask.sum(1, keepdim=True)
        event = self.condition(torch.cat([whole, times(time)], dim=1))
        nuclei = self.enter(torch.cat([u, single], dim=2)) + self.spread(event)[:, None]
        for layer in self.layers:
            nuclei, event = layer(nuclei, event, mask, number)
        found: Tensor = self.velocity(self.norm(nuclei)) * mask[..., None]
        return found


WHOLE = FEATURES + 2 * SLOTS + 3
"""Numbers by which the networks know an event whose nuclei are drawn."""
SINGLE = 5 + SLOTS
"""Numbers by which they know a nucleus."""


class CollisionFlow(nn.Module):
    """Networks, and all that turns their answers into nuclei; see the module.

    References:
        | Flow matching for generative modeling (Lipman et al., 2022)
        | https://arxiv.org/abs/2210.02747

    Args:
        largest: mass number of the largest fragment that there can be.
        width: of a nucleus' vector in the flow's network.
        pooled: of an event's vector in it.
        layers: of it.
        count_width: of the networks of fragments, means and widths.
        steps: midpoint steps of the flow.
    """

    def __init__(self, largest: int, width: int, pooled: int, layers: int, count_width: int, steps: int) -> None:
        super().__init__()
        self.fragments = FragmentSequence(largest, count_width)
        self.scale = dense(WHOLE + SINGLE, count_width, 8)
        self.flow = CollisionVelocity(WHOLE, SINGLE, width, pooled, layers)
        self.largest, self.steps = largest, steps
        A, Z = np.meshgrid(np.arange(largest + 1), np.arange(largest + 1), indexing="ij")
        table = np.where((A > 0) & (Z <= A), mass_or_estimate(np.minimum(Z, A), np.maximum(A, 1)), 0.0)
        nuclei = np.array([[nuclear_mass(z, a) if 0 < z < a else 0.0 for z in range(61)] for a in range(151)])
        self.constants = Constants({"mass": torch.from_numpy(table), "incoming": torch.from_numpy(nuclei)})

    @property
    def uniforms(self) -> int:
        """Uniform numbers that ``draw_nuclei`` needs for an event."""
        return 2 * SLOTS

    # --- nuclei -------------------------------------------------------------------------------------------------------

    def draw_nuclei(self, condition: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """A and Z (event, slot) of one event for each condition, 0 for what is empty.

        The fragments, the most forward first, are in the first SLOTS slots (some may be empty), then come neutrons,
        then protons.

        Args:
            condition: (event, 6), float64.
            uniform: (event, 2 SLOTS), float64, from 0 to below 1.
        """
        A, Z, left = self.fragments.draw(condition, uniform)
        # no int(): exported graphs would keep the number of the traced events
        slot = torch.arange(left[:, 0].max(), device=left.device)  # type: ignore[call-overload]
        there = slot < left[:, :1]
        proton = there & (slot >= left[:, :1] - left[:, 1:])
        return torch.cat([A, there.long()], dim=1), torch.cat([Z, proton.long()], dim=1)

    # --- momenta ------------------------------------------------------------------------------------------------------

    def known(self, condition: Tensor, A: Tensor, Z: Tensor) -> tuple[Tensor, Tensor]:
        """What is known of events (event, WHOLE) and of their nuclei (event, slot, SINGLE), float32.

        Args:
            condition: (event, 6).
            A: (event, slot).
            Z: (event, slot).
        """
        gas_A, gas_Z = A[:, SLOTS:].sum(1, keepdim=True), Z[:, SLOTS:].sum(1, keepdim=True)
        number = (A[:, :SLOTS] > 0).sum(1, keepdim=True)
        whole = torch.cat(
            [features(condition), A[:, :SLOTS] / 12, Z[:, :SLOTS] / 6, number / 2 - 1, gas_A / 12, gas_Z / 6], dim=1
        ).float()
        slots = torch.arange(A.shape[1], device=A.device)
        fragment = (slots < SLOTS) & (A > 0)
        rank = functional.one_hot(slots.clamp(max=SLOTS), SLOTS + 1)[:, :SLOTS].expand(A.shape[0], -1, -1)
        last = (slots == number - 1) & fragment  # the most backward
        numbers = [fragment, (A == 1) & (Z == 1), A / 12, Z / 6, last]
        single = torch.cat([torch.stack([one.float() for one in numbers], dim=2), rank.float()], dim=2)
        return whole, single

    def scales(self, whole: Tensor, single: Tensor, A: Tensor) -> tuple[Tensor, Tensor]:
        """Means and widths (event, slot, 4) of w [sqrt(MeV)] and v, float64; means conserve momentum.

        Args:
            whole: (event, WHOLE).
            single: (event, slot, SINGLE).
            A: (event, slot).
        """
        given = torch.cat([whole[:, None].expand(-1, single.shape[1], -1), single], dim=2)
        found = self.scale(given).double()
        mean, width = found[..., :4], found[..., 4:].clamp(*WIDTHS).exp()
        mean = mean * torch.tensor([5.0, 0.0, 5.0, 1.0], dtype=torch.float64, device=mean.device)
        root = (A * NUCLEON).double().sqrt()
        drift = (root[..., None] * mean[..., :3]).sum(1) / (root**2).sum(1, keepdim=True).clamp(min=1)
        moved = mean[..., :3] - root[..., None] * drift[:, None]
        there = (A > 0)[..., None]
        return torch.cat([moved, mean[..., 3:]], dim=2) * there, torch.where(there, width, 1.0)

    def subspace(self, width: Tensor, A: Tensor) -> tuple[Tensor, Tensor]:
        """Unit normals (event, slot, 4) of what conserves momentum, and 1 for coordinates that there are.

        Args:
            width: (event, slot, 4), float64.
            A: (event, slot).
        """
        root = (A * NUCLEON).double().sqrt()[..., None]
        normals = torch.cat([root * width[..., :3], torch.zeros_like(root)], dim=2)
        normals = normals / (normals**2).sum(1, keepdim=True).sqrt().clamp(min=1e-9)
        free = torch.cat([(A > 0)[..., None].expand(-1, -1, 3), (A > 1)[..., None]], dim=2)
        return normals, free.double()

    def momenta(self, condition: Tensor, A: Tensor, Z: Tensor, normal: Tensor) -> tuple[Tensor, ...]:
        """Momenta and excitation energies of events whose nuclei are known.

        Args:
            condition: (event, 6), float64.
            A: (event, slot).
            Z: (event, slot).
            normal: normal numbers (event, slot, 4), float32.

        Returns:
            Momenta (event, slot, 3) [MeV/c] and excitation energies (event, slot) [MeV], float64; the stretch of all
            momenta (event,), 0 where no stretch balances the energy; whether it is within STRETCH (event,): draw other
            events where not.
        """
        whole, single = self.known(condition, A, Z)
        mean, width = self.scales(whole, single, A)
        normals, free = self.subspace(width, A)
        direction, there, mask = normals.float(), free.float(), (A > 0).float()
        u = within(normal, direction, there)
        step = 1 / self.steps
        for number in range(self.steps):
            time = torch.full_like(whole[:, 0], number * step)
            half = u + step / 2 * within(self.flow(u, single, whole, mask, time), direction, there)
            u = u + step * within(self.flow(half, single, whole, mask, time + step / 2), direction, there)
        return self.closed(mean + width * within(u.double(), normals, free), condition, A, Z)

    def closed(self, coordinates: Tensor, condition: Tensor, A: Tensor, Z: Tensor) -> tuple[Tensor, ...]:
        """Momenta, excitation energies, stretch and whether there is a solution, from coordinates w and v.

        Args:
            coordinates: (event, slot, 4), float64.
            condition: (event, 6).
            A: (event, slot).
            Z: (event, slot).
        """
        momentum = coordinates[..., :3] * (A * NUCLEON).double().sqrt()[..., None]
        excitation = (coordinates[..., 3].clamp(max=5).exp() - LEAST).clamp(min=0) * A * (A > 1)
        cold = self.constants["mass"][A, Z]
        total = self.available_energy(condition)
        # a single nucleus takes all energy as excitation
        alone = ((A > 0).sum(1, keepdim=True) == 1) & (A > 1)
        excitation = torch.where(alone, (total - cold.sum(1))[:, None].clamp(min=0), excitation)
        momentum = torch.where(alone[..., None], 0.0, momentum)
        mass = cold + excitation
        wanted = total - mass.sum(1)
        square = (momentum**2).sum(2)
        stretch = torch.ones_like(wanted)
        for _ in range(BALANCING):
            moving = stretch[:, None] ** 2 * square
            kinetic = (moving / ((mass**2 + moving).sqrt() + mass).clamp(min=1e-9)).sum(1)
            stretch = stretch * (wanted.clamp(min=1e-9) / kinetic.clamp(min=1e-9)).sqrt().clamp(0.1, 10)
        moving = stretch[:, None] ** 2 * square
        kinetic = (moving / ((mass**2 + moving).sqrt() + mass).clamp(min=1e-9)).sum(1)
        balanced = alone.any(1) & (wanted > -1e-6) | ((kinetic - wanted).abs() < BALANCE)
        stretch = torch.where(alone.any(1), 1.0, stretch) * balanced
        solved = (stretch > STRETCH[0]) & (stretch < STRETCH[1])
        return momentum * stretch[:, None, None], excitation, stretch, solved

    def available_energy(self, condition: Tensor) -> Tensor:
        """Of both nuclei in their common rest frame, with measured masses (event,) [MeV].

        Args:
            condition: (event, 6).
        """
        A_p, Z_p, A_t, Z_t = condition[:, :4].round().long().unbind(1)
        first, second = self.constants["incoming"][A_p, Z_p], self.constants["incoming"][A_t, Z_t]
        moving = first + A_p * condition[:, 4]
        return (first**2 + second**2 + 2 * moving * second).sqrt()

    def coordinates(self, momentum: Tensor, excitation: Tensor, A: Tensor) -> Tensor:
        """W and v (event, slot, 4), float64.

        Args:
            momentum: (event, slot, 3).
            excitation: (event, slot).
            A: (event, slot).
        """
        there = (A > 0)[..., None]
        w = momentum / (A * NUCLEON).double().sqrt().clamp(min=1)[..., None]
        v = (excitation / A.clamp(min=1) + LEAST).log() * (A > 1)
        return torch.cat([w * there, v[..., None]], dim=2)


def within(u: Tensor, normals: Tensor, free: Tensor) -> Tensor:
    """Coordinates or velocities (event, slot, 4) without the components that conservation fixes.

    Args:
        u: (event, slot, 4).
        normals: unit normals (event, slot, 4).
        free: 1 for coordinates that there are (event, slot, 4).
    """
    u = u * free
    return u - normals * (normals * u).sum(1, keepdim=True)


def tiny() -> tuple[CollisionVelocity, Callable[[int], tuple[Tensor, ...]]]:
    """A small network for tests of the contract, and inputs for so many events."""
    network = CollisionVelocity(3, 2, width=8, pooled=6, layers=2)

    def inputs(n: int) -> tuple[Tensor, ...]:
        u = torch.linspace(-1, 1, 16).reshape(1, 4, 4) * torch.arange(1, n + 1)[:, None, None]
        single = torch.linspace(0, 1, 8).reshape(1, 4, 2).repeat(n, 1, 1)
        mask = torch.tensor([1.0, 1.0, 1.0, 0.0]).repeat(n, 1)
        return u, single, torch.ones(n, 3), mask, torch.linspace(0, 1, n)

    return network, inputs
