"""Dose of a carbon beam in water: Geant4 from Python, with the emulator as the generator of its nuclear reactions.

    python dose_in_water.py RUN [REACTIONS [SEED [OUTPUT]]]

RUN is a run directory of the study ``transport-emulator``, or its name: the trained model that ships. Carbon of 62 MeV
per nucleon enters water. One Geant4 tracks it without nuclear reactions: energy and dose against depth. Depths of
reactions follow from those energies and the reaction cross section; at each the emulator makes an event, hot fragments
decay, and another Geant4 tracks what comes out, from that depth on. OUTPUT.json and OUTPUT.png (default: dose_in_water)
hold the dose with and without fragmentation, and what nuclei of each charge leave; the balance of energy is printed.

What is in it, and what is not:

* Geant4 has electromagnetic physics of ions alone, without gammas and electrons, which would need data sets: electrons
  leave their energy where they are made, photons and neutrons escape. Fragments do not react again.
* Oxygen reacts by the cross section of Kox, at impact parameters up to 1.05 times the radius of its disc; pairs of
  nuclei that pass each other are drawn again. Below the energies of the training an event of the lowest one is taken,
  its momenta stretched to the energy that there is (drawn again if its masses need more). No reactions below 10 MeV
  per nucleon, where Kox ends: the last 0.4 mm.
* Hydrogen is left out: a transport model knows no single proton. How many ions would react with it is printed, by the
  proton's cross section of Wellisch and Axen, Phys. Rev. C 54 (1996) 1329, on carbon at the same velocity.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

BEAM = 62.0
"""MeV per nucleon."""
CARBON, OXYGEN = (12, 6), (16, 8)
LEAST = 10.0
"""MeV per nucleon, below which nothing reacts."""
MOLECULES = 3.3428e19
"""Of water in a mm^3."""
MM2 = 1e-25
"""mm^2 in a mb."""
DEEP, BIN = 300.0, 0.1
"""Depth of the water and width of its bins [mm]."""
CHARGES = 9
"""Doses are kept for charges 0 to 8 (and more) of the nucleus that left them."""
GROUPS = 10
"""Of ions or reactions, for the errors of doses."""
QUIET = 2.0
"""MeV of excitation, below which two nuclei count as untouched: neither has a state there."""
TRIES = 200
"""Draws of an event until something happens and its energy fits."""
NANOGRAY = 1.602177
"""nGy cm^2 of 1 MeV/mm in water."""
EDGES = np.arange(0, DEEP + BIN / 2, BIN)
Range = tuple[float, float, float]
"""Of the training: lowest and highest energy [MeV per nucleon], largest impact parameter [fm]."""


# --- cross sections ---------------------------------------------------------------------------------------------------


def proton_on_carbon(energy: float) -> float:
    """Inelastic cross section [mb] of Wellisch and Axen; within 10 % of data from 20 to 200 MeV."""
    A, Z, log = 12, 6, math.log10(energy / 1000)
    opaque = (2.247 - 0.915 * (1 - A ** (-1 / 3))) * (1 - A ** (-1 / 3))
    sigma = 10 * math.pi * 1.36**2 * math.log(A - Z) * (1 + A ** (1 / 3) - opaque)
    sigma *= (1 - 0.15 * math.exp(-energy / 1000)) / (1 - 0.0007 * A)
    slow = 1 - 1 / (1 + math.exp(-8 * (0.7 - 0.002 * A) * (log + 1.37 * (1 + 1 / A))))
    sigma *= 1 + (0.8 + 18 / A - 0.002 * A) * slow
    return sigma / (1 + math.exp(-8 * (1 - 1 / A - 0.001 * A) * (log + 2 * (1.17 - 2.7 / A - 0.0014 * A))))


def reaction_rates(energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reactions of a carbon per mm with oxygen and with hydrogen, at energies [MeV per nucleon]."""
    from cloudchamber.simulators.transport.reaction_cross_section import kox

    fast = energy >= LEAST
    oxygen, hydrogen = np.zeros(len(energy)), np.zeros(len(energy))
    oxygen[fast] = [MOLECULES * MM2 * kox(CARBON, OXYGEN, one) for one in energy[fast]]
    hydrogen[fast] = [2 * MOLECULES * MM2 * proton_on_carbon(one) for one in energy[fast]]
    return oxygen, hydrogen


