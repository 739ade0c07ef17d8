"""Geant4's own ion models against the fragments measured in 12C + C at 62 MeV per nucleon, scored like ours.

    python benchmarks/carbon_fragments_geant4.py [--events 30000] [--seconds 420] [--seed 1] [--model BIC ...]

12C of 744 MeV meets 12C; what leaves its first inelastic interaction is scored by ``metrics.fragment_cross_sections``,
as the study that validates the transport simulator does. Nothing but the ion model acts on the beam, so that every
reaction has the full energy. All reactions together stand for Geant4's own cross section (Glauber and Gribov): the
first random number u of an event makes the length L = -ln(u) / (n sigma) of its step, which gives sigma exactly.

Models (one core each, in a process of its own; at most ``--events`` reactions or ``--seconds`` of processor time):
BIC is the default (``G4BinaryLightIonReaction``, by ``G4IonPhysics``, as in QGSP_BIC and FTFP_BERT), INCL++ is that of
``G4IonINCLXXPhysics``, LightIonQMD that of the list ShieldingLIQMD (its constructor is not bound: the list lends it).
The classical ``G4QMDReaction`` cannot be had at this energy: ``G4IonQMDPhysics`` gives all below 100 MeV per nucleon to
BIC, and its limit is not bound; that its products are those of BIC, number by number, is checked.

Data: Geant4's official data sets are used where the environment names them. Else, as they are not in the wheel:
the levels of nuclei up to A = 16, of which Geant4's Fermi break-up is made, are those of ``simulators.transport`` (TUNL
and RIPL-3: narrower than 2 MeV, with a spin; bound ones decay to the ground state), and INCL++ has its compiled radii
instead of the table of Hartree-Fock radii. "BIC, no levels" shows how much hangs on them. De-excitation is Geant4's
default: sequential binary Fermi break-up, else evaporation.

Writes ``results/transport/geant4.json`` and prints a table: cross sections over the measured angles [mb], reduced chi2,
mean of ln(simulated / measured) and of its absolute value, each with its error.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cloudchamber.data.files import write_json
from cloudchamber.data.geant4_data import home_made_tables
from cloudchamber.data.measured_fragments import CITATION, carbon_62mev
from cloudchamber.metrics.fragment_cross_sections import (
    ALL,
    Products,
    agreement,
    measured_integral,
    simulated_integrals,
)
from cloudchamber.metrics.measured import Measured
from cloudchamber.run_directory import hardware
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.geant4_tables import geant4_environment
from cloudchamber.simulators.transport.levels import WITH_RESONANCES, Level

PHYSICS = {
    "BIC": "G4IonPhysics",
    "INCL++": "G4IonINCLXXPhysics",
    "LightIonQMD": "ShieldingLIQMD",
    "BIC, no levels": "G4IonPhysics",
    "QMD": "G4IonQMDPhysics",
}
"""Physics constructor, or reference physics list, of each model."""

DEFAULT, INCL, BARE, CLASSICAL = "BIC", "INCL++", "BIC, no levels", "QMD"
CHECKED = 1000
"""Reactions of G4IonQMDPhysics that are compared with those of BIC."""
BATCH = 100
"""Reactions between two looks at the clock."""
DENSITY, EDGE = 5.0, 2e6
"""Of the target [g/cm3], and half the length of its edges [m]: millions of interaction lengths."""
PARITY = {
    (3, 1): "+", (3, 2): "+", (4, 2): "+", (5, 2): "-+", (6, 2): "++", (7, 2): "--", (8, 2): "++--", (10, 2): "++-",
    (5, 3): "-+", (6, 3): "++++++", (7, 3): "--------", (8, 3): "++++++++", (9, 3): "--+", (11, 3): "-", (6, 4): "++",
    (7, 4): "-------", (8, 4): "++++++-++-+", (9, 4): "-+--++--+-------+--+-++", (10, 4): "+++-+--+-+--+------",
    (11, 4): "+-+----+++----", (12, 4): "+++--+--+++", (14, 4): "+", (7, 5): "-", (8, 5): "+++",
    (9, 5): "-+-++-++--++++", (10, 5): "++++++-++++---+-+-++---+-+--", (11, 5): "-----+++--+++--++++-++--+++",
    (12, 5): "++--+-+---++-+-------------------+++", (13, 5): "-", (14, 5): "---", (15, 5): "-", (8, 6): "+",
    (9, 6): "-", (10, 6): "+++", (11, 6): "----+-++--++---++++++-+++", (12, 6): "+++-+--++-++++--++-----+---++",
    (13, 6): "-+-++-++--+--+-+++-+-----+----+--", (14, 6): "+-+--+-+--++-------+++", (15, 6): "++++---+",
    (16, 6): "++++++", (11, 7): "+-+--", (12, 7): "+--+-+--+---------", (13, 7): "-+-++++-+-+-+--+-+++-+-+++-+-+",
    (14, 7): "+++----+++---+--++++--++-+-+-++---++---+----++--+----+-++--+++++--++-+--++-++-+-+-+---+-+-",
    (15, 7): "-++-++++++-+----++---+++--+-+++-+++-+-++++++++++++-++-++++++", (16, 7): "----", (12, 8): "+++",
    (13, 8): "-", (14, 8): "+--++", (15, 8): "-++-++++++++-+----+-+++-+--+--+++-+++++++", (16, 8): "++-+-",
}  # fmt: skip
"""Of each level that ``simulators.transport`` has of a nucleus (A, Z): RIPL-3 (5He, 5Li: TUNL); + if not known."""
OUTPUT = Path(__file__).parents[1] / "results" / "transport" / "geant4.json"


# --- data sets --------------------------------------------------------------------------------------------------------


def environment(model: str, directory: Path) -> tuple[dict[str, str], str]:
    """The variables of Geant4 for a model, and which data it has; tables of ours go into ``directory``."""
    tables = home_made_tables().absolute()
    variables, label = geant4_environment(os.environ, tables)
    missing = {name for name, place in variables.items() if Path(place).is_relative_to(tables)}
    if model == BARE or "G4LEVELGAMMADATA" in missing:
        levels = directory / "levels"
        levels.mkdir()
        variables["G4LEVELGAMMADATA"] = str(levels)
        label += ", no levels" if model == BARE else ", levels of TUNL and RIPL-3"
        if model != BARE:
            write_levels(levels)
    if model == INCL and "G4INCLDATA" in missing:
        # no nucleus has a radius here: INCL++ falls back on what is compiled in
        (directory / "table_radius_hfb.dat").write_text("0 0 -1 -1 -1 -1\n")
        variables["G4INCLDATA"] = str(directory)
        label += ", compiled radii"
    return variables, label


def write_levels(directory: Path) -> None:
    """Levels as Geant4 reads them: number, energy [keV], half life [s], spin with the sign of parity, transitions."""
    nuclei: dict[tuple[int, int], list[Level]] = {}
    for level in WITH_RESONANCES:
        nuclei.setdefault((level.A, level.Z), []).append(level)
    for nucleus, signs in PARITY.items():
        lines = []
        for number, (level, sign) in enumerate(zip(nuclei[nucleus], signs, strict=True)):
            # a stable one, one that emits a photon, one that breaks up: only their order against 1 ns matters
            half_life = 1e-21 if level.resonance or level.products else 1e-14 if number else -1.0
            energy, spin = f"{1e3 * level.energy:.3f}", f"{sign}{(level.degeneracy - 1) / 2:g}"
            lines.append(f"{number} - {energy} {half_life:g} {spin} {min(number, 1)}")
            if number:
                lines.append(f"0 {energy} 100 2 0 0")
        (directory / f"z{nucleus[1]}.a{nucleus[0]}").write_text("\n".join(lines) + "\n")


# --- the process of a model -------------------------------------------------------------------------------------------


def react(model: str, events: int, seconds: float, seed: int, path: Path) -> None:
    """Run a model in this process and write its products; one function, as classes can only be derived from Geant4's
    once that is imported."""
    import geant4_pybind as g4

    class Target(g4.G4VUserDetectorConstruction):
        """A huge cube of 12C."""

        def Construct(self) -> Any:  # noqa: N802
            isotope = g4.G4Isotope("C12", 6, 12, 12 * g4.g / g4.mole)
            element = g4.G4Element("C12", "C", 1)
            element.AddIsotope(isotope, 1.0)
            self.material = g4.G4Material("C12", DENSITY * g4.g / g4.cm3, 1)
            self.material.AddElement(element, 1)
            box = g4.G4Box("World", EDGE * g4.m, EDGE * g4.m, EDGE * g4.m)
            volume = g4.G4LogicalVolume(box, self.material, "World")
            world = g4.G4PVPlacement(None, g4.G4ThreeVector(), volume, "World", None, False, 0, False)
            self.kept = [isotope, element, box, volume, world]  # Geant4 owns nothing that Python made
            return world

    class Physics(g4.G4VModularPhysicsList):
        """Decays, without which Geant4 fails, and the ion model."""

        def __init__(self) -> None:
            super().__init__()
            self.decay = g4.G4DecayPhysics()
            self.RegisterPhysics(self.decay)
            if hasattr(g4, PHYSICS[model]):
                self.ions = getattr(g4, PHYSICS[model])()
            else:
                self.lists = g4.G4PhysListFactory()
                self.lender = self.lists.GetReferencePhysList(PHYSICS[model])
                parts = map(self.lender.GetPhysics, itertools.count())
                self.ions = next(part for part in parts if part.GetPhysicsName() == model)

        def ConstructParticle(self) -> None:  # noqa: N802
            super().ConstructParticle()
            self.ions.ConstructParticle()

        def ConstructProcess(self) -> None:  # noqa: N802
            super().ConstructProcess()
            self.ions.ConstructProcess()

    class Gun(g4.G4VUserPrimaryGeneratorAction):
        """The beam along z."""

        def __init__(self) -> None:
            super().__init__()
            self.gun: Any = None

        def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
            if self.gun is None:  # ions can be made only now
                (A, Z), energy = carbon_62mev().projectile, carbon_62mev().energy
                self.gun = g4.G4ParticleGun(1)
                self.gun.SetParticleDefinition(g4.G4IonTable.GetIonTable().GetIon(Z, A, 0.0))
                self.gun.SetParticleCharge(Z * g4.eplus)
                self.gun.SetParticleEnergy(A * energy * g4.MeV)
                self.gun.SetParticlePosition(g4.G4ThreeVector())
                self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(0, 0, 1))
            self.gun.GeneratePrimaryVertex(event)

    class FirstStep(g4.G4UserSteppingAction):
        """Takes down what leaves the first interaction."""

        def __init__(self) -> None:
            super().__init__()
            self.rows: list[tuple[float, ...]] = []
            self.event, self.length = -1, 0.0

        def UserSteppingAction(self, step: Any) -> None:  # noqa: N802
            track = step.GetTrack()
            process = step.GetPostStepPoint().GetProcessDefinedStep().GetProcessName()
            if process != "ionInelastic":
                raise SystemExit(f"{process} instead of a reaction")
            self.event, self.length = self.event + 1, step.GetStepLength()
            leaving = list(step.GetSecondaryInCurrentStep())
            if track.GetTrackStatus() == g4.fAlive:  # the model found no final state
                leaving.append(track)
            for one in leaving:
                p, code = one.GetMomentum(), one.GetDefinition().GetPDGEncoding()
                self.rows.append((self.event, code, one.GetKineticEnergy(), p.x, p.y, p.z))
            track.SetTrackStatus(g4.fKillTrackAndSecondaries)

    class Actions(g4.G4VUserActionInitialization):
        """Gun and first step; they may exist only after the physics."""

        def Build(self) -> None:  # noqa: N802
            self.gun, self.first_step = Gun(), FirstStep()
            self.SetUserAction(self.gun)
            self.SetUserAction(self.first_step)

        def BuildForMaster(self) -> None:  # noqa: N802
            """No threads."""

    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    parts: list[Any] = []
    for make in (Target, Physics, Actions):  # each after the one before has been handed over
        parts.append(make())
        manager.SetUserInitialization(parts[-1])
    manager.Initialize()
    target, first_step = parts[0], parts[-1].first_step

    sigma = []
    for number in (seed, seed + 1):
        g4.G4Random.setTheSeed(number)
        u = g4.G4UniformRand()
        g4.G4Random.setTheSeed(number)
        manager.BeamOn(1)
        atoms = target.material.GetTotNbOfAtomsPerVolume()
        sigma.append(-math.log(u) / (atoms * first_step.length) / g4.millibarn)
    if not math.isclose(*sigma, rel_tol=1e-9):
        raise SystemExit(f"cross sections {sigma} mb of two seeds differ: the first random number is used elsewhere")

    first_step.rows, first_step.event = [], -1
    g4.G4Random.setTheSeed(seed)
    start = time.process_time()
    while first_step.event + 1 < events and time.process_time() - start < seconds:
        manager.BeamOn(min(BATCH, events - first_step.event - 1))
    used = time.process_time() - start
    release = str(g4.G4Version).strip("$ ").removeprefix("Name: ")
    np.savez(
        path, rows=np.array(first_step.rows), events=first_step.event + 1, sigma=sigma[0], seconds=used, release=release
    )


def simulated(model: str, events: int, seconds: float, seed: int) -> dict[str, Any]:
    """What ``react`` finds in a process of its own, and which data it had; that Geant4 fails is BadInput."""
    with tempfile.TemporaryDirectory() as scratch:
        variables, label = environment(model, Path(scratch))
        path = Path(scratch) / "products.npz"
        command = [sys.executable, str(Path(__file__).absolute()), "--events", str(events), "--seconds", str(seconds)]
        command += ["--seed", str(seed), "--model", model, "--products", str(path)]
        ended = subprocess.run(
            command, cwd=scratch, env={**os.environ, **variables}, check=False, capture_output=True, text=True,
            errors="replace",
        )  # fmt: skip
        if not path.exists():
            told = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip(" -*=")]
            raise BadInput(f"{model} ended with {ended.returncode}: {told[-1].strip() if told else 'no message'}")
        with np.load(path) as arrays:
            return {**arrays, "data": label}


# --- scores -----------------------------------------------------------------------------------------------------------


def products_of(found: dict[str, Any]) -> Products:
    """Nuclei that left, each reaction with its share of the cross section."""
    code = found["rows"][:, 1].astype(np.int64)
    ion = code > 1_000_000_000  # 10LZZZAAAI
    Z = np.where(ion, code // 10_000 % 1000, code == 2212)
    A = np.where(ion, code // 10 % 1000, (code == 2212) | (code == 2112))
    kept = A > 0
    events = int(found["events"])
    return Products(
        A[kept], Z[kept], found["rows"][kept, 3:], found["rows"][kept, 2], found["rows"][kept, 0].astype(np.int64),
        np.full(events, float(found["sigma"]) / events),
    )  # fmt: skip


def unchanged(products: Products) -> float:
    """Fraction of the reactions that leave 12C alone (mostly those for which the model found no final state)."""
    carbon = (products.mass_number == 12) & (products.charge == 6)
    n = len(products.weight)
    left = np.bincount(products.event[carbon], minlength=n)
    alone = np.bincount(products.event, minlength=n) == left
    return float((alone & (left > 0)).mean())


def pair(number: Measured) -> dict[str, float]:
    """A number as it is written."""
    return {"value": number.value, "error": number.error}


def scored(model: str, products: Products, seed: int) -> Iterator[dict[str, Any]]:
    """A row an isotope, and one of all points together."""
    rng = np.random.default_rng(seed)
    angular = carbon_62mev().angular
    integrals = simulated_integrals(products, angular, rng)
    for isotope, one in agreement(products, angular, rng).items():
        row: dict[str, Any] = {"model": model, "isotope": isotope}
        if isotope != ALL:
            row["cross_section"] = pair(integrals[isotope])
        row |= {
            "reduced_chi2": pair(one.reduced_chi2), "mean_log_ratio": pair(one.log_ratio),
            "mean_abs_log_ratio": pair(one.absolute_log_ratio), "points": one.reduced_chi2.n, "empty": one.empty,
        }  # fmt: skip
        yield row


def show(measured: dict[str, Measured], rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    head = (
        "model",
        "isotope",
        "cross section [mb]",
        "measured",
        "chi2/n",
        "mean log ratio",
        "mean |log ratio|",
        "empty",
    )
    widths = (15, 7, 18, 12, 15, 16, 16, 5)
    print("  ".join(f"{name:>{width}}" for name, width in zip(head, widths, strict=True)))
    for row in rows:
        data = measured.get(row["isotope"])
        cells = [row["model"], row["isotope"], "", f"{data.value:.1f} ± {data.error:.1f}" if data else ""]
        if "cross_section" in row:
            cells[2] = "{value:.1f} ± {error:.1f}".format(**row["cross_section"])
        cells += ["{value:.2f} ± {error:.2f}".format(**row[name]) for name in ("reduced_chi2", "mean_log_ratio")]
        cells += ["{value:.3f} ± {error:.3f}".format(**row["mean_abs_log_ratio"]), str(row["empty"])]
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)))


def compare(models: list[str], given: argparse.Namespace) -> dict[str, Any]:
    """Every model that runs, scored."""
    rows: list[dict[str, Any]] = []
    runs: dict[str, Any] = {}
    not_run: dict[str, str] = {}
    found = {}
    for model in models:
        wanted = min(CHECKED, given.events) if model == CLASSICAL else given.events
        try:
            found[model] = simulated(model, wanted, given.seconds, given.seed)
        except BadInput as error:
            not_run[model] = str(error)
            continue
        if model == CLASSICAL and DEFAULT in found:
            default = found[DEFAULT]["rows"]
            if np.array_equal(found[model]["rows"], default[default[:, 0] < wanted]):
                not_run[model] = f"below 100 MeV per nucleon it is BIC: {wanted} reactions equal, number by number"
                continue
        products, one = products_of(found[model]), found[model]
        rows += scored(model, products, given.seed)
        runs[model] = {
            "physics": PHYSICS[model], "geant4": str(one["release"]), "data": one["data"],
            "reaction_cross_section_mb": float(one["sigma"]), "reactions": int(one["events"]),
            "unchanged_nuclei": unchanged(products), "cpu_seconds_per_reaction": float(one["seconds"] / one["events"]),
        }  # fmt: skip
    return {"runs": runs, "not_run": not_run, "rows": rows}


def main() -> None:
    """Simulate, score, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=30_000, help="reactions of each model")
    parser.add_argument("--seconds", type=float, default=420.0, help="processor time of each model at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", action="append", choices=PHYSICS, help="default: all")
    parser.add_argument("--products", type=Path, help="run the model in this process and write what leaves, unscored")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    if given.products:
        react(given.model[0], given.events, given.seconds, given.seed, given.products)
        return
    measured = {isotope: measured_integral(one) for isotope, one in carbon_62mev().angular.items()}
    found = compare(given.model or list(PHYSICS), given)
    result = {
        "benchmark": "carbon_fragments_geant4", "measured_by": CITATION, "seed": given.seed,
        "versions": {name: version(name) for name in ("cloudchamber", "geant4-pybind", "numpy")},
        "command": " ".join(["python", "benchmarks/carbon_fragments_geant4.py", *sys.argv[1:]]),
        "hardware": hardware(),
        "date": datetime.now(UTC).date().isoformat(),
        "measured_mb": {isotope: pair(one) for isotope, one in measured.items()}, **found,
    }  # fmt: skip
    given.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(given.output, result)
    show(measured, found["rows"])
    for model, run in found["runs"].items():
        print(model, run)
    for model, reason in found["not_run"].items():
        print(f"{model} was not run: {reason}")


if __name__ == "__main__":
    main()
