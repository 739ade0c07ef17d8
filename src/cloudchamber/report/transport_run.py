"""What a run of the transport simulator's validation left: numbers and arrays of its checks, and how they are named.

Files: ``metrics.json`` (rows of the checks), ``checks/<name>.h5`` (arrays of each check, by slash-separated name).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.criteria import BOUNDS
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.rows import Row
from cloudchamber.report.validation import Validation
from cloudchamber.schema import BadInput

Values = NDArray[Any]

LANGEVIN, AVERAGE, MEASURED = "langevin", "average", "measured"
MODES = (LANGEVIN, AVERAGE)
"""Subjects that are simulated, in the order in which they are drawn."""

NAMES = {
    "excitation": "excitation energy",
    "all": "all isotopes",
    "p_value": "p value of the exchange of sides",
    "forward_minus_backward": "mean forward minus mean backward",
    "soft": "soft mean field",
    "comparison": "mean field of the comparison",
    "unblocked": "rate without blocking",
    "allowed": "rate with blocking",
    "unblocked_over_analytic": "rate without blocking over the analytic one",
    **{f"zero_{n}": f"{word} zero" for n, word in enumerate(("first", "second", "third"), 1)},
    **{
        f"zero_{n}_over_linear_response": f"{word} zero over that of linear response"
        for n, word in enumerate(("first", "second", "third"), 1)
    },
    "h^3_(5_fm_x_248_MeV/c)": "cells of h³ (5 fm × 248 MeV/c)",
    "64_h^3_(20_fm_x_248_MeV/c)": "cells of 64 h³ (20 fm × 248 MeV/c)",
    "variance_over_f(1-f)": "variance over f(1 − f)",
    "variance_over_f(1-f)_times_N_test": "variance over f(1 − f), times test particles",
    "largest_occupation_above_1": "largest occupation, minus 1",
    "share_of_nucleons_above_1": "share of nucleons where it is above 1",
    "mean_change": "mean absolute change",
    "rms_stretch": "standard deviation of the stretch",
    "refused_events": "share of refused events",
    "largest_change_of_rms_radius": "largest relative change of the rms radius",
    "energy_change": "absolute change of energy",
    "emitted_share": "share of nucleons emitted",
    "accepted_of_forbidden_collisions": "accepted share of forbidden collisions",
    "mean_A": "mean A",
    "sd_A": "standard deviation of A",
    "sd_over_average": "standard deviation over that of the average mode",
    "over_kox": "simulated over Kox et al.",
    "over_tripathi": "simulated over Tripathi et al.",
    "loss_before_freeze_out": "nucleons lost in the last fifth of the time",
    "difference_of_cuts_0.03_and_0.01": "at a cut of 0.03 minus at 0.01 fm⁻³",
    "difference_of_reading_later": "read a fifth later, minus at freeze-out",
}
"""Words for targets and metrics; others say themselves."""

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class TransportSettings(Protocol):
    """What the sections read of a study's configuration."""

    @property
    def projectile(self) -> str:
        """Such as C12."""

    @property
    def target(self) -> str:
        """Such as C12."""

    @property
    def energy(self) -> float:
        """Of the beam [MeV per nucleon]."""

    @property
    def test_particles(self) -> int:
        """For each nucleon."""

    @property
    def freeze_out_time(self) -> float:
        """When fragments are read [fm/c]."""

    @property
    def density_cut(self) -> float:
        """Where fragments end [nucleons per fm^3]."""

    @property
    def energy_tolerance(self) -> float:
        """Change of energy from which on an event is refused [MeV per nucleon]."""


@dataclass(frozen=True)
class Found:
    """What a section is made from.

    Attributes:
        validation: of the run.
        config: of the run.
        check: its name.
        arrays: of the check, by name.
    """

    validation: Validation
    config: TransportSettings
    check: str
    arrays: Mapping[str, Values]

    @property
    def rows(self) -> list[Row]:
        """Of the check."""
        return self.validation.of(self.check)

    def title(self, subject: str) -> str:
        """Of a subject."""
        return self.validation.subjects.get(subject, subject)

    def by_mode(self, name: str) -> dict[str, Values]:
        """The arrays of each mode that is there, by its title.

        Args:
            name: of the array, with {} for the mode.
        """
        found = {mode: self.arrays.get(name.format(mode)) for mode in MODES}
        return {self.title(mode): values for mode, values in found.items() if values is not None}

    def groups(self, *names: str) -> dict[str, tuple[Values, ...]]:
        """Arrays by the group that they are in, of all groups that have these.

        Args:
            names: of the arrays in a group.
        """
        groups = dict.fromkeys(name.rpartition("/")[0] for name in self.arrays)
        wanted = {group: [f"{group}/{name}" for name in names] for group in groups}
        return {
            group: tuple(self.arrays[one] for one in full)
            for group, full in wanted.items()
            if all(one in self.arrays for one in full)
        }

    def bounds(self, metric: str) -> tuple[float | None, float | None]:
        """The criterion of the first row with such a metric that has one.

        Args:
            metric: its name.
        """
        for row in self.rows:
            if row["metric"] == metric and any(row.get(name) is not None for name in BOUNDS):
                return row.get("low"), row.get("high")
        return None, None

    def measured(self, subject: str, target: str, metric: str) -> Measured | None:
        """A number, None if it is not there.

        Args:
            subject: of the row.
            target: of the row.
            metric: of the row.
        """
        row = self.validation.row(self.check, subject, target, metric)
        if row is None or row["value"] is None:
            return None
        return Measured(row["value"], math.nan if row["error"] is None else row["error"], int(row.get("n") or 0))


def read_groups(path: Path) -> dict[str, Values]:
    """The numeric arrays of an HDF5 file by slash-separated name; empty if there is no file.

    Args:
        path: of the file.

    Raises:
        BadInput: not HDF5.
    """
    if not path.exists():
        return {}
    found: dict[str, Values] = {}

    def keep(name: str, one: Any) -> None:
        if isinstance(one, h5py.Dataset):
            found[name] = np.asarray(one[()])

    try:
        with h5py.File(path) as file:
            file.visititems(keep)
    except (OSError, TypeError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}): run the study again") from None
    return found


def words_of(rows: Iterable[Row]) -> dict[str, str]:
    """Words for the targets and metrics of rows.

    Args:
        rows: of a check.
    """
    words = dict(NAMES)
    for row in rows:
        target = row["target"]
        if re.fullmatch(r"[A-Z][a-z]?\d+", target):
            words[target] = nuclide(target)
        elif energy := re.fullmatch(r"at_([\d.]+)_MeV", target):
            words[target] = f"{energy[1]} MeV per nucleon"
        elif temperature := re.fullmatch(r"T_([\d.]+)_MeV", target):
            words[target] = f"T = {temperature[1]} MeV"
    return words


def nuclide(name: str) -> str:
    """A nucleus in plain text.

    Args:
        name: element and mass number.

    Examples:
        >>> nuclide("C12")
        '¹²C'
    """
    element = name.rstrip("0123456789")
    return name.removeprefix(element).translate(SUPERSCRIPT) + element


def system_of(config: TransportSettings) -> str:
    """``¹²C on ¹²C at 62 MeV per nucleon``.

    Args:
        config: of the run.
    """
    return f"{nuclide(config.projectile)} on {nuclide(config.target)} at {config.energy:g} MeV per nucleon"