def survival(rate: np.ndarray) -> np.ndarray:
    """Share of carbon that has not reacted at the edges of bins with so many reactions per mm."""
    return np.exp(-np.concatenate([[0], np.cumsum(rate * BIN)]))


# --- reactions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reactions:
    """What comes out of reactions, in the laboratory: one row a product.

    Attributes:
        depth, energy: of each reaction [mm], [MeV per nucleon].
        event: the reaction of each product.
        A, Z: of the product, 0 for a photon.
        momentum: (product, 3) [MeV/c].
        total: energy of the product with rest mass [MeV].
        q_value: rest masses before less those after, of each reaction [MeV].
        again: draws that were thrown away, because nothing happened or because the energy did not fit.
    """

    depth: np.ndarray
    energy: np.ndarray
    event: np.ndarray
    A: np.ndarray
    Z: np.ndarray
    momentum: np.ndarray
    total: np.ndarray
    q_value: np.ndarray
    again: tuple[int, int]


def entrance_of(energy: np.ndarray, impact_parameter: np.ndarray) -> Any:
    """Conditions of carbon on oxygen."""
    from cloudchamber.data.collisions import Entrance

    n = len(energy)
    return Entrance(np.tile(CARBON, (n, 1)), np.tile(OXYGEN, (n, 1)), energy, impact_parameter)


def untouched(events: Any) -> np.ndarray:
    """Which events are a carbon and an oxygen as they came."""
    found = (events.nuclei == 2) & (events.sums(events.excitation >= QUIET) == 0)
    for A, Z in (CARBON, OXYGEN):
        found &= events.sums((events.A == A) & (events.Z == Z)) == 1
    return found


def stretched(events: Any, energy: np.ndarray) -> tuple[Any, np.ndarray]:
    """Events with momenta scaled to what there is at energies [MeV per nucleon], and which of them have a solution."""
    from cloudchamber.data.collisions import Collisions

    entrance = entrance_of(energy, events.entrance.impact_parameter)
    total, mass, square = entrance.available_energy(), events.mass(), (events.momentum**2).sum(axis=1)
    fits = (events.sums(mass) < total) & (events.sums(square) > 0)
    low, high = np.zeros(len(events)), np.full(len(events), 3.0)
    for _ in range(60):
        middle = (low + high) / 2
        more = events.sums(np.sqrt(mass**2 + middle[events.event_of] ** 2 * square)) < total
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    factor = np.where(fits, (low + high) / 2, 1)
    momentum = events.momentum * factor[events.event_of, None]
    made = Collisions(entrance, events.nuclei, events.A, events.Z, momentum, events.excitation)
    return made, fits & (factor < 2.9)


def hot_events(
    generator: Any, trained: Range, energy: np.ndarray, rng: np.random.Generator
) -> tuple[Any, tuple[int, int]]:
    """Collisions of carbon with oxygen in the common rest frame, one for each energy, and draws thrown away."""
    from cloudchamber.data.collisions import joined
    from cloudchamber.export.collision_sampler import largest_impact_parameter
    from cloudchamber.simulators.transport.entrance_channel import EntranceChannel

    low, high, far = trained
    clipped = np.clip(energy, low, high)
    discs = np.array([largest_impact_parameter(EntranceChannel(CARBON, OXYGEN, one)) for one in energy])
    parts, places, passed, missed = [], [], 0, 0
    left = np.arange(len(energy))
    for _ in range(TRIES):
        b = np.minimum(discs[left], far) * np.sqrt(rng.random(len(left)))
        drawn = generator.sample(entrance_of(clipped[left], b), rng)
        events, fits = stretched(drawn, energy[left])
        passing = untouched(events)
        good = np.flatnonzero(fits & ~passing)
        passed, missed = passed + int(passing.sum()), missed + int((~fits & ~passing).sum())
        if len(good):
            parts.append(events.ordered(good))
            places.append(left[good])
        left = np.delete(left, good)
        if not len(left):
            return joined(parts).ordered(np.argsort(np.concatenate(places))), (passed, missed)
    raise SystemExit(f"{len(left)} of {len(energy)} reactions have no event: train the emulator longer")


