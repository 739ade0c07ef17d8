"""What happens when a pion of 25 GeV meets a proton: complete final states, learned from Geant4.

After X. Ju, "Let Machine remember the past and simulate physics" (talk, 2022) and its line (arXiv:2310.07553; the code
of 2021 is xju2/gan4hep): pi+ with 25 GeV of kinetic energy in the direction (0.6, 0.6, 0.529) on hydrogen, physics list
FTFP_BERT_ATL, 100 000 events, of which about one in six is elastic. The published adversarial network stands beside
counts within budgets, flow matching and a projection (arXiv:2210.02747, arXiv:2301.08128).

Conventions: GeV; generators learn in the rest frame of projectile and nucleus; see ``experiments.interactions``.
"""

from __future__ import annotations

from cloudchamber.experiments import interactions
from cloudchamber.experiments.interactions import InteractionConfig

TINY = InteractionConfig(
    events=600, width=16, pooled=8, layers=2, count_width=16, steps=2, count_epochs=2, epochs=2, batch_size=64,
    gan_epochs=1, gan_width=16,
)  # fmt: skip
QUICK = InteractionConfig(
    events=24_000, width=64, pooled=32, layers=4, count_width=64, count_epochs=8, epochs=30, gan_epochs=12
)
STANDARD = InteractionConfig(events=120_000)
PAPER = InteractionConfig(
    events=1_000_000, width=256, pooled=128, layers=8, count_width=256, epochs=60, batch_size=1024, gan_epochs=200,
    gan_width=512,
)  # fmt: skip

study = interactions.study_of(
    name="hadronic-interactions",
    title="A pion of 25 GeV on hydrogen: complete final states",
    question="Can a network make whole interactions that nobody tells from Geant4's, and conserve what nature does?",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    records_per_chunk=5000,
    probes={},
    citation=(
        "X. Ju, Let Machine remember the past and simulate physics (2022); T. M. Pham, X. Ju, Simulation of Hadronic "
        "Interactions with Deep Generative Models (2023), arXiv:2310.07553"
    ),
)
