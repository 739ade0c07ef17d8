"""A process of its own in which one Geant4 lives: beams come in on standard input, final states go out.

``python -m cloudchamber.simulators.hadronic.geant4_process TABLES``: Geant4 can exist once a process, prints what it
likes, and ends the process when it fails; hence this one. The world is a row of large boxes, one a target element, and
the gun shoots from the middle of the box of the event's element. The first interaction is taken down and the event
ended; a decay in flight or a way out of the box is no interaction and is tried again. Physics list FTFP_BERT_ATL with
elastic scattering.

Messages: eight bytes of length, then an ``.npz``. First out: data (which data sets), version, and the masses [GeV] of
projectiles and target nuclei (kinds, masses). In: projectile, target, kinetic_energy [GeV], direction, seed. Out:
process (0 elastic, 1 inelastic), count, kind, momentum [GeV]; or ``error``.
"""

from __future__ import annotations

import io
import os
import struct
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC
from cloudchamber.simulators.hadronic.geant4_tables import geant4_environment
from cloudchamber.simulators.hadronic.particles import ISOTOPES, TARGETS, nucleus_code

DENSITY = 5.0
"""Of every target in g/cm3: cross sections do not depend on it, and a kaon interacts before it decays."""

BOX = 2e3
"""Half of the edge of a box in m: thousands of interaction lengths."""

TRIES = 1000
"""Attempts at one interaction; a decay in flight is rare at this density."""

NAMES = {211: "pi+", -211: "pi-", 321: "kaon+", -321: "kaon-", 130: "kaon0L", 2212: "proton", 2112: "neutron"}