def reactions_of(generator: Any, trained: Range, depth: np.ndarray, energy: np.ndarray, seed: int) -> Reactions:
    """Cold products in the laboratory of one reaction at each depth."""
    from cloudchamber.simulators.transport.de_excitation import de_excite
    from cloudchamber.simulators.transport.levels import WITH_RESONANCES
    from cloudchamber.simulators.transport.masses import mass_or_estimate, nuclear_mass

    rng = np.random.default_rng(seed)
    events, again = hot_events(generator, trained, energy, rng)
    angle = rng.uniform(0, 2 * np.pi, len(events))[events.event_of]
    x, y, z = events.momentum.T
    turned = np.column_stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y, z])
    cold = de_excite(events.A, events.Z, turned, events.excitation, seed, levels=WITH_RESONANCES)
    event = events.event_of[cold.parent]
    beta = np.array([one.boost for one in events.entrance.channels[0]])[events.entrance.channels[1]][event]
    gamma = 1 / np.sqrt(1 - beta**2)
    momentum = cold.momentum.copy()
    momentum[:, 2] = gamma * (cold.momentum[:, 2] + beta * cold.energy)
    total = gamma * (cold.energy + beta * cold.momentum[:, 2])
    mass = np.where(cold.A > 0, mass_or_estimate(cold.Z, cold.A.clip(min=1)), 0)
    before = float(sum(nuclear_mass(Z, A) for A, Z in (CARBON, OXYGEN)))
    return Reactions(
        depth, energy, event, cold.A, cold.Z, momentum, total, before - np.bincount(event, mass, len(events)), again
    )


# --- Geant4, in a process of its own ----------------------------------------------------------------------------------


