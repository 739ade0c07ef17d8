"""How many particles of each kind leave an interaction: counts drawn one kind after the other, within the budgets of
charge, baryon number and strangeness.

The probability of the counts is the product over kinds k of p(n_k | condition, n_1 .. n_(k-1)), each a categorical of
one small network that reads the condition, the counts so far and what is left of the three budgets. A count that would
leave budgets that no counts of the later kinds can use up has probability 0: a table of what can be reached, made once
by going through the kinds backwards, masks it. On a proton everything must be used up; on a nucleus a residual nucleus
(Z', A') may carry what is left of charge and baryon number, if it is one that can exist: A' > 4 and Z' near the valley
of stability Z_s = A' / (1.98 + 0.0155 A'^(2/3)).

Whether the scattering is elastic is drawn first, by its own little network.

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
FEATURES = len(CODES) + 7
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
    return torch.cat([known, torch.stack(numbers, dim=1)], dim=1).float()


def projectile_masses(like: Tensor) -> Tensor:
    """Masses in GeV of the projectiles, in the type of ``like``."""
    return torch.tensor(masses(np.array(CODES)), dtype=like.dtype, device=like.device)


def incoming_budget(condition: Tensor, strangeness: Tensor) -> Tensor:
    """Charge, baryon number and strangeness of projectile and nucleus together (event, 3), int64."""
    table = torch.tensor(conserved(np.array(CODES)), device=condition.device)
    found = table[condition[:, 0].long()]
    nucleus = condition[:, 1:3].long()
    return torch.stack([found[:, 0] + nucleus[:, 0], found[:, 1] + nucleus[:, 1], strangeness.long()], dim=1)


def incoming_strangeness(condition: Tensor, uniform: Tensor) -> Tensor:
    """Strangeness of the projectile (event,); a K0L is +1 or -1, as a uniform number (event,) decides."""
    table = torch.tensor(conserved(np.array(CODES))[:, 2], device=condition.device)
    mixed = torch.tensor([code in MIXED_KAONS for code in CODES], device=condition.device)
    code = condition[:, 0].long()
    return torch.where(mixed[code], torch.where(uniform < 0.5, 1, -1), table[code])


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
    """The networks of the module's docstring.

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
        self.channel = nn.Sequential(nn.Linear(FEATURES, width), nn.SiLU(), nn.Linear(width, 1))
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

    def step(self, number: int, known: Tensor, counts: Tensor, left: Tensor, heavy: Tensor) -> Tensor:
        """Masked logits (event, count) of kind ``number``, given counts (event, kind) that are 0 from it on, what is
        left of the budget (event, 3) and whether the target is a nucleus (event,)."""
        hidden = functional.silu(
            self.read(torch.cat([known, counts.float().log1p(), left.float().asinh()], dim=1)) + self.place[number]
        )
        hidden = hidden + functional.silu(self.hidden(hidden))
        found = hidden @ self.out[number] + self.bias[number]
        return torch.where(self._may(number, left, heavy), found, -torch.inf)

    def _may(self, number: int | Tensor, left: Tensor, heavy: Tensor) -> Tensor:
        """Which counts of the kinds leave a budget that can be used up: (event, count), or with several (event, kind,
        count), as ``left`` has kinds."""
        books = self.books
        count = torch.arange(self.bias.shape[1], device=left.device)
        place = ((left - books["corner"]) * books["steps"]).sum(-1) + books["table"][number]
        if self.on_nucleus:
            place = place + heavy * books["whole"]
        most = books["most"][number]
        # counts above a kind's largest would lead out of the table
        taken = torch.minimum(count, most[..., None]) * books["jump"][number][..., None]
        found: Tensor = books["may"][place[..., None] - taken] & (count <= most[..., None])
        return found

    def forward(self, known: Tensor, counts: Tensor, budget: Tensor, elastic: Tensor) -> Tensor:
        """Log-likelihood of channel and counts in nats (event,).

        Args:
            known: features of the conditions (event, FEATURES).
            counts: (event, kind), int64; not read for elastic events.
            budget: incoming (event, 3), int64.
            elastic: (event,).
        """
        channel = functional.logsigmoid(self.channel(known)[:, 0] * torch.where(elastic, 1.0, -1.0))
        logits = self.logits(known[~elastic], counts[~elastic], budget[~elastic])
        chosen = logits.log_softmax(2).gather(2, counts[~elastic][..., None])[..., 0]
        found: Tensor = channel.index_add(0, torch.nonzero(~elastic)[:, 0], chosen.sum(1))
        return found

    def draw(self, known: Tensor, budget: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Draw: whether elastic (event,), and counts (event, kind), 0 for elastic events.

        Args:
            known: features of the conditions (event, FEATURES).
            budget: incoming (event, 3), int64.
            uniform: numbers from 0 to 1 (event, 1 + kind).
        """
        elastic = uniform[:, 0] < torch.sigmoid(self.channel(known)[:, 0])
        heavy = budget[:, 1] > 2
        left = budget
        columns: list[Tensor] = []
        for number in range(self.kinds):
            empty = torch.zeros_like(left[:, :1]).expand(-1, self.kinds - number)
            counts = torch.cat([*columns, empty], dim=1)
            cumulative = self.step(number, known, counts, left, heavy).softmax(1).cumsum(1)
            # scaled by the sum: the last possible count is drawn even if that sum is below 1 by rounding
            drawn = (uniform[:, 1 + number, None] * cumulative[:, -1:] >= cumulative).sum(1)
            drawn = torch.minimum(drawn, self.books["most"][number])
            columns.append(drawn[:, None])
            left = left - drawn[:, None] * self.books["numbers"][number]
        return elastic, torch.cat(columns, dim=1) * (~elastic)[:, None]


def tiny() -> tuple[KindCounts, Callable[[int], tuple[Tensor, ...]]]:
    """A small network for tests of the contract, and inputs for so many events: pi+ on protons."""
    numbers = conserved(np.array([2212, 111, -211, 211]))
    network = KindCounts(numbers, np.array([1, 3, 3, 3]), (1, 1), 8)

    def inputs(n: int) -> tuple[Tensor, ...]:
        condition = torch.tensor([[CODES.index(211), 1.0, 1.0, 10.0]]).repeat(n, 1)
        condition[:, 3] += torch.arange(n)
        none = torch.zeros(n, dtype=torch.int64)
        counts = torch.tensor([[1, 1, 0, 1], [1, 0, 1, 2]]).repeat(n, 1)[:n]
        return features(condition, none), counts, incoming_budget(condition, none), torch.arange(n) % 3 == 2

    return network, inputs
