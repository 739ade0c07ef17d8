"""Networks as graphs for other programs: one trace, ``NAME.pt`` for LibTorch and ``NAME.onnx`` for ONNX Runtime.

The newer exporter, ``torch.onnx.export(dynamo=True)``, gives the same numbers; it takes minutes where this one takes
seconds, and needs onnxscript. ONNX Runtime has no hyperbolic functions of doubles: they become logarithms and
exponentials on the way.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cloudchamber.export.directory import OPSET
from cloudchamber.export.onnx_sampler import session

Ports = Mapping[str, tuple[str, str, str]]
"""Axes, dtype and meaning of inputs or outputs by name."""
Call = Callable[[Mapping[str, NDArray[Any]]], Sequence[NDArray[Any]]]


@dataclass(frozen=True)
class Graphs:
    """What goes into the graphs of a generator and what comes out, by the graph's name, in the order in which they run.

    Attributes:
        inputs: of each graph.
        outputs: of each graph; names are unique among all.
        free: names of the axes whose length is free.
    """

    inputs: Mapping[str, Ports]
    outputs: Mapping[str, Ports]
    free: tuple[str, ...]


def write_graph(network: nn.Module, name: str, example: Sequence[Tensor], graphs: Graphs, directory: Path) -> None:
    """``NAME.pt`` and ``NAME.onnx`` of a network, from one trace.

    Args:
        network: takes the graph's inputs and returns its outputs.
        name: of the graph.
        example: inputs to trace it with.
        graphs: names and axes.
        directory: where.
    """
    ones = {**graphs.inputs[name], **graphs.outputs[name]}
    axes_of = {one: enumerate(axes.split()) for one, (axes, _, _) in ones.items()}
    free = {one: {i: axis for i, axis in axes if axis in graphs.free} for one, axes in axes_of.items()}
    with warnings.catch_warnings(), hyperbolic_functions():
        warnings.simplefilter(
            "ignore"
        )  # tensors of constants; both ways are called old, neither has a successor for this
        trace = torch.jit.trace(network, tuple(example), check_trace=False)  # type: ignore[no-untyped-call]
        trace.save(str(directory / f"{name}.pt"))
        torch.onnx.export(
            trace, tuple(example), directory / f"{name}.onnx", dynamo=False, opset_version=OPSET, dynamic_axes=free,
            input_names=list(graphs.inputs[name]), output_names=list(graphs.outputs[name]),
        )  # fmt: skip


def written_calls(graphs: Graphs, directory: Path) -> dict[str, dict[str, Call]]:
    """The graphs of a directory as functions of arrays, by the program that evaluates them and the graph's name.

    Args:
        graphs: names.
        directory: of ``write_graph``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripts = {
            name: torch.jit.load(directory / f"{name}.pt")  # type: ignore[no-untyped-call]
            for name in graphs.inputs
        }
    sessions = {name: session(directory / f"{name}.onnx") for name in graphs.inputs}

    def call(name: str) -> Call:
        return lambda given: sessions[name].run(None, {one: given[one] for one in graphs.inputs[name]})

    return {"onnxruntime": {name: call(name) for name in graphs.inputs}, "torchscript": torch_calls(scripts, graphs)}


def torch_calls(networks: Mapping[str, nn.Module], graphs: Graphs) -> dict[str, Call]:
    """The graphs as functions of arrays, by PyTorch.

    Args:
        networks: by the graph's name.
        graphs: names of inputs.
    """

    def call(name: str) -> Call:
        def answer(given: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
            with torch.inference_mode():
                found = networks[name](*(torch.from_numpy(given[one]) for one in graphs.inputs[name]))
            return [one.numpy() for one in ((found,) if isinstance(found, Tensor) else found)]

        return answer

    return {name: call(name) for name in networks}


def asked(
    calls: Mapping[str, Call], given: Mapping[str, NDArray[Any]], graphs: Graphs
) -> tuple[dict[str, NDArray[Any]], float]:
    """Outputs of all graphs by name, and events per second of a second question: with the first they get ready.

    Args:
        calls: by the graph's name.
        given: every input by name; the first axis of each is the event.
        graphs: names.
    """
    # as in C++: TorchScript compiles nothing for a number of events
    with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
        for _ in range(2):
            start = time.perf_counter()
            found = {name: calls[name](given) for name in graphs.outputs}
            seconds = time.perf_counter() - start
    outputs = {
        one: array for name, ones in graphs.outputs.items() for one, array in zip(ones, found[name], strict=True)
    }
    return outputs, round(len(next(iter(given.values()))) / seconds, 1)


@contextmanager
def hyperbolic_functions() -> Iterator[None]:
    """Let the exporter write sinh, cosh, asinh and atanh as ONNX Runtime can compute them in double precision."""

    def number(g: Any, value: float, like: Any) -> Any:
        return g.op("CastLike", g.op("Constant", value_t=torch.tensor(value)), like)

    def exponentials(g: Any, x: Any, join: str) -> Any:
        both = g.op(join, g.op("Exp", x), g.op("Exp", g.op("Neg", x)))
        return g.op("Mul", both, number(g, 0.5, x))

    def asinh(g: Any, x: Any) -> Any:
        size = g.op("Abs", x)
        root = g.op("Sqrt", g.op("Add", g.op("Mul", size, size), number(g, 1.0, x)))
        return g.op("Mul", g.op("Sign", x), g.op("Log", g.op("Add", size, root)))

    def atanh(g: Any, x: Any) -> Any:
        one = number(g, 1.0, x)
        ratio = g.op("Div", g.op("Add", one, x), g.op("Sub", one, x))
        return g.op("Mul", g.op("Log", ratio), number(g, 0.5, x))

    functions = {
        "sinh": lambda g, x: exponentials(g, x, "Sub"), "cosh": lambda g, x: exponentials(g, x, "Add"),
        "asinh": asinh, "atanh": atanh,
    }  # fmt: skip
    for name, function in functions.items():
        torch.onnx.register_custom_op_symbolic(f"aten::{name}", function, OPSET)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for name in functions:
            torch.onnx.unregister_custom_op_symbolic(f"aten::{name}", OPSET)  # type: ignore[attr-defined]
