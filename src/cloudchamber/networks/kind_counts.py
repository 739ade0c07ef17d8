"""How many particles of each kind leave an interaction, within the budgets of charge, baryon number and strangeness.

Counts are drawn one kind after the other.

The probability of the counts is the product over kinds k of p(n_k | condition, n_1 .. n_(k-1)), each a categorical of
one small network that reads the condition, the counts so far and what is left of the three budgets. A count that would
leave budgets that no counts of the later kinds can use up has probability 0: a table of what can be reached, made once
by going through the kinds backwards, masks it. On a proton everything must be used up; on a nucleus a residual nucleus
(Z', A') may carry what is left of charge and baryon number, if it is one that can exist (``final_states.is_residual``).

Three yes-or-no answers come first, from a little network that reads the condition: whether the scattering is elastic;
if so, whether the projectile flies back; if not, whether a K0L that came in counts as strangeness +1.

Conventions: budgets are integers (charge, baryon number, strangeness); a condition is (event, 4): place of the
projectile in ``PROJECTILES``, charge and mass number of the nucleus, kinetic energy in GeV.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cloudchamber.data.final_states import NUCLEON, is_residual
from cloudchamber.layers.constants import Constants
from cloudchamber.simulators.hadronic.particles import MIXED_KAONS, PROJECTILES, conserved, masses

CODES = tuple(PROJECTILES.values())
ENERGIES = 20
"""Places on the axis ln(kinetic energy / GeV) from 0 to ln(100) at which networks see how near an energy is: models of
hadronic interactions hand over to each other within a few GeV (Geant4's cascade to its string model from 9 to 12)."""
LARGEST_LOG_ENERGY = 4.605
FEATURES = len(CODES) + 7 + ENERGIES
"""Numbers by which networks know a condition."""
ROOM = (16, 16, 6)
"""How far budgets may go below 0, or above those of projectile and nucleus."""


def features(condition: Tensor, strangeness: Tensor) -> Tensor:
    """What networks read of conditions (event, 4) and the incoming strangeness (event,): float32 (event, FEATURES)."""
    code = condition[:, 0].long()
    charge, baryons, kinetic = condition[:, 1], condition[:, 2], condition[:, 3]
    mass = projectile_masses(condition)[code]
    s = (kinetic + mass + NUCLEON) ** 2 - kinetic * (kinetic + 2 * mass)
    numbers = [
        kinetic.log() / 2 - 1.2, s.log() / 2 - 1.2, baryons.pow(1 / 3) / 2 - 1.5, baryons / 100 - 0.5,
        charge / baryons, (baryons < 2).to(kinetic), strangeness.to(kinetic),
    ]  # fmt: skip
    known = functional.one_hot(code, len(CODES)).to(kinetic)
    step = LARGEST_LOG_ENERGY / (ENERGIES - 1)
    places = torch.arange(ENERGIES, device=kinetic.device) * step
    near = torch.exp(-0.5 * ((kinetic.log()[:, None] - places) / step) ** 2)
    return torch.cat([known, near, torch.stack(numbers, dim=1)], dim=1).float()


def projectile_masses(like: Tensor) -> Tensor:
    """Masses in GeV of the projectiles, in the type of ``like``."""
    return torch.tensor(masses(np.array(CODES)), dtype=like.dtype, device=like.device)


def incoming_budget(condition: Tensor, strangeness: Tensor) -> Tensor:
    """Charge, baryon number and strangeness of projectile and nucleus together (event, 3), int64."""
    table = torch.tensor(conserved(np.array(CODES)), device=condition.device)
    found = table[condition[:, 0].long()]
    nucleus = condition[:, 1:3].long()
    return torch.stack([found[:, 0] + nucleus[:, 0], found[:, 1] + nucleus[:, 1], strangeness.long()], dim=1)


def is_mixed(condition: Tensor) -> Tensor:
    """Whether the projectile is a K0L (event,)."""
    mixed = torch.tensor([code in MIXED_KAONS for code in CODES], device=condition.device)
    return mixed[condition[:, 0].long()]


def projectile_strangeness(condition: Tensor) -> Tensor:
    """Strangeness of the projectile (event,); 0 for a K0L."""
    table = torch.tensor(conserved(np.array(CODES))[:, 2], device=condition.device)
    return table[condition[:, 0].long()]


def reachable(
    numbers: NDArray[np.int64], most: NDArray[np.int64], heaviest: tuple[int, int], on_nucleus: bool
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether counts of the kinds from a place on can use a budget up.

    Budgets are those of projectiles on nuclei up to the ``heaviest`` (charge, mass number), and ROOM on either side.
    The table goes on around them, with False, as far as one kind's counts can take a budget, so that what is left of an
    allowed budget never lies outside.

    Returns:
        (kind + 1, charge, baryon number, strangeness), and the budget of its first corner (3,).
    """
    room = np.array(ROOM)
    low, high = -room, np.array([*heaviest, 0]) + room
    margin = (most[:, None] * np.abs(numbers)).max(axis=0)
    axes = [np.arange(first, last + 1) for first, last in zip(low, high, strict=True)]
    charge, baryons, strangeness = np.meshgrid(*axes, indexing="ij")
    done = is_residual(charge, baryons) if on_nucleus else (charge == 0) & (baryons == 0)
    table = [done & (strangeness == 0)]
    for number, largest in zip(numbers[::-1], most[::-1], strict=True):
        found = shifted = table[-1]
        if number.any():
            for _ in range(largest):
                shifted = _moved(shifted, number)
                found = found | shifted
        table.append(found)
    around = [(int(width), int(width)) for width in margin]
    return np.stack([np.pad(one, around) for one in table[::-1]]), low - margin


def _moved(table: NDArray[np.bool_], by: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The table at places ``by`` higher; what comes from outside is False."""
    moved = np.zeros_like(table)
    to = tuple(slice(max(b, 0), min(n, n + b)) for b, n in zip(by, table.shape, strict=True))
    of = tuple(slice(max(-b, 0), min(n, n - b)) for b, n in zip(by, table.shape, strict=True))
    moved[to] = table[of]
    return moved


class KindCounts(nn.Module):
    """The networks of the module's docstring: log-likelihoods of counts, and draws of them.

    Conditions (event, 4) and counts (event, kind) go in, log-likelihoods in nats (event,) come out of ``forward``.

    Args:
        numbers: charge, baryon number and strangeness of the kinds (kind, 3).
        most: largest counts (kind,).
        heaviest: charge and mass number of the heaviest target.
        width: of the hidden layers.
    """

    def __init__(
        self, numbers: NDArray[np.int64], most: NDArray[np.int64], heaviest: tuple[int, int], width: int
    ) -> None:
        super().__init__()
        kinds, largest = len(most), int(most.max()) + 1
        proton, corner = reachable(numbers, most, heaviest, on_nucleus=False)
        on_nucleus = heaviest[1] > 1
        tables = [proton, reachable(numbers, most, heaviest, on_nucleus=True)[0]] if on_nucleus else [proton]
        steps = np.array([proton.shape[2] * proton.shape[3], proton.shape[3], 1])
        books = {
            "may": np.stack(tables).reshape(-1), "corner": corner, "steps": steps, "numbers": numbers, "most": most,
            "jump": numbers @ steps, "table": proton[0].size * np.arange(1, kinds + 1), "whole": np.array(proton.size),
        }  # fmt: skip
        self.books = Constants({name: torch.from_numpy(np.array(values)) for name, values in books.items()})
        self.kinds, self.on_nucleus = kinds, on_nucleus
        self.largest = [int(one) for one in most]
        # elastic; strangeness +1; back
        self.channel = nn.Sequential(nn.Linear(FEATURES, width), nn.SiLU(), nn.Linear(width, 3))
        self.read = nn.Linear(FEATURES + kinds + 3, width)
        self.place = nn.Parameter(torch.randn(kinds, width) * 0.3)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Parameter(torch.randn(kinds, width, largest) * width**-0.5 * 0.3)
        self.bias = nn.Parameter(torch.zeros(kinds, largest))

    def logits(self, known: Tensor, counts: Tensor, budget: Tensor) -> Tensor:
        """Masked logits (event, kind, count) of every count given those before it.

        Args:
            known: features of the conditions (event, FEATURES).
            counts: (event, kind), int64.
            budget: incoming (event, 3), int64.
        """
        kinds = self.kinds
        used = counts[:, :, None] * self.books["numbers"]
        left = budget[:, None] - used.cumsum(1) + used  # before the kind
        earlier = torch.tril(torch.ones(kinds, kinds, device=counts.device), -1) * counts[:, None].float()
        read = torch.cat([known[:, None].expand(-1, kinds, -1), earlier.log1p(), left.float().asinh()], dim=2)
        hidden = functional.silu(self.read(read) + self.place)
        hidden = hidden + functional.silu(self.hidden(hidden))
        found = torch.einsum("ekw,kwc->ekc", hidden, self.out) + self.bias
        numbers = torch.arange(kinds, device=counts.device)
        return torch.where(self._may(numbers, left, (budget[:, 1:2] > 2)), found, -torch.inf)

    def _can(self, budget: Tensor) -> Tensor:
        """Whether any counts use up a budget (event,)."""
        place = ((budget - self.books["corner"]) * self.books["steps"]).sum(-1)
        if self.on_nucleus:
            place = place + (budget[:, 1] > 2) * self.books["whole"]
        found: Tensor = self.books["may"][place]
        return found

    def _may(self, number: int | Tensor, left: Tensor, heavy: Tensor) -> Tensor:
        """Which counts of one kind, up to its largest, leave a budget that can be used up (event, count).

        Of several kinds it is (event, kind, count), with ``left`` of each.
        """
        books = self.books
        top = self.bias.shape[1] if isinstance(number, Tensor) else self.largest[number] + 1
        count = torch.arange(top, device=left.device)
        place = ((left - books["corner"]) * books["steps"]).sum(-1) + books["table"][number]
        if self.on_nucleus:
            place = place + heavy * books["whole"]
        most = books["most"][number]
        # counts above a kind's largest would lead out of the table
        taken = torch.minimum(count, most[..., None]) * books["jump"][number][..., None]
        found: Tensor = books["may"][place[..., None] - taken] & (count <= most[..., None])
        return found

    def forward(self, condition: Tensor, strangeness: Tensor, counts: Tensor, elastic: Tensor, back: Tensor) -> Tensor:
        """Log-likelihood of channel and counts in nats (event,).

        Args:
            condition: (event, 4).
            strangeness: of the projectile (event,), for a K0L what it was taken as.
            counts: (event, kind), int64; not read for elastic events.
            elastic: (event,).
            back: whether an elastically scattered projectile flies back (event,).
        """
        answers = torch.stack([elastic, strangeness > 0, back], dim=1)
        asked = torch.stack([torch.ones_like(elastic), is_mixed(condition) & ~elastic, elastic], dim=1)
        channel = self._channel(condition)
        found = (functional.logsigmoid(torch.where(answers, channel, -channel)) * asked).sum(1)
        some = ~elastic
        known, budget = features(condition, strangeness)[some], incoming_budget(condition, strangeness)[some]
        chosen = self.logits(known, counts[some], budget).log_softmax(2).gather(2, counts[some][..., None])[..., 0]
        return found.index_add(0, torch.nonzero(some)[:, 0], chosen.sum(1))

    def _channel(self, condition: Tensor) -> Tensor:
        """Logits of the three answers (event, 3)."""
        found: Tensor = self.channel(features(condition, torch.zeros_like(condition[:, 0])))
        return found

    def draw(self, condition: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw channels and counts of events.

        Args:
            condition: (event, 4).
            uniform: numbers from 0 to below 1 (event, 2 + kind): of the second and third answer, of which each event
                needs one; of the first; of the counts.

        Returns:
            Whether elastic, whether the projectile flies back, its strangeness (event,), and counts (event, kind), 0
            for elastic events.
        """
        chance = torch.sigmoid(self._channel(condition))
        sign = torch.where(uniform[:, 0] < chance[:, 1], 1, -1)
        # a sign that no counts can close is not drawn; and what no counts can close at all scatters elastically
        sign = torch.where(self._can(incoming_budget(condition, sign)), sign, -sign)
        strangeness = torch.where(is_mixed(condition), sign, projectile_strangeness(condition))
        left = incoming_budget(condition, strangeness)
        elastic = (uniform[:, 1] < chance[:, 0]) | ~self._can(left)
        back = elastic & (uniform[:, 0] < chance[:, 2])
        heavy = left[:, 1] > 2
        # the first layer, with what each drawn count adds to it
        of_known, of_counts, of_left = torch.split(self.read.weight, [FEATURES, self.kinds, 3], dim=1)
        read = features(condition, strangeness) @ of_known.T + self.read.bias
        columns: list[Tensor] = []
        for number in range(self.kinds):
            hidden = functional.silu(read + left.float().asinh() @ of_left.T + self.place[number])
            hidden = hidden + functional.silu(self.hidden(hidden))
            some = self.largest[number] + 1  # of most kinds there are few
            logits = hidden @ self.out[number, :, :some] + self.bias[number, :some]
            may = self._may(number, left, heavy)
            cumulative = torch.where(may, logits, -torch.inf).softmax(1).cumsum(1)
            # scaled by the sum: the last possible count is drawn even if that sum is below 1 by rounding
            drawn = (uniform[:, 2 + number, None] * cumulative[:, -1:] >= cumulative).sum(1)
            drawn = drawn.clamp(max=self.largest[number])
            columns.append(drawn)
            left = left - drawn[:, None] * self.books["numbers"][number]
            read = read + drawn.float().log1p()[:, None] * of_counts[:, number]
        return elastic, back, strangeness, torch.stack(columns, dim=1) * (~elastic)[:, None]


def tiny() -> tuple[KindCounts, Callable[[int], tuple[Tensor, ...]]]:
    """A small network for tests of the contract, and inputs for so many events: pi+ and K0L on protons."""
    numbers = conserved(np.array([311, 2212, 111, -211, 211]))
    network = KindCounts(numbers, np.array([1, 1, 3, 3, 3]), (1, 1), 8)

    def inputs(n: int) -> tuple[Tensor, ...]:
        condition = torch.tensor([[CODES.index(211), 1.0, 1.0, 10.0]]).repeat(n, 1)
        condition[:, 0] = torch.where(torch.arange(n) % 4 == 3, CODES.index(130), condition[:, 0])
        condition[:, 3] += torch.arange(n)
        counts = torch.tensor([[0, 1, 1, 0, 1], [0, 1, 0, 1, 2], [0, 1, 0, 1, 2], [1, 1, 0, 0, 0]]).repeat(n, 1)[:n]
        elastic, strangeness = torch.arange(n) % 4 == 2, (torch.arange(n) % 4 == 3).long()
        return condition, strangeness, counts, elastic, elastic & (torch.arange(n) > 3)

    return network, inputs
