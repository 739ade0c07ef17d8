"""First interactions of hadrons by Geant4 11.4 with the physics list FTFP_BERT_ATL (package ``geant4-pybind``).

The string model FTF above 9 to 12 GeV, Bertini's cascade below, precompound and de-excitation, and elastic scattering
(Allison et al., NIM A 835 (2016) 186). Geant4 runs in a process of its own (``geant4_process``), one for each process
of ours. Targets are pure isotopes (``particles.ISOTOPES``).

What leaves is completed: where Geant4 drops a slow recoil, the nucleus that is missing gets the four-momentum that is
missing. Geant4 itself conserves charge and baryon number, and the four-momentum to an MeV or better. It conserves
strangeness where FTF runs; the cascade lets nuclei swallow hyperons (12 % of K- on iron at 5 GeV). The same seed gives
the same events, whatever was asked before.
"""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_numbers
from cloudchamber.simulators.hadronic.geant4_process import receive, send
from cloudchamber.simulators.hadronic.particles import NUCLEI, conserved, nucleus_code

INSTALL = "pip install 'cloudchamber[geant4]'"


class Geant4:
    """A running Geant4; ``close`` it, or let the process end.

    Args:
        tables: directory of the home-made data sets (``data.geant4_data``).

    Attributes:
        data: which data sets it uses, ``geant4_tables.OFFICIAL`` or ``HOME_MADE``.
        version: of Geant4.

    Raises:
        BadInput: the package is not installed, or Geant4 does not start.
    """

    def __init__(self, tables: Path) -> None:
        if importlib.util.find_spec("geant4_pybind") is None:
            raise BadInput(f"Geant4 is not installed: {INSTALL}")
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cloudchamber.simulators.hadronic.geant4_process", str(tables)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
        )  # fmt: skip
        hello = self._answer("start")
        self._masses = dict(zip(hello["kinds"].tolist(), hello["masses"].tolist(), strict=True))
        self.data, self.version = str(hello["data"]), str(hello["version"]).strip("$ ").removeprefix("Name: ")

    def generate(self, beam: Beam, seed: int) -> Events:
        """The first interaction of every projectile of ``beam``.

        Args:
            beam: projectiles and targets of ``particles.PROJECTILES`` and ``TARGETS``, 1 to 100 GeV.
            seed: below 2^31.

        Raises:
            BadInput: Geant4 ended or found no interaction.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the answer says why
            send(
                self._process.stdin, projectile=beam.projectile, target=beam.target,
                kinetic_energy=beam.kinetic_energy, direction=beam.direction, seed=np.int64(seed),
            )  # fmt: skip
        found = self._answer("make events")
        nucleus = np.array([NUCLEI[int(charge)] for charge in beam.target], np.int32)
        offsets = np.concatenate([[0], np.cumsum(found["count"])])
        incoming = self._incoming(beam, nucleus)
        return completed(Events(beam, nucleus, incoming, found["process"], offsets, found["kind"], found["momentum"]))

    def _incoming(self, beam: Beam, nucleus: NDArray[np.int32]) -> NDArray[np.float64]:
        mass = np.array([self._masses[int(code)] for code in beam.projectile])
        at_rest = np.array([self._masses[int(code)] for code in nucleus])
        energy = beam.kinetic_energy + mass
        momentum = np.sqrt(beam.kinetic_energy * (energy + mass))[:, None] * beam.direction
        return np.concatenate([(energy + at_rest)[:, None], momentum], axis=1)

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self._process.wait(timeout=10)
        self._said.close()

    def _answer(self, task: str) -> dict[str, NDArray[Any]]:
        assert self._process.stdout is not None
        found = receive(self._process.stdout)
        if found is None:
            self._said.seek(0)
            lines = [line for line in self._said.read().decode(errors="replace").splitlines() if line.strip(" -*")]
            self.close()
            told = next((line for line in reversed(lines) if "rror" in line or "G4Exception" in line), "no message")
            raise BadInput(f"Geant4 could not {task} ({told.strip()[:200]}): reinstall it with {INSTALL}")
        if "error" in found:
            raise BadInput(f"Geant4: {found['error']}")
        return found


def completed(events: Events) -> Events:
    """Events with the nuclei that Geant4 did not list (recoils below its threshold), each the last of its event.

    A missing nucleus gets the four-momentum that is missing.
    """
    missing = np.rint(incoming_numbers(events) - events.sums(conserved(events.kind))).astype(np.int64)
    lost = np.flatnonzero(missing[:, 1] > 0)
    left = events.incoming[lost] - events.sums(events.momentum)[lost]
    codes = np.array([nucleus_code(charge, baryons) for charge, baryons, _ in missing[lost].tolist()], np.int32)
    ends = events.offsets[lost + 1]
    count = events.count.copy()
    count[lost] += 1
    return replace(
        events, offsets=np.concatenate([[0], np.cumsum(count)]), kind=np.insert(events.kind, ends, codes),
        momentum=np.insert(events.momentum, ends, left, axis=0),
    )  # fmt: skip
