"""The process in which one Geant4 lives (see ``own_process``, which starts it with the variables of the data sets set).

The world is a row of large boxes, one a target element, and the gun shoots from the middle of the box of the event's
element. The first interaction is taken down and the event ended; a decay in flight or a way out of the box is no
interaction and is tried again. Physics list FTFP_BERT_ATL with elastic scattering.

Messages: hello has version and the masses [GeV] of projectiles and target nuclei (kinds, masses). In: the arrays of
``events.Beam`` and a seed. Out: channel, count (particles of each event), kind, momentum [GeV].
"""

from __future__ import annotations

from typing import Any

import geant4_pybind as g4
import numpy as np

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC
from cloudchamber.simulators.hadronic.own_process import Message, serve
from cloudchamber.simulators.hadronic.particles import ISOTOPES, TARGETS, nucleus_code

DENSITY = 5.0
"""Of every target in g/cm3: cross sections do not depend on it, and a kaon interacts before it decays."""

BOX = 2e3
"""Half of the edge of a box in m: thousands of interaction lengths."""

TRIES = 1000
"""Attempts at one interaction; a decay in flight is rare at this density."""

NAMES = {211: "pi+", -211: "pi-", 321: "kaon+", -321: "kaon-", 130: "kaon0L", 2212: "proton", 2112: "neutron"}
CENTRES = {charge: 3 * BOX * (number - len(TARGETS) // 2) for number, charge in enumerate(TARGETS.values())}
"""Where the boxes stand along x [m], by charge of the target."""


class Boxes(g4.G4VUserDetectorConstruction):  # type: ignore[misc]
    """A row of boxes, each of one isotope."""

    def Construct(self) -> Any:  # noqa: N802
        """The world."""
        self.kept: list[Any] = []  # Geant4 owns nothing that Python made
        edge = BOX * g4.m
        room = g4.G4Box("World", 1.5 * len(TARGETS) * edge, 2 * edge, 2 * edge)
        empty = g4.G4NistManager.Instance().FindOrBuildMaterial("G4_Galactic")
        world = g4.G4LogicalVolume(room, empty, "World")
        whole = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "World", None, False, 0, False)
        self.kept += [room, world, whole]
        for name, charge in TARGETS.items():
            shape = g4.G4Box(name, edge, edge, edge)
            volume = g4.G4LogicalVolume(shape, self.pure(name), name)
            at = g4.G4ThreeVector(CENTRES[charge] * g4.m, 0, 0)
            self.kept += [shape, volume, g4.G4PVPlacement(None, at, volume, name, world, False, 0, False)]
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
    """FTFP_BERT_ATL with elastic scattering."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [g4.G4DecayPhysics(), g4.G4HadronElasticPhysics(), g4.G4HadronPhysicsFTFP_BERT_ATL()]
        for part in self.parts:  # decays first: without them the others fail
            self.RegisterPhysics(part)


class Gun(g4.G4VUserPrimaryGeneratorAction):  # type: ignore[misc]
    """Shoots entry ``event`` of ``beam``."""

    def __init__(self) -> None:
        super().__init__()
        self.gun = g4.G4ParticleGun(1)
        table = g4.G4ParticleTable.GetParticleTable()
        self.kinds = {code: table.FindParticle(name) for code, name in NAMES.items()}
        self.event = 0
        self.beam: Message = {}

    def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
        """One projectile."""
        projectile, target, energy, direction = (
            self.beam[name][self.event] for name in ("projectile", "target", "kinetic_energy", "direction")
        )
        self.gun.SetParticleDefinition(self.kinds[int(projectile)])
        self.gun.SetParticleEnergy(float(energy) * g4.GeV)
        self.gun.SetParticlePosition(g4.G4ThreeVector(CENTRES[int(target)] * g4.m, 0, 0))
        self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(*map(float, direction)))
        self.gun.GeneratePrimaryVertex(event)


class FirstStep(g4.G4UserSteppingAction):  # type: ignore[misc]
    """Takes down what leaves the first step, and ends the event."""

    def __init__(self) -> None:
        super().__init__()
        self.process = ""
        self.rows: list[tuple[float, ...]] = []

    def UserSteppingAction(self, step: Any) -> None:  # noqa: N802
        """Kinds and four-momenta [MeV] of what leaves."""
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
    """Gun and first step; they may exist only after the physics."""

    def Build(self) -> None:  # noqa: N802
        """Of the only thread."""
        self.gun, self.first_step = Gun(), FirstStep()
        self.SetUserAction(self.gun)
        self.SetUserAction(self.first_step)

    def BuildForMaster(self) -> None:  # noqa: N802
        """No threads."""


class Laboratory:
    """Geant4, ready to shoot."""

    def __init__(self) -> None:
        self.manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
        self.parts: list[Any] = []
        for make in (Boxes, Physics, Actions):  # each after the one before has been handed over
            self.parts.append(make())
            self.manager.SetUserInitialization(self.parts[-1])
        self.manager.Initialize()
        self.gun, self.first_step = self.parts[-1].gun, self.parts[-1].first_step

    def hello(self) -> Message:
        """Version, and masses in GeV."""
        ions = g4.G4IonTable.GetIonTable()
        masses = {code: kind.GetPDGMass() for code, kind in self.gun.kinds.items()}
        masses |= {
            nucleus_code(TARGETS[name], baryons): ions.GetNucleusMass(TARGETS[name], baryons)
            for name, baryons in ISOTOPES.items()
        }
        return {
            "version": np.array(str(g4.G4Version)), "kinds": np.array(list(masses), np.int32),
            "masses": np.array(list(masses.values())) / g4.GeV,
        }  # fmt: skip

    def interact(self, beam: Message) -> Message:
        """The first interaction of every projectile."""
        self.gun.beam = beam
        g4.G4Random.setTheSeed(int(beam["seed"]))
        channel, count, rows = [], [], []
        for number in range(len(beam["projectile"])):
            self.gun.event = number
            channel.append(self._until_it_interacts())
            count.append(len(self.first_step.rows))
            rows += self.first_step.rows
        table = np.array(rows).reshape(-1, 5)
        return {
            "channel": np.array(channel, np.uint8), "count": np.array(count, np.int64),
            "kind": table[:, 0].astype(np.int32), "momentum": table[:, 1:] / g4.GeV,
        }  # fmt: skip

    def _until_it_interacts(self) -> int:
        for _ in range(TRIES):
            self.manager.BeamOn(1)
            if self.first_step.process == "hadElastic":
                return ELASTIC
            if self.first_step.process.endswith("Inelastic"):
                return INELASTIC
        raise BadInput(f"no interaction in {TRIES} tries (last: {self.first_step.process})")


if __name__ == "__main__":

    def start() -> tuple[Message, Any]:
        """Geant4 once its output is out of the way."""
        laboratory = Laboratory()
        return laboratory.hello(), laboratory.interact

    serve(start)
