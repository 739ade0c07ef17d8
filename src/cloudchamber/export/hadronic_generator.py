"""A trained generator of hadronic interactions as files for other programs: ONNX, TorchScript, and what they mean.

``InteractionFlow`` draws nothing by itself, so that its two functions of tensors, ``draw_kinds`` and ``momenta``, leave
as they are (``export.graphs``), with free numbers of events and particles.

Before anything is left behind, both files must say what PyTorch says, at several numbers of events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cloudchamber.experiments.interactions import InteractionConfig, beams
from cloudchamber.export.directory import OPSET, new_export, origin_of, plain, write_metadata
from cloudchamber.export.graphs import Graphs, asked, torch_calls, write_graph, written_calls
from cloudchamber.export.numbers import for_kinds, for_momenta
from cloudchamber.learning.interaction_flow import FlowGenerator, condition_of
from cloudchamber.networks.interaction_flow import InteractionFlow
from cloudchamber.run_directory import Run, restored, run_learners
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, incoming_of
from cloudchamber.simulators.hadronic.particles import ISOTOPES, PROJECTILES, TARGETS
from cloudchamber.study import GeneratorStudy

SIZES = (1, 7, 1000)
"""Numbers of events at which the files are compared with PyTorch; the graphs are traced with another, TRACED."""
TRACED = 5
MOMENTUM_TOLERANCE = 1e-4
"""Largest difference of a four-momentum's component from PyTorch's, in units of the particle's energy: the flow is in
single precision, of which its steps leave about 1e-6."""
CONSERVATION_TOLERANCE = 1e-9
"""Largest sum of what goes out less what comes in, in units of the incoming energy: the projection is in double."""

INPUTS = {
    "kinds": {
        "condition": ("event 4", "float64", "place in `projectiles`, Z and A of the target, kinetic energy [GeV]"),
        "uniform": ("event 2+K", "float64", "uniform numbers from 0 to 1; K = number of `kinds`"),
    },
    "momenta": {
        "condition": ("event 4", "float64", "as for kinds"),
        "kind": ("event particle", "int64", "classes, padded with -1"),
        "coin": ("event particle", "float64", "uniform numbers from 0 to 1"),
        "normal": ("event particle 3", "float32", "normal numbers of mean 0 and width 1"),
    },
}
OUTPUTS = {
    "kinds": {
        "kind": (
            "event particle",
            "int64",
            "place in `kinds`; K: residual nucleus; elastic: K+1 or (back) K+3 the projectile, K+2 the nucleus",
        ),
    },
    "momenta": {
        "code": ("event particle", "int64", "PDG codes, 0 for padding"),
        "momentum": ("event particle 4", "float64", "E, px, py, pz [GeV], projectile along z, nucleus at rest"),
        "stretch": ("event", "float64", "a of the projection that conserves energy: 1 if it had nothing to do"),
        "solved": ("event", "bool", "whether energy and momentum are conserved; draw the event again if not"),
    },
}
GRAPHS = Graphs(INPUTS, OUTPUTS, ("event", "particle"))
RECIPE = (
    "1. condition: one row an event. uniform: 2 + K random numbers an event. Run kinds.",
    "2. coin and normal: random numbers for every particle that kinds found, padding included. Run momenta.",
    "3. Where solved is false draw new coins and normal numbers, twice at most, then all anew from 1.",
    "4. Drop what has code 0. Turn z into the direction of the projectile.",
    "Events of similar numbers of particles together save time: padding costs as much as particles.",
    "cloudchamber.export.numbers says how the examples draw, so that they agree event by event.",
)


class Kinds(nn.Module):
    """``InteractionFlow.draw_kinds`` as a network of its own."""

    def __init__(self, model: InteractionFlow) -> None:
        super().__init__()
        self.model = model

    def forward(self, condition: Tensor, uniform: Tensor) -> Tensor:
        """Classes (event, particle), see ``OUTPUTS``."""
        return self.model.draw_kinds(condition, uniform)


class Momenta(nn.Module):
    """``InteractionFlow.momenta`` as a network of its own."""

    def __init__(self, model: InteractionFlow) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, condition: Tensor, kind: Tensor, coin: Tensor, normal: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Codes, momenta, stretch and solved, see ``OUTPUTS``."""
        return self.model.momenta(condition, kind, coin, normal)


def export_generator(run: Run[GeneratorStudy], output: Path) -> Path:
    """Export the generator of a finished run of hadronic interactions.

    Args:
        run: finished.
        output: directory to make; complete when this returns, and not there if it raises.

    Returns:
        ``output``.

    Raises:
        BadInput: a run that is not finished, a study without such a generator, a missing extra, a directory that
            exists, or files that do not say what PyTorch says.
    """
    name = run.study.headline[0]
    generator, config = run_learners(run, "cpu")[name], run.config
    if not isinstance(generator, FlowGenerator) or not isinstance(config, InteractionConfig):
        raise BadInput(f"study {run.study.name!r}: its generator {name!r} cannot be exported", status=2)
    fitted: FlowGenerator = restored(run, "cpu", name)[name]

    def beam(n: int, rng: np.random.Generator) -> Beam:
        return beams(config, 0, n, rng)

    about = {
        **origin_of(run), "generator": name,
        "projectiles": list(PROJECTILES.items()), "trained_projectiles": list(config.projectiles),
        "targets": {name: {"Z": TARGETS[name], "A": ISOTOPES[name]} for name in config.targets},
        "kinetic_energy_GeV": [config.lowest, config.highest], "left_out_GeV": list(config.left_out),
        "direction": list(config.direction),
    }  # fmt: skip
    return write_export(fitted, beam, about, output)


