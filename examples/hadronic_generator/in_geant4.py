"""Geant4 with a learned generator in place of its hadronic model, beside Geant4 as it is.

    python in_geant4.py DIRECTORY PROJECTILE TARGET ENERGY EVENTS SEED

A beam of kinetic energy ENERGY [GeV] meets a block of TARGET. Geant4 transports it, and its cross sections say where
the first inelastic interaction is; what leaves it comes from Geant4's own model in one process, and from the exported
generator of DIRECTORY (``cloudchamber export RUN``) in the other. Then Geant4 goes on with what left: it transports,
and lets interact and decay, all particles alike. The table compares what left the first interaction and the energy that
was deposited in the block.

geant4-pybind has no G4HadronicInteraction and no fast simulation to derive from. So a stepping action does the
exchange: at the end of the step that interacts it kills what Geant4 made and stacks the generator's particles.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

HALF_LENGTH = 0.5
"""Of the block, a cube, in m."""
TRIES = 20
"""How often the generator is asked for inelastic events."""
COLUMNS = ("particles", "charged", "leading", "kaons", "deposited")
LABELS = {
    "particles": "particles that leave", "charged": "charged ones", "leading": "energy of the fastest [GeV]",
    "kaons": "kaons", "deposited": "deposited in the block [GeV]",
}  # fmt: skip


def events_of(directory: Path, projectile: str, target: str, energy: float, n: int, seed: int) -> list[Any]:
    """Inelastic events of the generator along z: lists of (PDG code, four-momentum [GeV])."""
    from cloudchamber.export.onnx_sampler import sample_exported
    from cloudchamber.simulators.hadronic.events import INELASTIC, Beam
    from cloudchamber.simulators.hadronic.particles import projectile_code, target_charge

    found: list[Any] = []
    for attempt in range(TRIES):  # its elastic scattering is not asked for
        size = n + 100
        beam = Beam(
            np.full(size, projectile_code(projectile), np.int32), np.full(size, target_charge(target), np.int32),
            np.full(size, energy), np.tile([0.0, 0.0, 1.0], (size, 1)),
        )  # fmt: skip
        events = sample_exported(directory, beam, seed + attempt)
        for row in np.flatnonzero(events.channel == INELASTIC):
            own = slice(events.offsets[row], events.offsets[row + 1])
            found.append(list(zip(events.kind[own].tolist(), events.momentum[own].tolist(), strict=True)))
        if len(found) >= n:
            return found[:n]
    raise SystemExit(f"{directory} scatters nearly always elastically: train it longer")


def shoot(events: list[Any] | None, projectile: str, target: str, energy: float, n: int, seed: int) -> dict[str, Any]:
    """n events of the beam on the block; with ``events`` those are what leaves the first inelastic interaction.

    One function, as Geant4's classes can only be derived from once Geant4 is imported, in a process of its own.
    """
    import geant4_pybind as g4

    from cloudchamber.simulators.hadronic.geant4_process import NAMES, Boxes, Physics
    from cloudchamber.simulators.hadronic.particles import PROJECTILES

    class Block(Boxes):
        """A cube of one isotope in a vacuum."""

        def Construct(self) -> Any:  # noqa: N802
            self.kept = []
            edge = HALF_LENGTH * g4.m
            nothing = g4.G4NistManager.Instance().FindOrBuildMaterial("G4_Galactic")
            room, cube = g4.G4Box("World", 2 * edge, 2 * edge, 2 * edge), g4.G4Box("Block", edge, edge, edge)
            world = g4.G4LogicalVolume(room, nothing, "World")
            block = g4.G4LogicalVolume(cube, self.pure(target), "Block")
            whole = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "World", None, False, 0, False)
            placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), block, "Block", world, False, 0, False)
            self.kept += [room, cube, world, block, whole, placed]
            return whole

    class Gun(g4.G4VUserPrimaryGeneratorAction):
        """The beam, along z."""

        def __init__(self) -> None:
            super().__init__()
            self.gun = g4.G4ParticleGun(1)
            name = NAMES[PROJECTILES[projectile]]
            self.gun.SetParticleDefinition(g4.G4ParticleTable.GetParticleTable().FindParticle(name))
            self.gun.SetParticleEnergy(energy * g4.GeV)
            self.gun.SetParticlePosition(g4.G4ThreeVector(0, 0, -HALF_LENGTH * g4.m))
            self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(0, 0, 1))

        def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
            self.gun.GeneratePrimaryVertex(event)

    class Exchange(g4.G4UserSteppingAction):
        """Takes down what leaves the projectile's first inelastic interaction; the generator's, if there is one."""

        def __init__(self) -> None:
            super().__init__()
            self.first: list[tuple[int, float, float]] = []
            self.deposited = 0.0
            self.used = 0
            self.kept: list[Any] = []  # Geant4 deletes tracks and their particles: Python must not

        def UserSteppingAction(self, step: Any) -> None:  # noqa: N802
            self.deposited += step.GetTotalEnergyDeposit() / g4.GeV
            track = step.GetTrack()
            process = step.GetPostStepPoint().GetProcessDefinedStep()
            if track.GetTrackID() != 1 or process is None or not process.GetProcessName().endswith("Inelastic"):
                return
            leaving = [(one.GetDefinition(), one.GetTotalEnergy()) for one in step.GetSecondaryInCurrentStep()]
            if events is not None:
                leaving = self.exchange(step, track)
            self.first = [(kind.GetPDGEncoding(), kind.GetPDGCharge(), total / g4.GeV) for kind, total in leaving]

        def exchange(self, step: Any, track: Any) -> list[tuple[Any, float]]:
            """The generator's particles instead of Geant4's, turned from z into the projectile's direction."""
            direction = step.GetPreStepPoint().GetMomentumDirection()
            table, ions = g4.G4ParticleTable.GetParticleTable(), g4.G4IonTable.GetIonTable()
            made, leaving = [], []
            for code, (total, x, y, z) in events[self.used]:
                kind = table.FindParticle(code)
                if kind is None:  # a nucleus that nobody has asked for yet
                    kind = ions.GetIon(code // 10_000 % 1000, code // 10 % 1000, 0.0)
                momentum = g4.G4ThreeVector(x, y, z) * g4.GeV
                momentum.rotateUz(direction)
                particle = g4.G4DynamicParticle(kind, momentum)
                one = g4.G4Track(particle, track.GetGlobalTime(), track.GetPosition())
                one.SetParentID(track.GetTrackID())
                made.append(one)
                self.kept += [particle, one]
                leaving.append((kind, total * g4.GeV))
            self.used += 1
            track.SetTrackStatus(g4.fKillTrackAndSecondaries)
            g4.G4EventManager.GetEventManager().StackTracks(made)
            return leaving

    class Actions(g4.G4VUserActionInitialization):
        """Beam and exchange."""

        def Build(self) -> None:  # noqa: N802
            self.gun, self.exchange = Gun(), Exchange()
            self.SetUserAction(self.gun)
            self.SetUserAction(self.exchange)

        def BuildForMaster(self) -> None:  # noqa: N802
            """No threads."""

    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    parts: list[Any] = []
    for make in (Block, Physics, Actions):  # each after the one before has been handed over
        parts.append(make())
        manager.SetUserInitialization(parts[-1])
    manager.Initialize()
    g4.G4Random.setTheSeed(seed)
    exchange = parts[-1].exchange
    rows = []
    while len(rows) < n:
        exchange.first, exchange.deposited = [], 0.0
        manager.BeamOn(1)
        first = exchange.first
        if first:  # else the projectile went through
            charged = sum(charge != 0 and abs(code) < 10**9 for code, charge, _ in first)
            kaons = sum(abs(code) in (130, 310, 321) for code, _, _ in first)
            leading = max(total for code, _, total in first if abs(code) < 10**9)
            rows.append((len(first), charged, leading, kaons, exchange.deposited))
    return dict(zip(COLUMNS, np.array(rows, float).T.tolist(), strict=True))


def child(words: list[str]) -> None:
    """One Geant4: what this program starts twice."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Geant4 prints goes to standard error
    directory, projectile, target, energy, n, seed, learned = words
    events = (
        events_of(Path(directory), projectile, target, float(energy), int(n), int(seed)) if learned == "1" else None
    )
    json.dump(shoot(events, projectile, target, float(energy), int(n), int(seed)), answers)
    answers.close()
    os._exit(0)  # before Python deletes what Geant4 has deleted


def main() -> None:
    if len(sys.argv) == 9 and sys.argv[1] == "--child":
        child(sys.argv[2:])
        return
    if len(sys.argv) != 7:
        sys.exit("usage: python in_geant4.py DIRECTORY PROJECTILE TARGET ENERGY EVENTS SEED")
    from cloudchamber.data.geant4_data import home_made_tables
    from cloudchamber.simulators.hadronic.geant4_tables import geant4_environment

    variables, _ = geant4_environment(os.environ, home_made_tables().absolute())
    found = []
    for learned in ("0", "1"):  # there can be one Geant4 in a process
        words = [sys.executable, __file__, "--child", *sys.argv[1:], learned]
        done = subprocess.run(words, env={**os.environ, **variables}, capture_output=True, check=False)
        if done.returncode:
            sys.exit(f"Geant4 ended: {done.stderr.decode(errors='replace').strip().splitlines()[-1]}")
        found.append(json.loads(done.stdout))
    print(f"{'mean +- its error':32s} {'Geant4':>18s} {'generator':>18s}")
    for column in COLUMNS:
        values = [np.array(one[column]) for one in found]
        cells = [f"{one.mean():9.3f} +- {one.std() / np.sqrt(len(one)):.3f}" for one in values]
        print(f"{LABELS[column]:32s} {cells[0]:>18s} {cells[1]:>18s}")


if __name__ == "__main__":
    main()
