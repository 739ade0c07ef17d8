"""An emulator of nuclear collisions: the final state of Boltzmann-Langevin transport in a millisecond.

After C. Mancini-Terracciano, "Emulating BLOB with Deep Learning" (talk, 2021) and A. Ciardiello et al., Phys. Med. 73
(2020) 65: 12C on 12C at 62 MeV per nucleon, uniform in the impact parameter, by a variational autoencoder whose latent
space also predicts the impact parameter. Beside it stand one on graphs and flow matching (arXiv:2210.02747) that
conserves A, Z, momentum and energy, with energy and nuclei as further conditions.

Conventions: common rest frame, the beam along z; MeV, MeV/c, fm; see ``experiments.transport_emulator``.
"""

from __future__ import annotations

from cloudchamber.data.collisions import collision_writer, joined
from cloudchamber.experiments import transport_emulator as emulator
from cloudchamber.experiments.transport import LENGTHS, SCHEMA
from cloudchamber.experiments.transport_emulator import EmulatorConfig
from cloudchamber.experiments.transport_mixture import simulate
from cloudchamber.study import GeneratorStudy, late

EXPLANATIONS = "cloudchamber.experiments.emulator_explanations"

TINY = EmulatorConfig(
    records=64, test_particles=20, freeze_out_time=20.0, share=5, energies=(45.0, 95.0), systems=("C12+O16",),
    width=8, pooled=8, layers=1, count_width=8, steps=2, count_epochs=2, epochs=2, vae_epochs=1, graph_epochs=1,
    asked=30,
)  # fmt: skip
QUICK = EmulatorConfig(records=160, count_epochs=100, epochs=60, vae_epochs=40, graph_epochs=40)
STANDARD = EmulatorConfig(records=2720)
PAPER = EmulatorConfig(records=20_000, width=128, pooled=64, layers=4, count_width=128, epochs=100, vae_epochs=100)

study = GeneratorStudy(
    name="transport-emulator",
    title="Nuclear collisions in a millisecond: an emulator of Boltzmann-Langevin transport",
    question="Can a network stand in for a transport code of seconds an event, at energies it was never shown?",
    reference="doi:10.1016/j.ejmp.2020.04.005, arXiv:1610.02415, arXiv:2210.02747",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    schema=SCHEMA,
    lengths=lambda config: LENGTHS,
    records_per_chunk=10,
    simulate=simulate,
    held_out=0.2,
    events=emulator.events,
    joined=joined,
    condition=emulator.condition,
    outside=emulator.outside,
    fitting=emulator.fitting,
    wanted=emulator.wanted,
    generators=emulator.generators,
    rows=emulator.rows,
    read=emulator.read,
    writer=collision_writer,
    gallery=late(f"{EXPLANATIONS}:gallery"),
    explanations={
        "latent": late(f"{EXPLANATIONS}:latent"),
        "reconstruction": late(f"{EXPLANATIONS}:reconstruction"),
        "conditions": late(f"{EXPLANATIONS}:conditions"),
        "cost": late(f"{EXPLANATIONS}:cost"),
    },
    headline=("flow", "all", "mean_w1_over_sigma"),
    sections=emulator.sections,
    citation=(
        "A. Ciardiello et al., Preliminary results in using Deep Learning to emulate BLOB, a nuclear interaction model,"
        " Phys. Med. 73 (2020) 65"
    ),
)