def write_export(
    generator: FlowGenerator, beam: Callable[[int, np.random.Generator], Beam], about: Mapping[str, Any], output: Path
) -> Path:
    """The directory of ``export_generator``.

    Args:
        generator: fitted.
        beam: (number, random generator) to conditions like the training's, for the comparison.
        about: what metadata.json says besides the graphs.
        output: directory to make.

    Raises:
        BadInput: as ``export_generator``.
    """
    model = generator.model
    assert model is not None
    with new_export(output) as partial:
        networks: dict[str, nn.Module] = {"kinds": Kinds(model), "momenta": Momenta(model)}
        examples = numbers(model, beam(TRACED, np.random.default_rng(1)), TRACED)
        for name, network in networks.items():
            write_graph(network, name, [torch.from_numpy(examples[one]) for one in INPUTS[name]], GRAPHS, partial)
        compared = [compare(networks, model, beam(n, np.random.default_rng(n)), partial) for n in SIZES]
        metadata = {
            **about, "kinds": kinds_of(model), "steps": model.steps, "opset": OPSET,
            "graphs": {name: {"inputs": plain(INPUTS[name]), "outputs": plain(OUTPUTS[name])} for name in networks},
            "recipe": RECIPE,
            "parity": {
                "momentum_tolerance": MOMENTUM_TOLERANCE, "conservation_tolerance": CONSERVATION_TOLERANCE,
                "batches": compared,
            },
        }  # fmt: skip
        write_metadata(partial, metadata)
        (partial / "metadata.txt").write_text(lines(metadata))
    return output


def numbers(model: InteractionFlow, beam: Beam, seed: int) -> dict[str, NDArray[Any]]:
    """Every input of the graphs for new events, by name; kinds by PyTorch."""
    event = np.arange(len(beam))
    condition, uniform = condition_of(beam).numpy(), for_kinds(seed, event, 0, model.kinds)
    with torch.inference_mode():
        kind = model.draw_kinds(torch.from_numpy(condition), torch.from_numpy(uniform)).numpy()
    coin, normal = for_momenta(seed, event, 0, model.kinds, kind.shape[1])
    return {"condition": condition, "uniform": uniform, "kind": kind, "coin": coin, "normal": normal}


def compare(networks: Mapping[str, nn.Module], model: InteractionFlow, beam: Beam, directory: Path) -> dict[str, Any]:
    """ONNX Runtime and TorchScript against PyTorch on the same numbers: differences, and events per second of each.

    Raises:
        BadInput: classes, codes or solutions differ, momenta differ by more than MOMENTUM_TOLERANCE, or conservation is
            broken by more than CONSERVATION_TOLERANCE.
    """
    n = len(beam)
    given = numbers(model, beam, n)
    incoming = incoming_of(Beam(beam.projectile, beam.target, beam.kinetic_energy, np.tile([0.0, 0, 1], (n, 1))))[1]
    truth, speed = asked(torch_calls(networks, GRAPHS), given, GRAPHS)
    row: dict[str, Any] = {"events": n, "solved": int(truth["solved"].sum()), "events_per_s": {"torch": speed}}
    for title, calls in written_calls(GRAPHS, directory).items():
        found, row["events_per_s"][title] = asked(calls, given, GRAPHS)
        for what in ("kind", "code", "solved"):
            if found[what].shape != truth[what].shape or (found[what] != truth[what]).any():
                raise BadInput(
                    f"export failed: {title} and PyTorch differ in {what} of {n} events; nothing was written"
                )
        solved = truth["solved"]
        energy = np.where(truth["code"] != 0, truth["momentum"][..., 0], 1.0)[..., None]
        moved = float((np.abs(found["momentum"] - truth["momentum"]) / energy)[solved].max(initial=0))
        missing = np.abs(found["momentum"].sum(axis=1) - incoming)[solved] / incoming[solved, :1]
        broken = float(missing.max(initial=0))
        row |= {f"{title}_momentum": moved, f"{title}_conservation": broken}
        if not moved <= MOMENTUM_TOLERANCE or not broken <= CONSERVATION_TOLERANCE:
            raise BadInput(
                f"export failed: {title} and PyTorch differ by {moved:.1e} (allowed {MOMENTUM_TOLERANCE:g}) in momenta,"
                f" conservation is broken by {broken:.1e} (allowed {CONSERVATION_TOLERANCE:g}); nothing was written"
            )
    return row


def kinds_of(model: InteractionFlow) -> list[dict[str, Any]]:
    """The kinds in the order of their classes; 311 and -311 become K0S (310) or K0L (130) by a coin."""
    codes, slow = (model.books[name][: model.kinds].tolist() for name in ("code", "slow"))
    return [{"pdg": code, "slow": sort} for code, sort in zip(codes, slow, strict=True)]


def lines(metadata: Mapping[str, Any]) -> str:
    """What a program needs to know to sample, as lines of words (metadata.txt)."""
    found = [f"kinds {len(metadata['kinds'])}"]
    found += [f"energies {' '.join(map(str, metadata['kinetic_energy_GeV']))}"]
    found += [f"direction {' '.join(map(str, metadata['direction']))}"]
    for place, (name, code) in enumerate(metadata["projectiles"]):
        if name in metadata["trained_projectiles"]:
            found.append(f"projectile {name} {code} {place}")
    found += [f"target {name} {nucleus['Z']} {nucleus['A']}" for name, nucleus in metadata["targets"].items()]
    return "\n".join(found) + "\n"
