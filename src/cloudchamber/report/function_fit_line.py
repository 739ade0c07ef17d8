"""The first half of the function-fit lecture: points, least squares and its covariance, the loss, the way down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.measured import Measured
from cloudchamber.report import function_fit_line_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Section, Table
from cloudchamber.report.words import percent, plus_minus, whole

Values = NDArray[Any]


def data_section(arrays: Mapping[str, Values]) -> Section | None:
    """The function and the points.

    Args:
        arrays: of the explanation ``approximation``.
    """
    if not arrays:
        return None
    points, held_out, error = len(arrays["x"]), len(arrays["held_out_x"]), float(arrays["error"].mean())
    drawing = picture(
        "points",
        drawings.measured_points(arrays),
        f"The {points} training points (full) and {held_out} validation points (open) with their errors, and the"
        " function that they were measured from. Grey: where no point is.",
        "Measured points with error bars about a curve with one narrow peak on a slope.",
    )
    text = (
        f"Somebody has measured a function at {points + held_out} places x<sub>i</sub>: values y<sub>i</sub>, each with"
        f" a known Gaussian error σ<sub>i</sub>, {error:.2g} on average. The question is the function. It is a narrow"
        " peak on a smooth background, but no method is told so.\n\nWhat follows is one idea in steps: choose a model"
        " f(x; θ) with parameters θ, say with one number how badly it describes the points, and make that number"
        " small. First the model is a straight line, for which all can be computed with pencil and paper; then it is a"
        " network, for which the same idea needs backpropagation and an optimiser."
    )
    return Section("Points of a function", text, (drawing,))


def least_squares_section(arrays: Mapping[str, Values]) -> Section | None:
    """The fitted line and its covariance.

    Args:
        arrays: of the explanation ``line``.
    """
    if not arrays:
        return None
    parameters, covariance = arrays["parameters"], arrays["covariance"]
    errors = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    related = covariance[:, 0, 1] / errors.prod(axis=1)
    rows = [
        (
            f"x0 = {plus_minus(float(anchor), float('nan'))}",
            plus_minus(float(parameters[row, 0]), float(errors[row, 0])),
            plus_minus(float(parameters[row, 1]), float(errors[row, 1])),
            f"{related[row] + 0.0:.2f}".replace("-", "−"),
        )
        for row, anchor in enumerate(arrays["anchor"])
    ]
    table = Table(
        ("x is counted from", "b", "W", "correlation"),
        tuple(rows),
        "The fitted line in two ways of writing it. It is the same line.",
    )
    drawing = picture(
        "line",
        drawings.fitted_line(arrays),
        "Left: a true straight line, measured at some of the places with their errors; the fit with its band. Right:"
        " where b and W can be (Δχ² = 1 and 2.30, the latter 68 % for both at once), for x counted from far off and"
        " from its mean.",
        "A fitted line with its error band, and two ellipses in the plane of intercept and slope, a slanted and an"
        " upright one.",
    )
    text = (
        "Let the truth be a straight line for a while, measured at a few of these places. The model is f(x) = W (x −"
        " x<sub>0</sub>) + b, and the number that is made small is χ² = Σ ((f(x<sub>i</sub>) − y<sub>i</sub>) /"
        " σ<sub>i</sub>)². It is a parabola in the parameters, so its minimum is the solution of linear equations. With"
        " the matrix A that has 1 and x<sub>i</sub> − x<sub>0</sub> in row i, both divided by σ<sub>i</sub>, and the"
        " vector y of y<sub>i</sub> / σ<sub>i</sub>,\n\n"
        "θ = (b, W) = (AᵀA)⁻¹ Aᵀ y, with the covariance V = (AᵀA)⁻¹.\n\n"
        f"V says how far θ can be off. Counted from far off, b and W have a correlation of {rows[0][3]}: a line that"
        " falls more steeply begins higher. Counted from the mean of x it vanishes. The band at x is (1, x −"
        " x<sub>0</sub>) V (1, x − x<sub>0</sub>)ᵀ: narrowest in the middle, and the same whichever x<sub>0</sub> was"
        " chosen."
    )
    return Section("A straight line by least squares", text, (drawing,), table)


def repeated_line_section(arrays: Mapping[str, Values]) -> Section | None:
    """Whether the covariance is true.

    Args:
        arrays: of the explanation ``line``.
    """
    if not arrays:
        return None
    n = len(arrays["chi2"])
    inside = float(arrays["in_ellipse"].mean())
    covered = Measured(inside, float(np.sqrt(inside * (1 - inside) / n)), n)
    widths = [plus_minus(float(one), float(one / np.sqrt(2 * n))) for one in arrays["pull"].std(axis=0, ddof=1)]
    chi2 = arrays["chi2"]
    drawing = picture(
        "line_repeated",
        drawings.repeated_line(arrays),
        f"The line measured {whole(n)} times with new errors, and fitted each time. Lines: what theory says.",
        "Histograms of the pulls of intercept and slope and of chi squared, on the expected curves.",
    )
    text = (
        "An error is a statement about measurements that nobody made. Here they are made. Fitted minus true value in"
        f" units of the stated error has the width {widths[0]} for b and {widths[1]} for W (1 is right);"
        f" {percent(covered)} of the ellipses hold the truth (68.3 % is right); χ² is"
        f" {plus_minus(float(chi2.mean()), float(chi2.std() / np.sqrt(n)))} on average (right: points minus parameters,"
        f" {int(arrays['freedom'])})."
    )
    return Section("Is the covariance true?", text, (drawing,))


def loss_section(arrays: Mapping[str, Values]) -> Section | None:
    """The loss as a landscape, and the ways down.

    Args:
        arrays: of the explanation ``line``.
    """
    if not arrays:
        return None
    stretch = [float(np.linalg.cond(one)) for one in arrays["covariance"]]
    n = int(arrays["freedom"]) + 2
    names = [drawings.NAME_OF_OPTIMISER.get(str(name), str(name)) for name in arrays["optimiser"]]
    rows = []
    for name, ways in zip(names, np.moveaxis(arrays["path"], 1, 0), strict=True):
        cells = [name]
        for way, centre, covariance in zip(ways, arrays["parameters"], arrays["covariance"], strict=True):
            left = np.einsum("si,ij,sj->s", way - centre, np.linalg.inv(covariance), way - centre)
            below = np.flatnonzero(left > 1)
            arrived = int(below[-1]) + 1 if len(below) else 0
            cells.append(f"{arrived}" if arrived < len(way) else f"more than {len(way) - 1}")
        rows.append(tuple(cells))
    table = Table(
        ("optimiser", "x from far off", "x from its mean"),
        tuple(rows),
        "Steps until the parameters are, and stay, within the ellipse of one σ (Δχ² = 1) about the minimum.",
    )
    drawing = picture(
        "descent",
        drawings.ways_down(arrays),
        "The loss of the straight line (dark: large) and three ways to its minimum (star), from W = b = 0; right, how"
        " much of the loss is left after every step. The bowl is long or round depending on where x is counted from.",
        "Two contour maps of a bowl with the paths of gradient descent, momentum and Adam, and their losses by step.",
    )
    text = (
        f"The <b>loss</b> is χ² for each point, J(θ) = χ²/N with N = {n}. Forget that the minimum can be computed, and"
        " look for it: stand somewhere, ask where it goes down, make a step. The <b>gradient</b> ∇J, the vector of"
        " derivatives by all parameters, points uphill, so that gradient descent is θ ← θ − r ∇J with a learning rate"
        " r.\n\n"
        f"In a long bowl (here {stretch[0]:.0f} times as steep across as along, against {stretch[1]:.1f} times) the"
        " gradient hardly points to the minimum: the rate must be small enough not to jump across the valley, and is"
        " then too small along it. Hence the zigzag. Three remedies: count x from its mean (or, with several inputs,"
        " standardise them), which makes the bowl round; let steps add up, as a ball that rolls does (<b>momentum</b>);"
        " or give each parameter a step of its own size, gradient over its own typical size (<b>Adam</b>,"
        " arXiv:1412.6980). The bowl is the covariance again: lines of equal loss are lines of equal probability."
    )
    return Section("The loss, and three ways down", text, (drawing,), table)
