"""Export of a finished run: the ensemble of a study of predictors, the generator of a study of generators."""

from __future__ import annotations

from pathlib import Path

from cloudchamber.experiments.transport_mixture import MixtureConfig
from cloudchamber.export.collision_generator import export_collision_generator
from cloudchamber.export.ensemble import export_ensemble
from cloudchamber.export.hadronic_generator import export_generator
from cloudchamber.run_directory import open_run
from cloudchamber.study import GeneratorStudy


def export_run(path: Path, output: Path) -> Path:
    """Write the network behind the headline number of a finished run to ``output``.

    Raises:
        BadInput: no finished run, a network that cannot be exported, a missing extra, a directory that exists, or files
            that do not say what PyTorch says.
    """
    run = open_run(path)
    if not isinstance(run.study, GeneratorStudy):
        return export_ensemble(run, output)
    if isinstance(run.config, MixtureConfig):
        return export_collision_generator(run, output)
    return export_generator(run, output)
