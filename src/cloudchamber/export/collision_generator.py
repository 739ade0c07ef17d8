"""A trained emulator of nuclear collisions as files for other programs: ONNX, TorchScript, and what they mean.

``CollisionFlow`` draws nothing by itself, so that its two functions of tensors, ``draw_nuclei`` and ``momenta``, leave
as they are (``export.graphs``), with free numbers of events and slots. ``metadata.txt`` tells a program in lines of
words what it must know besides: systems and energies of the training, and masses of nuclei.

Before anything is left behind, both files must say what PyTorch says, at several numbers of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cloudchamber.data.collisions import Entrance
from cloudchamber.experiments.transport_mixture import MixtureConfig, channels_of
from cloudchamber.export.collision_sampler import for_nuclei, for_slots
from cloudchamber.export.directory import OPSET, new_export, origin_of, plain, write_metadata
from cloudchamber.export.graphs import Graphs, asked, torch_calls, write_graph, written_calls
from cloudchamber.learning.collision_flow import CollisionFlowGenerator, condition_of
from cloudchamber.networks.collision_flow import CollisionFlow
from cloudchamber.run_directory import Run, restored, run_learners
from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.masses import mass_or_estimate
from cloudchamber.study import GeneratorStudy

SIZES = (1, 7, 1000)
"""Numbers of events at which the files are compared with PyTorch; the graphs are traced with another, TRACED."""
TRACED = 5
TOLERANCE = 1e-5
"""Largest difference from PyTorch: of a momentum's component in units of the event's largest momentum, of an excitation
energy E* in units of E* + 1 MeV. The flow is in single precision, of which its steps leave about 1e-6."""
CONSERVATION_TOLERANCE = 1e-9
"""Largest sum of momenta, and of energies less what there is, in units of the energy that there is."""

CONDITION = (
    "event 6",
    "float64",
    "A and Z of the projectile, A and Z of the target, kinetic energy [MeV per nucleon], impact parameter [fm]",
)
INPUTS = {
    "nuclei": {
        "condition": CONDITION,
        "uniform": ("event U", "float64", "uniform numbers from 0 to 1; U = `uniforms`"),
    },
    "momenta": {
        "condition": CONDITION,
        "A": ("event slot", "int64", "as from nuclei"),
        "Z": ("event slot", "int64", "as from nuclei"),
        "normal": ("event slot 4", "float32", "normal numbers of mean 0 and width 1"),
    },
}
OUTPUTS = {
    "nuclei": {
        "A": ("event slot", "int64", "mass numbers of fragments, then of neutrons, then of protons; 0: empty"),
        "Z": ("event slot", "int64", "charges"),
    },
    "momenta": {
        "momentum": ("event slot 3", "float64", "MeV/c in the common rest frame, projectile along z, displaced to +x"),
        "excitation": ("event slot", "float64", "excitation energies above the masses of metadata.txt [MeV]"),
        "stretch": ("event", "float64", "of all momenta, which conserves energy: 1 if it had nothing to do"),
        "solved": ("event", "bool", "whether energy is conserved; draw the event again if not"),
    },
}
GRAPHS = Graphs(INPUTS, OUTPUTS, ("event", "slot"))
RECIPE = (
    "1. condition: one row an event. uniform: U random numbers an event. Run nuclei.",
    "2. normal: random numbers for every slot that nuclei found, empty ones included. Run momenta.",
    "3. Where solved is false draw new normal numbers, twice at most, then all anew from 1.",
    "4. Drop what has A = 0. Turn the event about z by a random angle, then boost it along z.",
    "5. Let hot fragments decay: the total energy of one is sqrt((mass + excitation)^2 + momentum^2).",
    "cloudchamber.export.collision_sampler says how the examples draw, so that they agree event by event.",
)


class Nuclei(nn.Module):
    """``CollisionFlow.draw_nuclei`` as a network of its own."""

    def __init__(self, model: CollisionFlow) -> None:
        super().__init__()
        self.model = model

    def forward(self, condition: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """A and Z (event, slot), see ``OUTPUTS``."""
        return self.model.draw_nuclei(condition, uniform)


class Momenta(nn.Module):
    """``CollisionFlow.momenta`` as a network of its own."""

    def __init__(self, model: CollisionFlow) -> None:
        super().__init__()
        self.model = model

    def forward(self, condition: Tensor, A: Tensor, Z: Tensor, normal: Tensor) -> tuple[Tensor, ...]:
        """Momenta, excitation energies, stretch and solved, see ``OUTPUTS``."""
        return self.model.momenta(condition, A, Z, normal)


def export_collision_generator(run: Run[GeneratorStudy], output: Path) -> Path:
    """Export the emulator behind the headline number of a finished run.

    Args:
        run: finished.
        output: directory to make; complete when this returns, and not there if it raises.

    Returns:
        ``output``.

    Raises:
        BadInput: a run that is not finished, a study without such an emulator, a missing extra, a directory that
            exists, or files that do not say what PyTorch says.
    """
    name, config = run.study.headline[0], run.config
    if not isinstance(run_learners(run, "cpu")[name], CollisionFlowGenerator) or not isinstance(config, MixtureConfig):
        raise BadInput(f"study {run.study.name!r}: its generator {name!r} cannot be exported", status=2)
    fitted: CollisionFlowGenerator = restored(run, "cpu", name)[name]
    assert fitted.model is not None
    return write_export(fitted.model, config, {**origin_of(run), "generator": name}, output)


def write_export(model: CollisionFlow, config: MixtureConfig, about: Mapping[str, Any], output: Path) -> Path:
    """The directory of ``export_collision_generator``.

    Args:
        model: trained.
        config: of its training data.
        about: what metadata.json says of the run.
        output: directory to make.

    Returns:
        ``output``.

    Raises:
        BadInput: a missing extra, a directory that exists, or files that do not say what PyTorch says.
    """
    networks: dict[str, nn.Module] = {"nuclei": Nuclei(model), "momenta": Momenta(model)}
    with new_export(output) as partial:
        examples = numbers(model, conditions(config, TRACED, np.random.default_rng(1)), TRACED)
        for name, network in networks.items():
            write_graph(network, name, [torch.from_numpy(examples[one]) for one in INPUTS[name]], GRAPHS, partial)
        compared = [compare(networks, model, conditions(config, n, np.random.default_rng(n)), partial) for n in SIZES]
        metadata = {
            **about, **training_of(config), "uniforms": model.uniforms, "steps": model.steps, "opset": OPSET,
            "graphs": {name: {"inputs": plain(INPUTS[name]), "outputs": plain(OUTPUTS[name])} for name in networks},
            "recipe": RECIPE,
            "parity": {
                "tolerance": TOLERANCE, "conservation_tolerance": CONSERVATION_TOLERANCE, "batches": compared,
            },
        }  # fmt: skip
        write_metadata(partial, metadata)
        (partial / "metadata.txt").write_text(lines(metadata))
    return output


def conditions(config: MixtureConfig, number: int, rng: np.random.Generator) -> Entrance:
    """Conditions of the training: any of its channels, with even impact parameters.

    Args:
        config: of the training data.
        number: of events.
        rng: what is random.
    """
    channels = channels_of(config)
    chosen = [channels[place] for place in rng.integers(len(channels), size=number)]
    return Entrance(
        np.array([one.projectile for one in chosen], np.int64), np.array([one.target for one in chosen], np.int64),
        np.array([one.energy for one in chosen]),
        rng.uniform(config.lowest_impact_parameter, config.highest_impact_parameter, number),
    )  # fmt: skip


def training_of(config: MixtureConfig) -> dict[str, Any]:
    """Systems, energies and impact parameters of the training, for metadata.json.

    Args:
        config: of the training data.
    """
    channels = channels_of(config)
    energies = [one.energy for one in channels]
    systems = dict.fromkeys((one.projectile, one.target) for one in channels)
    return {
        "systems": [{"projectile": list(first), "target": list(second)} for first, second in systems],
        "energy_MeV_per_nucleon": [min(energies), max(energies)],
        "impact_parameter_fm": [config.lowest_impact_parameter, config.highest_impact_parameter],
    }


def numbers(model: CollisionFlow, entrance: Entrance, seed: int) -> dict[str, NDArray[Any]]:
    """Every input of the graphs for new events, by name; nuclei by PyTorch.

    Args:
        model: trained.
        entrance: conditions.
        seed: of the random numbers.
    """
    event = np.arange(len(entrance))
    condition, uniform = condition_of(entrance).numpy(), for_nuclei(seed, event, 0, model.uniforms)
    with torch.inference_mode():
        A, Z = (one.numpy() for one in model.draw_nuclei(torch.from_numpy(condition), torch.from_numpy(uniform)))
    normal = for_slots(seed, event, 0, model.uniforms, A.shape[1])
    return {"condition": condition, "uniform": uniform, "A": A, "Z": Z, "normal": normal}


def compare(
    networks: Mapping[str, nn.Module], model: CollisionFlow, entrance: Entrance, directory: Path
) -> dict[str, Any]:
    """ONNX Runtime and TorchScript against PyTorch on the same numbers: differences, and events per second of each.

    Args:
        networks: by the graph's name.
        model: theirs.
        entrance: conditions.
        directory: of the files.

    Raises:
        BadInput: nuclei or solutions differ, momenta or excitation energies differ by more than TOLERANCE, or
            conservation is broken by more than CONSERVATION_TOLERANCE.
    """
    n = len(entrance)
    given = numbers(model, entrance, n)
    truth, speed = asked(torch_calls(networks, GRAPHS), given, GRAPHS)
    solved, total = truth["solved"], entrance.available_energy()
    row: dict[str, Any] = {"events": n, "solved": int(solved.sum()), "events_per_s": {"torch": speed}}
    largest = np.abs(truth["momentum"]).max(axis=(1, 2)).clip(min=1)[:, None, None]
    cold = mass_or_estimate(truth["Z"], truth["A"].clip(min=1))
    for title, calls in written_calls(GRAPHS, directory).items():
        found, row["events_per_s"][title] = asked(calls, given, GRAPHS)
        for what in ("A", "Z", "solved"):
            if found[what].shape != truth[what].shape or (found[what] != truth[what]).any():
                raise BadInput(
                    f"export failed: {title} and PyTorch differ in {what} of {n} events; nothing was written"
                )
        off = np.abs(found["momentum"] - truth["momentum"]) / largest
        warmer = np.abs(found["excitation"] - truth["excitation"]) / (truth["excitation"] + 1)
        energy = np.sqrt((cold + found["excitation"]) ** 2 + (found["momentum"] ** 2).sum(axis=2))
        energy = np.where(truth["A"] > 0, energy, 0).sum(axis=1)
        broken = np.abs(found["momentum"].sum(axis=1)).max(axis=1) + np.abs(energy - total)
        worst = {
            f"{title}_momentum": float(off[solved].max(initial=0)),
            f"{title}_excitation": float(warmer[solved].max(initial=0)),
            f"{title}_conservation": float((broken / total)[solved].max(initial=0)),
        }
        row |= worst
        for (what, value), limit in zip(worst.items(), (TOLERANCE, TOLERANCE, CONSERVATION_TOLERANCE), strict=True):
            if not value <= limit:  # nan is none
                raise BadInput(f"export failed: {what} is {value:.1e} (allowed {limit:g}); nothing was written")
    return row


def lines(metadata: Mapping[str, Any]) -> str:
    """What a program needs to know to sample, as lines of words (metadata.txt)."""
    found = [f"uniforms {metadata['uniforms']}"]
    found += [f"energies {' '.join(map(str, metadata['energy_MeV_per_nucleon']))}"]
    found += [f"impact_parameters {' '.join(map(str, metadata['impact_parameter_fm']))}"]
    largest_A = largest_Z = 0
    for system in metadata["systems"]:
        (A_p, Z_p), (A_t, Z_t) = system["projectile"], system["target"]
        found.append(f"system {A_p} {Z_p} {A_t} {Z_t}")
        largest_A, largest_Z = max(largest_A, A_p + A_t), max(largest_Z, Z_p + Z_t)
    for A in range(1, largest_A + 1):
        found += [f"mass {A} {Z} {float(mass_or_estimate(Z, A))!r}" for Z in range(min(A, largest_Z) + 1)]
    return "\n".join(found) + "\n"