def track(job: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Track the particles of ``job`` in water: deposited and escaped energy.

    ``job``: rows event, A, Z, depth [mm], momentum (row, 3) [MeV/c]; events (how many), seed. Answer: ``dose`` (group,
    charge, bin) [MeV], ``deposited`` and ``escaped`` (event,) [MeV], and of the first row of each event the kinetic
    energy (event, bin) [MeV] at the middles of bins, 0 where it has stopped.

    One function, as Geant4's classes can only be derived from once Geant4 is imported.
    """
    import geant4_pybind as g4

    events = int(job["events"])
    first = np.searchsorted(job["event"], np.arange(events + 1))
    group_of = np.arange(events) * GROUPS // events
    light = {(1, 0): "neutron", (1, 1): "proton", (2, 1): "deuteron", (3, 1): "triton", (3, 2): "He3", (4, 2): "alpha"}

    class Water(g4.G4VUserDetectorConstruction):
        """A cube."""

        def Construct(self) -> Any:  # noqa: N802
            water = g4.G4NistManager.Instance().FindOrBuildMaterial("G4_WATER")
            box = g4.G4Box("Water", DEEP / 2 * g4.mm, DEEP / 2 * g4.mm, DEEP / 2 * g4.mm)
            volume = g4.G4LogicalVolume(box, water, "Water")
            placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), volume, "Water", None, False, 0, False)
            self.kept = [box, volume, placed]
            return placed

    class Physics(g4.G4VModularPhysicsList):
        """Electromagnetic physics of ions."""

        def __init__(self) -> None:
            super().__init__()
            self.part = g4.G4EmStandardPhysics()
            self.RegisterPhysics(self.part)
            self.SetDefaultCutValue(10 * g4.km)  # no electrons: their energy stays where they are made
            steps = g4.G4EmParameters.Instance()  # shares of the range, and lengths from which on they may be all of it
            steps.SetStepFunctionIons(0.03, 0.02 * g4.mm)
            steps.SetStepFunctionLightIons(0.1, 0.05 * g4.mm)
            steps.SetStepFunctionMuHad(0.1, 0.05 * g4.mm)

        def ConstructProcess(self) -> None:  # noqa: N802
            super().ConstructProcess()
            for name in ("gamma", "e-", "e+"):  # their models read data sets
                manager = g4.G4ParticleTable.GetParticleTable().FindParticle(name).GetProcessManager()
                for place in reversed(range(manager.GetProcessListLength())):
                    process = manager.GetProcessList()[place]
                    if process.GetProcessName() != "Transportation":
                        manager.RemoveProcess(process)

    class Gun(g4.G4VUserPrimaryGeneratorAction):
        """The rows of one event after the other."""

        def __init__(self) -> None:
            super().__init__()
            self.gun, self.event = g4.G4ParticleGun(1), -1

        def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
            self.event += 1
            table, ions = g4.G4ParticleTable.GetParticleTable(), g4.G4IonTable.GetIonTable()
            for row in range(first[self.event], first[self.event + 1]):
                A, Z = int(job["A"][row]), int(job["Z"][row])
                kind = table.FindParticle(light[A, Z]) if (A, Z) in light else ions.GetIon(Z, A, 0.0)
                p = job["momentum"][row]
                mass, square = kind.GetPDGMass() / g4.MeV, float(p @ p)
                self.gun.SetParticleDefinition(kind)
                self.gun.SetParticleCharge(Z * g4.eplus)
                self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(*(p / math.sqrt(square))))
                self.gun.SetParticleEnergy((math.sqrt(mass**2 + square) - mass) * g4.MeV)
                self.gun.SetParticlePosition(g4.G4ThreeVector(0, 0, (job["depth"][row] - DEEP / 2) * g4.mm))
                self.gun.GeneratePrimaryVertex(event)

    class Score(g4.G4UserSteppingAction):
        """Takes down what is deposited and what escapes."""

        def __init__(self, gun: Gun) -> None:
            super().__init__()
            self.gun = gun
            self.dose = np.zeros((GROUPS, CHARGES, len(EDGES) - 1))
            self.deposited, self.escaped = np.zeros(events), np.zeros(events)
            self.steps: list[list[tuple[float, float]]] = [[(0.0, np.nan)] for _ in range(events)]

        def UserSteppingAction(self, step: Any) -> None:  # noqa: N802
            event, after = self.gun.event, step.GetPostStepPoint()
            start, end = step.GetPreStepPoint().GetPosition().z, after.GetPosition().z
            low, high = sorted((start / g4.mm + DEEP / 2, end / g4.mm + DEEP / 2))
            deposit = step.GetTotalEnergyDeposit() / g4.MeV
            particle = step.GetTrack()
            if deposit > 0:
                charge = min(round(particle.GetDefinition().GetPDGCharge() / g4.eplus), CHARGES - 1)
                places = np.arange(int(low / BIN), min(int(high / BIN), len(EDGES) - 2) + 1)
                inside = np.clip(EDGES[places + 1], low, high) - np.clip(EDGES[places], low, high)
                share = inside / inside.sum() if inside.sum() > 0 else np.full(len(places), 1 / len(places))
                self.dose[group_of[event], charge, places] += deposit * share
                self.deposited[event] += deposit
            kinetic = after.GetKineticEnergy() / g4.MeV
            if after.GetStepStatus() == g4.fWorldBoundary:
                self.escaped[event] += kinetic
            if particle.GetTrackID() == 1:
                if math.isnan(self.steps[event][0][1]):
                    self.steps[event] = [(low, step.GetPreStepPoint().GetKineticEnergy() / g4.MeV)]
                self.steps[event].append((high, kinetic))

    class Actions(g4.G4VUserActionInitialization):
        """Gun and score."""

        def Build(self) -> None:  # noqa: N802
            self.gun = Gun()
            self.score = Score(self.gun)
            self.SetUserAction(self.gun)
            self.SetUserAction(self.score)

        def BuildForMaster(self) -> None:  # noqa: N802
            """No threads."""

    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    parts: list[Any] = []
    for make in (Water, Physics, Actions):  # each after the one before has been handed over
        parts.append(make())
        manager.SetUserInitialization(parts[-1])
    manager.Initialize()
    g4.G4Random.setTheSeed(int(job["seed"]))
    manager.BeamOn(events)
    score, middles = parts[-1].score, (EDGES[1:] + EDGES[:-1]) / 2
    kinetic = [np.interp(middles, *np.array(one).T, right=0.0) for one in score.steps] if job["follow"] else []
    return {
        "dose": score.dose, "deposited": score.deposited, "escaped": score.escaped, "kinetic": np.array(kinetic),
    }  # fmt: skip


def in_geant4(job: dict[str, Any]) -> dict[str, np.ndarray]:
    """``track`` in a process of its own: there can be one Geant4 in each."""
    from cloudchamber.data.geant4_data import home_made_tables
    from cloudchamber.simulators.hadronic.geant4_tables import geant4_environment

    variables, _ = geant4_environment(os.environ, home_made_tables().absolute())
    with TemporaryDirectory() as scratch:
        question, answer = Path(scratch) / "question.npz", Path(scratch) / "answer.npz"
        np.savez(question, **job)
        words = [sys.executable, __file__, "--child", str(question), str(answer)]
        done = subprocess.run(words, env={**os.environ, **variables}, capture_output=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            raise SystemExit(f"Geant4 ended: {said[-1] if said else done.returncode}")
        with np.load(answer) as found:
            return dict(found)


# --- the whole --------------------------------------------------------------------------------------------------------


def dose(generator: Any, trained: Range, number: int, seed: int, ions: int = 200) -> dict[str, Any]:
    """Everything that OUTPUT.json says; doses in MeV per mm and incident ion, by bins of depth.

    Args:
        generator: of a run.
        trained: range of its training.
        number: of reactions.
        seed: of all that is random.
        ions: that show how carbon loses energy.
    """
    from cloudchamber.simulators.transport.masses import nuclear_mass

    mass = float(nuclear_mass(6, 12))
    start = math.sqrt((mass + 12 * BEAM) ** 2 - mass**2)
    zeros = np.zeros(ions)
    beam = in_geant4({
        "event": np.arange(ions), "A": zeros + 12, "Z": zeros + 6, "depth": zeros,
        "momentum": np.tile([0.0, 0, start], (ions, 1)), "events": ions, "seed": seed, "follow": True,
    })  # fmt: skip
    energy = beam["kinetic"].mean(axis=0) / 12
    oxygen, hydrogen = reaction_rates(energy)
    alive = survival(oxygen)
    rng = np.random.default_rng(seed)
    # depths by the inverse of the cumulative distribution, one in each of equal strata
    strata = (np.arange(number) + rng.random(number)) / number
    depth = np.interp(strata * (1 - alive[-1]), 1 - alive, EDGES)
    rng.shuffle(depth)  # groups of reactions are alike
    at = np.interp(depth, (EDGES[1:] + EDGES[:-1]) / 2, energy, left=BEAM).clip(min=LEAST)
    made = reactions_of(generator, trained, depth, at, seed)
    massive = made.A > 0
    tracked = in_geant4({
        "event": made.event[massive], "A": made.A[massive], "Z": made.Z[massive], "momentum": made.momentum[massive],
        "depth": depth[made.event[massive]], "events": number, "seed": seed + 1, "follow": False,
    })  # fmt: skip
    reacting = float(1 - alive[-1])
    without = beam["dose"].sum(axis=(0, 1)) / ions / BIN
    surviving = without * (alive[1:] + alive[:-1]) / 2
    by_group = tracked["dose"] * GROUPS / number / BIN * reacting
    photons = np.bincount(made.event[~massive], made.total[~massive], number)
    kept = tracked["deposited"] + tracked["escaped"] + photons
    used = EDGES[1:] <= 60
    return {
        "beam_MeV_per_nucleon": BEAM, "reactions": number, "seed": seed, "ions": ions,
        "depth_mm": ((EDGES[1:] + EDGES[:-1]) / 2)[used].round(3).tolist(),
        "carbon_MeV_per_nucleon": energy[used].round(4).tolist(),
        "without_reactions": without[used].tolist(), "surviving_carbon": surviving[used].tolist(),
        "fragments_by_charge": by_group.mean(axis=0)[:, used].tolist(),
        "fragments_error": (by_group.sum(axis=1).std(axis=0, ddof=1) / math.sqrt(GROUPS))[used].tolist(),
        "reacting_with_oxygen": reacting,
        "would_react_with_hydrogen": float(1 - survival(hydrogen)[-1]),
        "below_the_training": float((at < trained[0]).mean()), "above_the_training": float((at > trained[1]).mean()),
        "drawn_again": {"untouched": made.again[0], "energy_does_not_fit": made.again[1]},
        "balance_MeV_per_ion": {
            "carbon": 12 * BEAM, "deposited by surviving carbon": float(surviving.sum() * BIN),
            "carried into reactions": reacting * 12 * float(at.mean()),
            "Q values": reacting * float(made.q_value.mean()),
            "deposited by fragments": reacting * float(tracked["deposited"].mean()),
            "escaped neutrons and fragments": reacting * float(tracked["escaped"].mean()),
            "escaped photons": reacting * float(photons.mean()),
            "missing of a reaction, at most": float(np.abs(12 * at + made.q_value - kept).max()),
        },
    }  # fmt: skip


def draw(found: dict[str, Any], output: Path) -> None:
    """Dose against depth, and what is left by nuclei of each charge."""
    from cloudchamber.report.style import GREY, INK, PETROFF, grid, house_style

    depth = np.array(found["depth_mm"])
    shown = depth < 25
    without, surviving = (NANOGRAY * np.array(found[name]) for name in ("without_reactions", "surviving_carbon"))
    charges = NANOGRAY * np.array(found["fragments_by_charge"])
    fragments, coarse = charges.sum(axis=0), shown.nonzero()[0].reshape(-1, 5)
    with house_style():
        drawing, (whole, parts) = grid(2, 2, 3.4)
        whole.plot(depth[shown], (surviving + fragments)[shown], color=INK, label="with fragmentation")
        whole.plot(depth[shown], without[shown], color=GREY, linestyle="--", label="without nuclear reactions")
        whole.plot(depth[shown], fragments[shown], color=PETROFF[1], linestyle=":", label="fragments alone")
        styles = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
        for place, name in enumerate(("H", "He", "Li", "Be", "B", "C")):
            mean = charges[place + 1][coarse].mean(axis=1)
            parts.plot(depth[coarse].mean(axis=1), mean, color=PETROFF[place], linestyle=styles[place], label=name)
        heavy = charges[7:].sum(axis=0)[coarse].mean(axis=1)
        parts.plot(depth[coarse].mean(axis=1), heavy, color=INK, linewidth=0.8, label="N, O and more")
        whole.set_title(f"carbon, {found['beam_MeV_per_nucleon']:g} MeV per nucleon")
        parts.set_title("fragments, by their charge")
        for axes, low in ((whole, 0.1), (parts, 1e-3)):
            axes.set_yscale("log")
            axes.set_ylim(low, None)
            axes.set_xlabel("depth in water [mm]")
            axes.set_ylabel("dose per fluence [nGy cm$^2$]")
        for axes, columns in ((whole, 1), (parts, 3)):
            axes.set_ylim(None, 40 * axes.get_ylim()[1])  # room for the legend
            axes.legend(loc="upper right", ncols=columns)
        drawing.savefig(output, dpi=200)


def learned(place: str) -> tuple[Any, Range]:
    """The generator of a run's headline number, and the range of its training."""
    from cloudchamber.experiments.transport_mixture import channels_of
    from cloudchamber.run_directory import open_run, restored
    from cloudchamber.shipped import run_or_model

    run = open_run(run_or_model(Path(place)))
    name = run.study.headline[0]
    energies = [one.energy for one in channels_of(run.config)]
    return restored(run, "cpu", name)[name], (min(energies), max(energies), run.config.highest_impact_parameter)


def say(found: dict[str, Any]) -> None:
    """The main numbers."""
    with_reactions = np.array(found["surviving_carbon"]) + np.sum(found["fragments_by_charge"], axis=0)
    peak = int(np.argmax(found["without_reactions"]))
    behind = np.array(found["depth_mm"]) > found["depth_mm"][peak] + 1
    print(f"Bragg peak at {found['depth_mm'][peak]:.2f} mm; there {with_reactions[peak]:.1f} MeV/mm with reactions,")
    print(f"  {found['without_reactions'][peak]:.1f} without; at the surface {with_reactions[0]:.2f}")
    print(f"behind the peak (from 1 mm on): {BIN * with_reactions[behind].sum():.3f} MeV an ion")
    print(f"reacting with oxygen: {found['reacting_with_oxygen']:.4f} of all ions")
    print(f"  with hydrogen, left out: {found['would_react_with_hydrogen']:.4f}")
    low, again = found["below_the_training"], found["drawn_again"]
    print(f"reactions below the energies of the training, stretched: {low:.3f} of all")
    print(f"drawn again: {again['untouched']} untouched, {again['energy_does_not_fit']} that need more energy")
    print("balance, MeV an ion:")
    for name, value in found["balance_MeV_per_ion"].items():
        print(f"  {name:34s} {value:9.3f}")


def main() -> None:
    words = sys.argv[1:]
    if len(words) == 3 and words[0] == "--child":
        with np.load(words[1]) as job:
            answer = track(dict(job))
        np.savez(words[2], **answer)
        os._exit(0)  # before Python deletes what Geant4 has deleted
    if not 1 <= len(words) <= 4:
        sys.exit("usage: python dose_in_water.py RUN [REACTIONS [SEED [OUTPUT]]]")
    from cloudchamber.schema import BadInput

    number, seed, output = [*words[1:], *("2000", "1", "dose_in_water")[len(words) - 1 :]]
    try:
        found = dose(*learned(words[0]), int(number), int(seed))
    except BadInput as error:
        sys.exit(str(error))
    say(found)
    Path(f"{output}.json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, Path(f"{output}.png"))
    print(f"{output}.json, {output}.png")


if __name__ == "__main__":
    main()
