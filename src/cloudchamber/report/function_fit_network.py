"""The second half of the function-fit lecture: backpropagation, the optimiser, what a network learns step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.report import function_fit_network_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.function_fit_line_figures import NAME_OF_OPTIMISER
from cloudchamber.report.page import Section, Table
from cloudchamber.report.words import listed, plus_minus, whole

Values = NDArray[Any]


def worked_section(arrays: Mapping[str, Values]) -> Section | None:
    """Backpropagation in a network so small that every number can be shown.

    Args:
        arrays: of the explanation ``backpropagation``.
    """
    if not arrays:
        return None
    drawing = picture(
        "worked_example",
        drawings.worked_network(arrays),
        "One point through a network of two hidden layers. Above: each node adds what comes in times W, and b, and"
        " passes it on if it is positive; grey nodes are off. Below: the slope dJ/da of every node, from the answer"
        " back; at each arrow dJ/dW = (h where it begins) × (dJ/da where it ends).",
        "A small network twice: with activations and weights, and with the slopes and gradients that flow backwards.",
    )
    text = (
        "A line has two parameters; a network has thousands, and its loss is no parabola. All that is needed to go"
        " downhill is its gradient. <b>Backpropagation</b> (doi:10.1038/323533a0) is the chain rule in the right order."
        " Layer l computes a<sub>l</sub> = h<sub>l−1</sub> W<sub>l</sub> + b<sub>l</sub> and h<sub>l</sub> ="
        " max(a<sub>l</sub>, 0), the rectified linear unit (ReLU). Forwards, keep all h. Backwards, begin with the"
        " slope d = dJ/df of the loss at the answer, and for each layer from the last to the first\n\n"
        "dJ/dW<sub>l</sub> = h<sub>l−1</sub>ᵀ d<sub>l</sub>,  dJ/db<sub>l</sub> = d<sub>l</sub>,"
        "  d<sub>l−1</sub> = d<sub>l</sub> W<sub>l</sub>ᵀ where the node was on, else 0.\n\n"
        "The whole gradient costs about twice as much as the answer itself, whatever the number of parameters. Follow"
        " one number: what comes back through a node that is off is 0, so that no weight into it changes.\n\n"
        "By hand and by PyTorch's automatic differentiation these gradients differ by at most"
        f" {float(arrays['worked_to_automatic']):.1g}, by hand and by the difference of two losses"
        f" {float(arrays['worked_to_difference']):.1g}. The networks below were trained with these very lines, not with"
        f" PyTorch's; there the largest difference is {float(arrays['to_automatic']):.1g} of the largest derivative."
    )
    return Section("Backpropagation, every number of it", text, (drawing,))


def gradient_section(arrays: Mapping[str, Values]) -> Section | None:
    """The gradient in the layers of the network.

    Args:
        arrays: of the explanation ``backpropagation``.
    """
    if not arrays:
        return None
    gradient = arrays["gradient"]
    first, last = (np.exp(np.log(gradient[0, layer] + 1e-12).mean()) for layer in (0, -1))
    end = np.exp(np.log(gradient[-1] + 1e-12).mean(axis=-1))
    drawing = picture(
        "gradient_by_layer",
        drawings.gradient_by_layer(arrays),
        "Left: size of the gradient in each layer, at the start and after powers of ten of steps (geometric mean over"
        " the networks). Right: fraction of the nodes that are on, over points and networks.",
        "Lines of the gradient against the layer, one for each number of steps, and of the fraction of active nodes.",
    )
    ratio = float(max(first / last, last / first))
    text = (
        "In the network of the talk, seven layers of twenty nodes, the slope passes eight matrices on its way back, and"
        f" each can make it smaller or larger. At the start the gradient in the first layer is {whole(ratio)} times"
        f" {'smaller' if first < last else 'larger'} than in the last"
        f"{' (the <i>vanishing gradient</i>)' if first < last / 10 else ''}. Plain gradient descent moves a layer in"
        " proportion to its gradient; Adam divides each derivative by its own typical size and moves all layers alike."
        f" At the end of the training the largest layer has {end.max() / end.min():.1f} times the gradient of the"
        " smallest."
    )
    return Section("The gradient, layer by layer", text, (drawing,))


def optimiser_section(arrays: Mapping[str, Values]) -> Section | None:
    """Three optimisers with all learning rates.

    Args:
        arrays: of the explanation ``optimisers``.
    """
    if not arrays:
        return None
    steps, rows = int(arrays["step"][-1]), []
    for name, loss in zip(arrays["optimiser"], arrays["loss"], strict=True):
        end = loss[-1].mean(axis=1)
        known = np.isfinite(end)
        best = int(np.where(known, end, np.inf).argmin())
        spread = float(loss[-1, best].std(ddof=1) / np.sqrt(loss.shape[2])) if loss.shape[2] > 1 else float("nan")
        grew = [f"{rate:.0e}" for rate in arrays["rate"][~known]]
        rows.append(
            (
                NAME_OF_OPTIMISER.get(str(name), str(name)),
                f"{arrays['rate'][best]:.0e}",
                plus_minus(float(end[best]), spread),
                f"{grew[0]} and above" if grew else "at no rate",
            )
        )
    table = Table(
        ("optimiser", "best learning rate", f"loss after {whole(steps)} steps", "loss grew without end"),
        tuple(rows),
        f"Mean over {arrays['loss'].shape[3]} starts, the same for all; error: of that mean.",
    )
    drawing = picture(
        "optimisers",
        drawings.compared_optimisers(arrays),
        f"Left: loss after {whole(steps)} steps against the learning rate (band: all starts; cross: beyond this rate it"
        " grew without end). Right: loss along the way, each optimiser at its best rate, a line a start. Grey: a loss"
        " of 1, which the true function has on average.",
        "Loss against learning rate for gradient descent, momentum and Adam, and loss against step.",
    )
    text = (
        "Same network, same points, same starts; only the <b>optimiser</b> differs. To be fair each has its own best"
        " learning rate, found on a grid. A plateau of the loss is the network that answers a constant, whatever x: the"
        " valley from there down is long and flat."
    )
    return Section("The optimiser", text, (drawing,), table)


def steps_section(arrays: Mapping[str, Values], network: str) -> Section | None:
    """What the network has learned after powers of ten of steps.

    Args:
        arrays: of the explanation ``approximation``.
        network: its title.
    """
    if not arrays or not len(arrays["decade"]):
        return None
    members = arrays["inside"].shape[1]
    at = [int(np.flatnonzero(arrays["step"] == step)[0]) for step in arrays["decade"]]
    rows = []
    for step, place in zip(arrays["decade"], at, strict=True):
        cells = [whole(int(step))]
        for name in ("train_loss", "validation_loss", "inside", "outside", "kinks"):
            values = arrays[name][place]
            error = float(values.std(ddof=1) / np.sqrt(members)) if members > 1 else float("nan")
            cells.append(plus_minus(float(values.mean()), error))
        cells.append(plus_minus(float(arrays["together"][place]), float("nan")))
        rows.append(tuple(cells))
    table = Table(
        (
            "steps",
            "training loss",
            "validation loss",
            "error inside",
            "error outside",
            "kinks",
            "error inside, mean network",
        ),
        tuple(rows),
        f"Mean over {members} starts and its error. Error inside and outside: root mean square distance from the true"
        " function where points are and beyond; last column: of the mean of all networks.",
    )
    drawing = picture(
        "steps",
        drawings.curves_of_steps(arrays),
        "Blue: the networks after so many steps of Adam, the first one bold; dotted: the true function. Red ticks:"
        " where the first network has a kink. Grey: where no points are.",
        "The fitted curves after powers of ten of steps, from almost flat to following the points.",
    )
    text = (
        f"{network}: {members} networks of one input, seven hidden layers of twenty nodes and one answer, 2581"
        " parameters each, from different starts. Made of ReLUs, a network is a chain of straight pieces, and learning"
        " is to put the kinks where they are needed. With far more parameters than there are points nothing keeps it"
        " from bending to the error of every single point, if only it has the time."
    )
    return Section("What the network knows after so many steps", text, (drawing,), table)


def stopping_section(arrays: Mapping[str, Values]) -> Section | None:
    """When to stop.

    Args:
        arrays: of the explanation ``approximation``.
    """
    if not arrays or len(arrays["step"]) < 3:
        return None
    steps = arrays["step"]
    chosen = [whole(int(steps[kept])) for kept in sorted(arrays["kept"])]
    members = np.arange(arrays["inside"].shape[1])
    at_chosen = arrays["inside"][arrays["kept"], members]
    best = arrays["inside"].min(axis=0)
    end = arrays["inside"][-1]

    def mean(values: Values) -> str:
        return plus_minus(
            float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
        )

    drawing = picture(
        "along_training",
        drawings.along_training(arrays),
        "Thin: each network; thick: their geometric mean. Left: loss on training and validation points. Middle:"
        " distance from the true function, which in a real measurement nobody knows. Right: number of kinks between the"
        " outermost points. Dotted: the steps that early stopping chose.",
        "Losses, true errors and number of kinks against the training step.",
    )
    text = (
        f"After {whole(int(steps[-1]))} steps the training loss is {mean(arrays['train_loss'][-1])}, and the loss on"
        f" the points held back for validation {mean(arrays['validation_loss'][-1])}. The true function itself has 1 on"
        " average on both; less than 1 on the training points is a description of their errors, not of the function,"
        " and the validation points, whose errors are others, tell. <b>Early stopping</b> takes the numbers of the step"
        f" with the smallest validation loss: here {listed(list(dict.fromkeys(chosen)))}. The error there is"
        f" {mean(at_chosen)}; at the best step, which only the truth knows, {mean(best)}; at the last step {mean(end)}."
    )
    return Section("When to stop", text, (drawing,))
