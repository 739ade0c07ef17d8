"""A deep ensemble as one ONNX file: the study's inputs to mean and calibrated standard deviation of every target.

What ``inputs`` makes of records stays with the user's program: metadata.json names the axes and what they mean. Before
anything is left behind, ONNX Runtime must say what PyTorch says, at several numbers of samples.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cloudchamber.export.directory import OPSET, new_export, origin_of, plain, write_metadata
from cloudchamber.export.onnx_sampler import session
from cloudchamber.learning.ensemble import DeepEnsemble, Mixture
from cloudchamber.run_directory import Run, restored, run_learners
from cloudchamber.schema import BadInput
from cloudchamber.study import PredictorStudy

SIZES = (1, 7, 256)
"""Numbers of samples at which the file is compared with PyTorch; it is traced with another."""
TRACED = 3
TOLERANCE = 1e-3
"""Largest difference from PyTorch, in units of the predicted standard deviation: both compute in single precision.

One unit in the last place of lg(energy / eV) = 19.5, say, is 1e-4 of a standard deviation of 0.02.
"""


def export_ensemble(run: Run[PredictorStudy], output: Path) -> Path:
    """Export the ensemble of the headline number of a finished run, or the first ensemble if that is none.

    Args:
        run: finished.
        output: directory to make; complete when this returns, and not there if it raises.

    Returns:
        ``output``.

    Raises:
        BadInput: a run that is not finished, a study without an ensemble, a missing extra, a directory that exists, or
            a file that does not say what PyTorch says.
    """
    study = run.study
    known = [name for name, one in run_learners(run, "cpu").items() if isinstance(one, DeepEnsemble)]
    if not known:
        raise BadInput(f"study {study.name!r} has no deep ensemble: its networks cannot be exported", status=2)
    name = study.headline[0] if study.headline[0] in known else known[0]
    ensemble: DeepEnsemble = restored(run, "cpu", name)[name]
    # records of the study itself: what the network reads is as it was in the training
    seeds = np.random.SeedSequence(run.seed)
    records = study.simulate(study.data_config(run.config), 0, TRACED, seeds)
    inputs = study.inputs(run.config, records, None)
    axes = study.input.axes.split()
    graph = {
        "inputs": {study.input_name: (" ".join(axes), "float32", study.input.doc)},
        "outputs": {
            what: (f"{axes[0]} target", "float32", f"{what} of {', '.join(study.target_names)} [{study.target_unit}]")
            for what in ("mean", "std")
        },
    }
    with new_export(output) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is called old; the newer one takes minutes
        torch.onnx.export(
            ensemble.mixture(), (torch.from_numpy(inputs),), partial / "model.onnx", dynamo=False, opset_version=OPSET,
            input_names=list(graph["inputs"]), output_names=list(graph["outputs"]),
            dynamic_axes={one: {0: axes[0]} for part in graph.values() for one in part},
        )  # fmt: skip
        compared = [compare(ensemble.mixture(), np.resize(inputs, (n, *inputs.shape[1:])), partial) for n in SIZES]
        metadata = {
            **origin_of(run), "predictor": name, "targets": list(study.target_names), "unit": study.target_unit,
            "opset": OPSET, "graphs": {"model": {side: plain(ones) for side, ones in graph.items()}},
            "parity": {"tolerance": TOLERANCE, "batches": compared},
        }  # fmt: skip
        write_metadata(partial, metadata)
    return output


def compare(mixture: Mixture, inputs: NDArray[np.float32], directory: Path) -> dict[str, Any]:
    """ONNX Runtime against PyTorch on the same inputs: largest difference, and samples per second of each.

    Raises:
        BadInput: they differ by more than TOLERANCE.
    """
    graph = session(directory / "model.onnx")
    (name,) = (one.name for one in graph.get_inputs())
    with torch.inference_mode():
        start = time.perf_counter()
        mean, std = (one.numpy() for one in mixture(torch.from_numpy(inputs)))
        torch_seconds = time.perf_counter() - start
    start = time.perf_counter()
    found = graph.run(None, {name: inputs})
    seconds = time.perf_counter() - start
    worst = float(
        np.max([np.abs(one - truth) / std for one, truth in zip(found, (mean, std), strict=True)])
    )  # nan stays
    if not worst <= TOLERANCE:
        raise BadInput(
            f"export failed: ONNX Runtime and PyTorch differ by {worst:.1e} standard deviations (allowed"
            f" {TOLERANCE:g}); nothing was written"
        )
    speed = {"torch": round(len(inputs) / torch_seconds, 1), "onnxruntime": round(len(inputs) / seconds, 1)}
    return {"samples": len(inputs), "largest_difference": worst, "samples_per_s": speed}
