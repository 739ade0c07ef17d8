"""How numbers and lists are said in the texts and tables of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cloudchamber.metrics.measured import Measured
from cloudchamber.report.files import Score


def plus_minus(value: float, error: float) -> str:
    """A number with its error: the error to one digit, two if the first is 1; without error three significant digits.

    Args:
        value: the number; nan is said as a dash.
        error: its standard error; not finite, 0 or a rounding error mean that it is not known.

    Returns:
        The text, with a true minus sign.

    Examples:
        >>> plus_minus(0.98213, 0.0042)
        '0.982 ± 0.004'
        >>> plus_minus(0.98213, 0.0149)
        '0.982 ± 0.015'
        >>> plus_minus(0.98213, float("nan"))
        '0.982'
    """
    if math.isnan(value):
        return "–"
    if not math.isfinite(error) or error <= 1e-9 * abs(value):
        return f"{value:.3g}".replace("-", "−")
    if error >= 1e5:
        return f"{value:.3g} ± {error:.0e}".replace("-", "−")
    first = math.floor(math.log10(error))
    digits = max(1 - first if error / 10**first < 1.95 else -first, 0)
    return f"{round(value, digits) + 0.0:.{digits}f} ± {error:.{digits}f}".replace("-", "−")


def said(one: Measured | Score | None, factor: float = 1.0, unknown: str = "–") -> str:
    """A number with its error, both times ``factor``; ``unknown`` if it was not measured or is nan."""
    if one is None or math.isnan(one.value):
        return unknown
    return plus_minus(factor * one.value, factor * one.error)


def percent(one: Measured | Score) -> str:
    """A fraction as per cent with its error."""
    return f"{plus_minus(100 * one.value, 100 * one.error)} %"


def whole(number: float) -> str:
    """An integer with thin spaces between thousands."""
    return f"{round(number):,}".replace(",", "\u2009")


def listed(words: Sequence[str]) -> str:
    """Words with commas and a last "and"; "none" if there are none.

    Examples:
        >>> listed(["networks", "trees", "fits"])
        'networks, trees and fits'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def items(lines: Sequence[str]) -> str:
    """A list in HTML, empty lines left out; empty if there are no others."""
    kept = [f"<li>{line}</li>" for line in lines if line]
    return f"<ul>{''.join(kept)}</ul>" if kept else ""
