"""How significant a search for sources of cosmic rays is: p-values, their tails, and whether they are p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from cloudchamber.metrics.searches import FIVE_SIGMA, LEAST_ISOTROPIC, numbers_of
from cloudchamber.metrics.significance import (
    ENOUGH,
    Crossing,
    MedianSignificance,
    Tail,
    fit_tail,
    p_value,
    significance,
    uniformity,
)
from cloudchamber.report import skies_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import TEST
from cloudchamber.report.page import Section
from cloudchamber.report.skies_run import CLEARLY, TALK_NEEDS, Found, Values, measured_sigma
from cloudchamber.report.words import items, plus_minus, whole


def sigma_rows(found: Found, world: str, name: str) -> list[MedianSignificance]:
    """Significance of the median sky by number of signal cosmic rays, as metrics.json has it.

    Whether a number rests on the fitted tail is found from predictions.h5.
    """
    one = found.scored[world]
    numbers, statistic = numbers_of(one.truth), one.predictions[name].mean[:, 0].astype(np.float64)
    tail = fit_tail(found.isotropic(name))
    rows = []
    for number in sorted(set(numbers[numbers > 0].tolist())):
        score = found.metrics.score(name, "signal", f"sigma_at_{number}", world)
        if score is None:
            continue
        far = math.isfinite(tail.scale) and float(np.median(statistic[numbers == number])) > tail.end
        p = float(norm.sf(score.value))
        rows.append(MedianSignificance(number, p, score.value, score.error, far, score.n))
    return rows


def crossing(found: Found, world: str, name: str, rows: Sequence[MedianSignificance]) -> Crossing | None:
    """The number needed as metrics.json has it, nan if not reached; None if it was not measured."""
    score = found.metrics.scores.get((name, world, "signal", "signal_needed"))
    if score is None:
        return None
    if math.isnan(score.value):
        return Crossing(math.nan, math.nan, False, score.n)
    near = [row for row in rows if row.n_signal <= score.value][-1:] + [
        row for row in rows if row.n_signal >= score.value
    ][:1]
    return Crossing(score.value, score.error, any(row.extrapolated for row in near), score.n)


def significance_section(found: Found) -> Section | None:
    """The figure of the talk, and the number needed."""
    lines: dict[str, dict[str, list[MedianSignificance]]] = {}
    needs: dict[str, dict[str, Crossing]] = {}
    counts: dict[str, list[int]] = {}
    for world, title in found.worlds.items():
        for name in found.kinds:
            if name not in found.scored[world].predictions:
                continue
            isotropic = found.isotropic(name)
            if len(isotropic) < LEAST_ISOTROPIC or not (rows := sigma_rows(found, world, name)):
                continue
            lines.setdefault(title, {})[name] = rows
            counts.setdefault(title, []).append(len(isotropic))
            one = crossing(found, world, name, rows)
            if one is not None:
                needs.setdefault(title, {})[name] = one
    if not lines:
        return None
    drawn = [
        picture(
            "significance",
            drawings.significance_figure(lines, counts, found.metrics.titles, found.kinds),
            "Median p-value against the number of signal cosmic rays, a panel a world, for every network and search."
            " Filled points and full lines: counted in isotropic skies; open points and dashed lines: from the fitted"
            " tail. Dotted: the smallest p-value that can be counted. Bars: standard errors (bootstrap over signal and"
            f" isotropic skies). The networks are those of one training, on {found.field}.",
            "Curves of the median p-value, falling with the number of signal cosmic rays, for each predictor.",
        )
    ]
    if needs:
        drawn.append(
            picture(
                "needed",
                drawings.needed_figure(needs, found.metrics.titles, found.kinds, TALK_NEEDS),
                "Signal cosmic rays of 1000 at which the median sky reaches five sigma. Dashed: what the talk states"
                " for its network on JF12-based skies. “Not reached” also stands where the smallest number is already"
                " beyond five sigma. Bars: standard errors.",
                "Dots with error bars: the number of signal cosmic rays needed by each predictor, a panel a world.",
            )
        )
    most = max(n for numbers in counts.values() for n in numbers)
    return Section("How few signal cosmic rays are enough?", what_is_counted(found, most), tuple(drawn))


def what_is_counted(found: Found, most: int) -> str:
    """What a p-value is, and down to which one the skies of a run count.

    Args:
        found: the run.
        most: isotropic skies behind the p-values of the predictor that has most of them.
    """
    reach = float(significance(1 / (1 + most)))
    text = (
        "The p-value of a sky is (1 + number of isotropic skies that look at least as much like signal) /"
        " (1 + number of isotropic skies). Drawn is the median sky of each number of signal cosmic rays."
        f" With {whole(most)} isotropic skies a p-value can be counted down to"
        f" {1 / (1 + most):.1e} ({reach:.1f}σ); beyond the value that {ENOUGH} isotropic skies reach it is taken from"
        " an exponential that is fitted to the largest isotropic statistics, and marked as such."
    )
    extended = [
        f"{found.metrics.title(name)} in {whole(len(values))} further isotropic skies"
        for name, values in found.ensembles.items()
    ]
    if extended:
        text += f" Counted in larger ensembles: {'; '.join(extended)}."
    if measured_sigma(most) < FIVE_SIGMA:
        text += " So every number for 5σ in this run is extrapolated: read it with the checks of the tails below."
    return text


def tails_of(found: Found, world: str) -> dict[str, tuple[Values, Tail]]:
    """Isotropic statistics and their tails by predictor, where there is something to fit."""
    tails = {}
    for name in found.kinds:
        if name in found.scored[world].predictions:
            isotropic = found.isotropic(name)
            if len(isotropic) >= LEAST_ISOTROPIC and np.isfinite(isotropic).all() and np.ptp(isotropic) > 0:
                tails[name] = (isotropic, fit_tail(isotropic))
    return tails


def tail_section(found: Found, world: str) -> Section | None:
    """Is the fitted tail an exponential?"""
    if world not in found.worlds or not (tails := tails_of(found, world)):
        return None
    doubtful, heavy, light = [], [], []
    for name, (_, tail) in tails.items():
        if tail.exponential < 0.01:
            doubtful.append(found.metrics.title(name))
        if tail.shape > CLEARLY * tail.shape_error:
            heavy.append(found.metrics.title(name))
        if tail.shape < -CLEARLY * tail.shape_error:
            light.append(found.metrics.title(name))
    lines = [
        f"Not an exponential (probability below 1 %): {', '.join(doubtful) or 'none'}.",
        f"Heavier by more than two errors, which makes extrapolated p-values too small: {', '.join(heavy) or 'none'}.",
        f"Lighter, which makes extrapolated p-values too large: {', '.join(light) or 'none'}.",
    ]
    numbers = "; ".join(
        f"{found.metrics.title(name)}: shape {plus_minus(tail.shape, tail.shape_error)}, exponential with P ="
        f" {tail.exponential:.2g}, scale {plus_minus(tail.scale, tail.scale_error)}, {tail.n} excesses of"
        f" {whole(len(isotropic))} isotropic skies"
        for name, (isotropic, tail) in tails.items()
    )
    return Section(
        "Where measurement ends: the tails",
        "Beyond the last isotropic skies a p-value is the continuation of a fit. The fit is checked: the shape of a"
        " generalised Pareto distribution is 0 for an exponential, positive for heavier tails, and the probability of"
        f" the excesses if they were exponential should not be small.\n\n{items(lines)}",
        (
            picture(
                "tails",
                drawings.tail_figure(tails, found.metrics.titles),
                f"Fraction of isotropic skies above a test statistic ({found.world(world)}), and the"
                " exponential fitted to the largest ones, with its error. Dotted: the value that"
                f" {ENOUGH} isotropic skies reach, where measurement ends. {numbers}.",
                "Survival functions of the isotropic test statistic with fitted exponential tails, for each predictor.",
            ),
        ),
    )


def uniformity_section(found: Found) -> Section | None:
    """Are p-values of isotropic skies uniform?"""
    if TEST not in found.scored:
        return None
    p: dict[str, Values] = {}
    counted = {}
    for name in found.kinds:
        statistics = {
            sample: one.predictions[name].mean[one.truth[:, 0] == 0, 0].astype(np.float64)
            for sample, one in found.scored.items()
            if name in one.predictions
        }
        tested = statistics.pop(TEST, np.zeros(0))
        isotropic = np.concatenate([*statistics.values(), found.ensembles.get(name, np.zeros(0))])
        values = np.concatenate([tested, isotropic])
        if min(len(tested), len(isotropic)) >= ENOUGH and np.isfinite(values).all() and np.ptp(values) > 0:
            p[name], counted[name] = p_value(tested, isotropic), len(isotropic)
    if not p:
        return None
    tests = {name: uniformity(values, counted[name]) for name, values in p.items()}
    low = [f"{found.metrics.title(name)} (P = {one.p:.2g})" for name, one in tests.items() if one.p < 0.01]
    text = (
        "A p-value is one only if it is uniform on isotropic skies. Tested are those of the test split, on which"
        f" nothing was trained ({whole(max(len(values) for values in p.values()))}); counted is in the isotropic skies"
        f" of all other samples, simulated by themselves ({whole(min(counted.values()))} or more). So skies of"
        " different samples are alike, or their p-values are not uniform (Kolmogorov and Smirnov)."
        f" Not uniform at 1 %: {', '.join(low) or 'none'}; {len(tests)} predictors were tested."
        " Statistics that are counts have ties, which make their p-values larger than uniform ones, never smaller."
    )
    return Section(
        "Are the p-values p-values?",
        text,
        (
            picture(
                "uniformity",
                drawings.uniformity_figure(p, counted, found.metrics.titles, found.kinds),
                "Fraction of isotropic skies with a p-value below p, minus p; the probability of such a distance"
                " behind each name. A curve above zero has too many small p-values.",
                "Differences of cumulative distributions of p-values from uniformity, with a 95 % band.",
            ),
        ),
    )
