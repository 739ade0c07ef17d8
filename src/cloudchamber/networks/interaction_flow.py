"""A generator of final states: counts of kinds within their budgets, then a flow for the momenta, then the projection.

``draw_kinds`` turns conditions and uniform numbers into a list of classes, ``momenta`` turns those and normal numbers
into four-momenta: both are plain functions of tensors, so that they leave as ONNX or for C++ with nothing drawn inside.

The flow carries normal noise to the coordinates of ``data.final_states`` along the velocity of ``ParticleFlow`` from
time 0 to 1, by midpoint steps (flow matching, Lipman et al., arXiv:2210.02747; Tong et al., arXiv:2302.00482). Noise,
velocity and coordinates of events without a residual nucleus lie in the subspace that ``final_states`` names, so that
momenta across the beam add up without a correction. Energies follow from masses; a residual nucleus takes what is left
of the momentum. Last comes the projection of ``simulators.hadronic.kinematics``, here with Newton's method, as
ln S+(a) + ln S-(a) grows and is convex.

Conventions: GeV; conditions are those of ``kind_counts``; particles are (event, particle, ...), padded with class -1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cloudchamber.data.final_states import LARGEST, NUCLEON, PION, Vocabulary
from cloudchamber.layers.constants import Constants
from cloudchamber.networks.kind_counts import (
    CODES,
    KindCounts,
    features,
    incoming_budget,
    projectile_masses,
)
from cloudchamber.networks.particle_flow import ParticleFlow
from cloudchamber.simulators.hadronic.particles import masses, nucleus_code

NEWTON = 30
"""Steps of the projection: it has converged to rounding after about ten."""
BALANCE = 1e-11
"""Largest mismatch of ln s after the projection: else there is no solution."""
K0S, K0L = 310, 130


def nuclear_masses() -> Tensor:
    """Masses in GeV by charge and mass number (84, LARGEST + 1); 1 where there is no such nucleus."""
    table = np.ones((84, LARGEST + 1))
    for charge in range(1, 84):
        baryons = np.arange(charge, min(3 * charge + 1, LARGEST) + 1)
        table[charge, baryons] = masses(np.array([nucleus_code(charge, int(mass)) for mass in baryons]))
    return torch.from_numpy(table)


class InteractionFlow(nn.Module):
    """Networks, and all that turns their answers into particles.

    Conditions (event, 4) go in. ``draw_kinds`` gives classes (event, particle), ``momenta`` gives PDG codes (event,
    particle) and four-momenta (event, particle, 4) in GeV.

    References:
        | Flow matching for generative modeling (Lipman et al., 2022)
        | https://arxiv.org/abs/2210.02747

    Args:
        vocabulary: the kinds.
        heaviest: charge and mass number of the heaviest target.
        width: of a particle's vector in the flow's network.
        pooled: of an event's vector in it.
        layers: of it.
        count_width: of the counts' network.
        steps: midpoint steps of the flow.
    """

    spread: Tensor
    mean: Tensor

    def __init__(
        self,
        vocabulary: Vocabulary,
        heaviest: tuple[int, int],
        width: int,
        pooled: int,
        layers: int,
        count_width: int,
        steps: int,
    ) -> None:
        super().__init__()
        self.counts = KindCounts(vocabulary.numbers, vocabulary.most, heaviest, count_width)
        self.flow = ParticleFlow(len(vocabulary) + 4, width, pooled, layers)
        self.steps = steps
        self.heaviest = heaviest
        self.kinds = len(vocabulary)
        self.books = Constants(
            {
                "code": torch.from_numpy(np.append(vocabulary.code, [0] * 4)),
                "slow": torch.from_numpy(np.append(vocabulary.slow, [True] * 4)),
                "mass": torch.from_numpy(np.append(vocabulary.mass, [1.0] * 4)),
                "numbers": torch.from_numpy(np.concatenate([vocabulary.numbers, np.zeros((4, 3), np.int64)])),
                "nuclear": nuclear_masses(),
            }
        )
        # w and w_y (class, 2), and m_y (class,), from the training events
        self.register_buffer("spread", torch.ones(len(vocabulary) + 4, 2, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(len(vocabulary) + 4, dtype=torch.float64))

    # --- kinds --------------------------------------------------------------------------------------------------------

    def draw_kinds(self, condition: Tensor, uniform: Tensor) -> Tensor:
        """Classes (event, particle) of one event for each condition (event, 4), padded with -1.

        Args:
            condition: (event, 4), float64.
            uniform: numbers from 0 to below 1 (event, 2 + kind).
        """
        elastic, back, strangeness, counts = self.counts.draw(condition, uniform)
        carried = (counts[..., None] * self.books["numbers"][: self.kinds]).sum(
            1
        )  # CUDA has no product of whole numbers
        left = incoming_budget(condition, strangeness) - carried
        residual = (left[:, 1] > 0) & ~elastic
        lone = torch.stack([residual, elastic & ~back, elastic, back], dim=1).to(counts)
        counts = torch.cat([counts, lone], dim=1)
        ends = counts.cumsum(1)
        # no int(): exported graphs would keep the number of the traced events
        slot = torch.arange(ends[:, -1].max(), device=counts.device)  # type: ignore[call-overload]
        kind = (slot[None, :, None] >= ends[:, None]).sum(2)
        return torch.where(slot < ends[:, -1:], kind, -1)

    # --- momenta ------------------------------------------------------------------------------------------------------

    def momenta(
        self, condition: Tensor, kind: Tensor, coin: Tensor, normal: Tensor, projected: bool = True
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Particles of events whose classes are known, in the laboratory with the projectile along z.

        Args:
            condition: (event, 4), float64.
            kind: classes (event, particle).
            coin: uniform numbers (event, particle): K0S or K0L.
            normal: normal numbers (event, particle, 3), float32.
            projected: whether energy and momentum are put right at the end.

        Returns:
            PDG codes (event, particle), 0 for padding; four-momenta (event, particle, 4); the stretch a of the
            projection (event,); whether there is a solution (event,): draw other events where not.
        """
        mask = (kind >= 0).float()
        known, books = self.event(condition, kind)
        place = kind.clamp(min=0)
        normals, free = self.subspace(condition, kind)
        direction, there = normals.float(), free.float()
        u = within(normal, direction, there)
        step = 1 / self.steps
        for number in range(self.steps):
            time = torch.full_like(known[:, 0], number * step)
            velocity = self.flow(u, place, mask, known, books, time)
            half = u + step / 2 * within(velocity, direction, there)
            middle = self.flow(half, place, mask, known, books, time + step / 2)
            u = u + step * within(middle, direction, there)
        u = within(u.double(), normals, free)  # in double precision the sums close
        return self._particles(u, condition, kind, books[:, :2].long(), coin, projected)

    def event(self, condition: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
        """What the flow knows of events: features of the condition (event, FEATURES), and three numbers (event, 3).

        The three are charge and mass number of the residual nucleus and the number of particles that are not slow; both
        arrays are float32.
        """
        place, there = kind.clamp(min=0), kind >= 0
        carried = (self.books["numbers"][place] * there[..., None]).sum(1)
        residual = (incoming_budget(condition, carried[:, 2]) - carried)[:, :2]
        fast = (~self.books["slow"][place] & there).sum(1, keepdim=True)
        books = torch.cat([residual * (kind == self.kinds).any(1, keepdim=True), fast], dim=1)
        return features(condition, carried[:, 2]), books.float()

    def scales(self, condition: Tensor, kind: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """w, w_y and m_y of each particle (event, particle), float64, in units of GeV and of laboratory rapidity."""
        place = kind.clamp(min=0)
        _, single, unit = self.frames(condition)
        slow = self.books["slow"][place]
        across = self.spread[place, 0]
        across = torch.where(kind > self.kinds, across * condition[:, 2, None] ** (-1 / 3), across)
        along = torch.where(slow, self.spread[place, 1], self.spread[place, 1] * unit[:, None])
        mean = torch.where(slow, self.mean[place], single[:, None] + self.mean[place] * unit[:, None])
        return across, along, mean

    def frames(self, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rapidities of two rest frames and the unit of rapidity (event,): see ``final_states.rapidity_frame``."""
        mass = projectile_masses(condition)[condition[:, 0].long()]
        kinetic = condition[:, 3]
        momentum = (kinetic * (kinetic + 2 * mass)).sqrt()
        energy = kinetic + mass
        target = self._target_mass(condition)
        s = (energy + NUCLEON) ** 2 - momentum**2
        whole = torch.atanh(momentum / (energy + target))
        return whole, torch.atanh(momentum / (energy + NUCLEON)), (s.sqrt() / PION).log() / 3

    def _target_mass(self, condition: Tensor) -> Tensor:
        return self.books["nuclear"][condition[:, 1].long(), condition[:, 2].long()]

    def subspace(self, condition: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
        """What conservation fixes of coordinates, for ``within``.

        Returns:
            For each of the three coordinates a unit vector over an event's particles, and 0 for coordinates that are
            not free at all, 1 for the others; both (event, particle, 3), float64.
        """
        across, along, _ = self.scales(condition, kind)
        free = ((kind >= 0) & (kind != self.kinds)).to(across)
        closed = (kind != self.kinds).all(1, keepdim=True)
        w, v = across * free * closed, free * closed / along
        w = w / (w * w).sum(1, keepdim=True).sqrt().clamp(min=1e-30)
        v = v / (v * v).sum(1, keepdim=True).sqrt().clamp(min=1e-30)
        return torch.stack([w, w, v], dim=2), torch.stack([free, free, free * (kind <= self.kinds)], dim=2)

    def _particles(
        self, u: Tensor, condition: Tensor, kind: Tensor, residual: Tensor, coin: Tensor, projected: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        code, mass = self.codes(condition, kind, residual, coin)
        there = kind >= 0
        nucleus = kind == self.kinds
        across, along, mean = self.scales(condition, kind)
        whole = self.frames(condition)[0]
        plane = u[..., :2] * across[..., None]
        transverse = (mass**2 + (plane**2).sum(2)).sqrt()
        rapidity = mean + along * u[..., 2] - whole[:, None]
        # of two bodies the projection finds the rapidities, all that it needs is which one flies ahead
        two = kind > self.kinds
        back = (kind == self.kinds + 3).any(1, keepdim=True)
        ahead = (kind == self.kinds + 1) | (kind == self.kinds + 2) & back
        rapidity = torch.where(two, torch.where(ahead, 1.0, -1.0).to(u), rapidity)
        rapidity = torch.where(there, rapidity, 0)
        others = there & ~nucleus
        left = -(plane * others[..., None]).sum(1)
        plane = torch.where(nucleus[..., None], left[:, None], plane)
        transverse = torch.where(nucleus, (mass**2 + (plane**2).sum(2)).sqrt(), transverse)
        left_z = -(transverse * rapidity.sinh() * others).sum(1, keepdim=True)
        rapidity = torch.where(nucleus, (left_z / transverse).asinh(), rapidity)
        transverse = torch.where(there, transverse, 0)
        put_right, stretch, solved = project(transverse, rapidity, self._squared_energy(condition))
        if not projected:  # but two bodies have no rapidities of their own
            put_right = torch.where(two.any(1)[:, None], put_right, rapidity)
        rapidity = torch.where(there, put_right + whole[:, None], 0)
        momentum = torch.stack(
            [transverse * rapidity.cosh(), plane[..., 0], plane[..., 1], transverse * rapidity.sinh()], dim=2
        )
        return code, momentum * there[..., None], stretch, solved

    def _squared_energy(self, condition: Tensor) -> Tensor:
        """The squared energy s in GeV^2 (event,) of projectile and nucleus in their rest frame."""
        mass = projectile_masses(condition)[condition[:, 0].long()]
        target = self._target_mass(condition)
        return mass**2 + target**2 + 2 * target * (condition[:, 3] + mass)

    def codes(self, condition: Tensor, kind: Tensor, residual: Tensor, coin: Tensor) -> tuple[Tensor, Tensor]:
        """PDG codes and masses (event, particle)."""
        place = kind.clamp(min=0)
        code = self.books["code"][place]
        code = torch.where(code.abs() == 311, torch.where(coin < 0.5, K0S, K0L), code)
        mass = self.books["mass"][place]
        projectiles = torch.tensor(CODES, device=kind.device)[condition[:, 0].long()]
        target = condition[:, 1:3].long()
        known = projectile_masses(condition)[condition[:, 0].long()]
        remnant = self.books["nuclear"][residual[:, 0].clamp(0, 83), residual[:, 1].clamp(0, LARGEST)]
        for sort, codes, weights in (
            (self.kinds, _nucleus(residual), remnant),
            (self.kinds + 1, projectiles, known),
            (self.kinds + 2, _nucleus(target), self._target_mass(condition)),
            (self.kinds + 3, projectiles, known),
        ):
            code = torch.where(kind == sort, codes[:, None], code)
            mass = torch.where(kind == sort, weights[:, None], mass)
        return torch.where(kind >= 0, code, 0), torch.where(kind >= 0, mass, 0)


def within(u: Tensor, normals: Tensor, free: Tensor) -> Tensor:
    """Coordinates or velocities (event, particle, 3) without the components that conservation fixes."""
    return (u - normals * (normals * u).sum(1, keepdim=True)) * free


def _nucleus(charge_and_mass: Tensor) -> Tensor:
    """PDG codes (event,) of nuclei (event, 2)."""
    charge, mass = charge_and_mass[:, 0], charge_and_mass[:, 1]
    return torch.where(mass == 1, 2212, 1_000_000_000 + 10_000 * charge + 10 * mass)


def project(transverse: Tensor, rapidity: Tensor, squared: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rapidities (event, particle) such that energy is sqrt(s) and the momentum along the beam 0.

    Args:
        transverse: transverse masses (event, particle), 0 for padding.
        rapidity: (event, particle), 0 for padding.
        squared: s (event,).

    Returns:
        Rapidities, the stretch a (event,), whether there is a solution (event,).
    """
    wanted = squared.log()[:, None]
    mean = (transverse * rapidity).sum(1, keepdim=True) / transverse.sum(1, keepdim=True)
    centred = torch.where(transverse > 0, rapidity - mean, 0)
    largest = centred.abs().amax(1, keepdim=True).clamp(min=1e-9)
    a = torch.ones_like(wanted)
    for _ in range(NEWTON):
        plus, minus = transverse * (a * centred).exp(), transverse * (-a * centred).exp()
        up, down = plus.sum(1, keepdim=True), minus.sum(1, keepdim=True)
        miss = up.log() + down.log() - wanted
        slope = (plus * centred).sum(1, keepdim=True) / up - (minus * centred).sum(1, keepdim=True) / down
        a = torch.minimum(torch.clamp(a - miss / slope, min=1e-6), 30 / largest)
    up = (transverse * (a * centred).exp()).sum(1, keepdim=True)
    down = (transverse * (-a * centred).exp()).sum(1, keepdim=True)
    solved = ((up.log() + down.log() - wanted).abs() < BALANCE)[:, 0]
    return a * centred + 0.5 * (down / up).log(), a[:, 0], solved
