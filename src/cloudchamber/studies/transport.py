"""Is our Boltzmann-Langevin transport right? Conservation laws, analytic limits and measured fragments.

Colonna et al., NPA 642 (1998) 449 and Napolitani and Colonna, PLB 726 (2013) 382 (the model); Zhang et al., PRC 97
(2018) 034625 and Colonna et al., PRC 104 (2021) 024603 (what transport codes are compared with); De Napoli et al.,
Phys. Med. Biol. 57 (2012) 7651 (12C + C at 62 MeV per nucleon). A record is an event.
"""

from __future__ import annotations

from typing import Any

from cloudchamber.experiments.transport import LENGTHS, SCHEMA, simulate
from cloudchamber.experiments.transport_checks import AVERAGE, CENTRAL, ENERGIES, LANGEVIN, ValidationConfig
from cloudchamber.study import Check, Probe, ValidationStudy, late

CHECKS, LIMITS = "cloudchamber.experiments.transport_checks", "cloudchamber.experiments.transport_limits"

TINY = ValidationConfig(
    records=4, test_particles=20, freeze_out_time=40.0, repetitions=2, average_records=2, central_records=4,
    energy_records=4, freeze_out_records=2, nuclei=("C12",), blocking_nuclei=1, box_test_particles=10, cost_events=1,
)  # fmt: skip
QUICK = ValidationConfig(
    records=60, average_records=10, central_records=10, energy_records=10, freeze_out_records=4,
    nuclei=("He4", "C12", "Ca40"), blocking_nuclei=4, box_test_particles=50, cost_events=1,
)  # fmt: skip
STANDARD = ValidationConfig(
    records=800, average_records=100, central_records=40, energy_records=40, freeze_out_records=12
)
PAPER = ValidationConfig(records=2000, average_records=500, central_records=200, energy_records=500)


def only(change: dict[str, Any], records: str, title: str) -> Probe:
    """Events with some settings changed, as many as the setting ``records`` says."""

    def number(config: ValidationConfig) -> int:
        return int(getattr(config, records))

    def changed(config: ValidationConfig) -> ValidationConfig:
        return config.changed(change)

    return Probe(title, changed, number)


def central(mode: str) -> Probe:
    """Events of a mode at one impact parameter."""
    at = {"lowest_impact_parameter": CENTRAL, "highest_impact_parameter": CENTRAL}
    return only({"mode": mode} | at, "central_records", f"{mode} at b = {CENTRAL:g} fm")


study = ValidationStudy(
    name="transport",
    title="Boltzmann-Langevin transport of nuclear collisions, validated",
    question="Does an open transport code of seconds an event obey the laws, and see the fragments that were measured?",
    reference="doi:10.1016/j.physletb.2013.08.045, arXiv:1705.08268, doi:10.1088/0031-9155/57/22/7651",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    schema=SCHEMA,
    lengths=lambda config: LENGTHS,
    records_per_chunk=10,
    simulate=simulate,
    gallery=late("cloudchamber.experiments.transport_gallery:gallery"),
    probes={
        "average": only({"mode": AVERAGE}, "average_records", "average mode (BUU)"),
        f"central-{LANGEVIN}": central(LANGEVIN),
        f"central-{AVERAGE}": central(AVERAGE),
        **{
            f"energy-{energy:g}": only({"energy": energy}, "energy_records", f"{energy:g} MeV per nucleon")
            for energy in ENERGIES
        },
    },
    subjects={
        LANGEVIN: "Boltzmann-Langevin",
        AVERAGE: "average (BUU)",
        "rounded": "whole nuclei",
        "measured": "measured",
        "analytic": "analytic",
        "kox": "Kox et al.",
        "tripathi": "Tripathi et al.",
    },
    checks={
        "conservation": Check("conservation laws", late(f"{CHECKS}:conservation")),
        "ground-states": Check("ground states", late(f"{LIMITS}:ground_states")),
        "box-collisions": Check("collisions in a box", late(f"{LIMITS}:box_collisions")),
        "box-wave": Check("a standing wave in a box", late(f"{LIMITS}:box_wave")),
        "occupation": Check("fluctuations of the occupation", late(f"{LIMITS}:occupation")),
        "spread": Check("fluctuations of the largest fragment", late(f"{CHECKS}:spread")),
        "symmetry": Check("symmetry of projectile and target", late(f"{CHECKS}:symmetry")),
        "freeze-out": Check("freeze-out time and density cut", late(f"{LIMITS}:freeze_out")),
        "reaction": Check("reaction cross section", late(f"{CHECKS}:reaction")),
        "data": Check("measured fragments", late(f"{CHECKS}:measured_data")),
        "cost": Check("cost", late(f"{LIMITS}:cost")),
    },
    sections=late("cloudchamber.report.transport:transport_sections"),
    headline=(LANGEVIN, "all", "mean_abs_log_ratio"),
    citation="The cloudchamber developers; the model: P. Napolitani and M. Colonna, Phys. Lett. B 726 (2013) 382",
)