def send(stream: IO[bytes], **arrays: Any) -> None:
    """One message."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    content = buffer.getvalue()
    stream.write(struct.pack("<q", len(content)) + content)
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, NDArray[Any]] | None:
    """The next message; None at the end of the stream."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    content = stream.read(struct.unpack("<q", head)[0])
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def main() -> None:
    """Answer messages until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Geant4 prints goes to standard error
    environment, label = geant4_environment(os.environ, Path(sys.argv[1]))
    os.environ.update(environment)
    import geant4_pybind as g4

    metre, gev = g4.m, g4.GeV
    place = {element: 3 * BOX * (number - 3) for number, element in enumerate(TARGETS)}
    centre = {TARGETS[element]: x for element, x in place.items()}

    class Boxes(g4.G4VUserDetectorConstruction):  # type: ignore[misc]
        def Construct(self) -> Any:  # noqa: N802
            nist = g4.G4NistManager.Instance()
            self.kept: list[Any] = []  # Geant4 owns nothing that Python made
            half = 3 * BOX * len(TARGETS) / 2 * metre
            room = g4.G4Box("World", half, 2 * BOX * metre, 2 * BOX * metre)
            world = g4.G4LogicalVolume(room, nist.FindOrBuildMaterial("G4_Galactic"), "World")
            whole = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "World", None, False, 0, False)
            self.kept += [room, world, whole]
            for element, x in place.items():
                shape = g4.G4Box(element, BOX * metre, BOX * metre, BOX * metre)
                volume = g4.G4LogicalVolume(shape, self.pure(element), element)
                at = g4.G4ThreeVector(x * metre, 0, 0)
                self.kept += [shape, volume, g4.G4PVPlacement(None, at, volume, element, world, False, 0, False)]
            return whole

        def pure(self, name: str) -> Any:
            """Material of one isotope."""
            charge, baryons = TARGETS[name], ISOTOPES[name]
            isotope = g4.G4Isotope(f"{name}{baryons}", charge, baryons, baryons * g4.g / g4.mole)
            element = g4.G4Element(f"{name}{baryons}", name, 1)
            element.AddIsotope(isotope, 1.0)
            material = g4.G4Material(f"{name}{baryons}", DENSITY * g4.g / g4.cm3, 1)
            material.AddElement(element, 1)
            self.kept += [isotope, element, material]
            return material

    class Physics(g4.G4VModularPhysicsList):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.parts = [g4.G4DecayPhysics(), g4.G4HadronElasticPhysics(), g4.G4HadronPhysicsFTFP_BERT_ATL()]
            for part in self.parts:  # decays first: without them the others fail
                self.RegisterPhysics(part)

    class Gun(g4.G4VUserPrimaryGeneratorAction):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.gun = g4.G4ParticleGun(1)
            table = g4.G4ParticleTable.GetParticleTable()
            self.kinds = {code: table.FindParticle(name) for code, name in NAMES.items()}
            self.event = 0
            self.beam: dict[str, NDArray[Any]] = {}

        def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
            number = self.event
            self.gun.SetParticleDefinition(self.kinds[int(self.beam["projectile"][number])])
            self.gun.SetParticleEnergy(float(self.beam["kinetic_energy"][number]) * gev)
            self.gun.SetParticlePosition(g4.G4ThreeVector(centre[int(self.beam["target"][number])] * metre, 0, 0))
            self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(*map(float, self.beam["direction"][number])))
            self.gun.GeneratePrimaryVertex(event)

    class FirstStep(g4.G4UserSteppingAction):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.process = ""
            self.rows: list[tuple[float, ...]] = []

        def UserSteppingAction(self, step: Any) -> None:  # noqa: N802
            track = step.GetTrack()
            self.process = step.GetPostStepPoint().GetProcessDefinedStep().GetProcessName()
            leaving = list(step.GetSecondaryInCurrentStep())
            if track.GetTrackStatus() == g4.fAlive:  # elastic: the projectile goes on
                leaving.append(track)
            self.rows = []
            for one in leaving:
                p = one.GetMomentum()
                self.rows.append((one.GetDefinition().GetPDGEncoding(), one.GetTotalEnergy(), p.x, p.y, p.z))
            track.SetTrackStatus(g4.fKillTrackAndSecondaries)

    class Actions(g4.G4VUserActionInitialization):  # type: ignore[misc]
        def Build(self) -> None:  # noqa: N802
            self.gun, self.first_step = Gun(), FirstStep()
            self.SetUserAction(self.gun)
            self.SetUserAction(self.first_step)

        def BuildForMaster(self) -> None:  # noqa: N802
            """No threads."""

    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    boxes = Boxes()
    manager.SetUserInitialization(boxes)
    physics = Physics()
    manager.SetUserInitialization(physics)
    actions = Actions()
    manager.SetUserInitialization(actions)
    manager.Initialize()
    gun, first_step = actions.gun, actions.first_step
    ions = g4.G4IonTable.GetIonTable()
    masses = {code: gun.kinds[code].GetPDGMass() / gev for code in NAMES}
    masses |= {
        nucleus_code(charge, ISOTOPES[element]): ions.GetNucleusMass(charge, ISOTOPES[element]) / gev
        for element, charge in TARGETS.items()
    }
    send(
        answers, data=np.array(label), version=np.array(str(g4.G4Version)),
        kinds=np.array(list(masses), np.int32), masses=np.array(list(masses.values())),
    )  # fmt: skip

    while (beam := receive(sys.stdin.buffer)) is not None:
        gun.beam = beam
        process, count, kinds, momenta = [], [], [], []
        g4.G4Random.setTheSeed(int(beam["seed"]))
        for number in range(len(beam["projectile"])):
            gun.event = number
            for _ in range(TRIES):
                manager.BeamOn(1)
                if first_step.process == "hadElastic" or first_step.process.endswith("Inelastic"):
                    break
            else:
                send(answers, error=np.array(f"no interaction in {TRIES} tries (last: {first_step.process})"))
                break
            process.append(ELASTIC if first_step.process == "hadElastic" else INELASTIC)
            count.append(len(first_step.rows))
            kinds += [row[0] for row in first_step.rows]
            momenta += [row[1:] for row in first_step.rows]
        else:
            send(
                answers, process=np.array(process, np.uint8), count=np.array(count, np.int64),
                kind=np.array(kinds, np.int32), momentum=np.array(momenta).reshape(-1, 4) / gev,
            )  # fmt: skip


if __name__ == "__main__":
    main()
