"""What a sky looks like: arrival directions as they are observed, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape

import numpy as np

from cloudchamber.report.figures import picture
from cloudchamber.report.page import Section
from cloudchamber.report.skies_map_figures import Sky, sky_maps
from cloudchamber.report.skies_run import FIELDS, Found, Values
from cloudchamber.report.words import whole


def observed(maps: Mapping[str, Values], number: int, title: str) -> Sky:
    """A panel with one of the skies of ``explanations/maps.h5``, coloured by energy."""
    return Sky(maps["direction"][number], maps["energy"][number], title)


def truth(maps: Mapping[str, Values], number: int, title: str, estimate: Values | None = None) -> Sky:
    """The same with signal and source."""
    sky = observed(maps, number, title)
    return replace(sky, signal=maps["signal"][number], source=maps["source"][number], said=estimate)


def amount(maps: Mapping[str, Values], number: int) -> str:
    """``"30 of 1000 from a source"``."""
    signal = maps["signal"][number] > 0
    return f"{int(signal.sum())} of {len(signal)} signal" if signal.any() else "isotropic"


def data_section(found: Found, maps: Mapping[str, Values]) -> Section | None:
    """What a sky looks like."""
    if "direction" not in maps or not len(maps["direction"]):
        return None
    config = found.config
    number = maps["signal"].sum(axis=1).astype(np.int64)
    strong, faint = int(number.argmax()), int(np.where(number > 0, number, number.max() + 1).argmin())
    panels = [observed(maps, strong, f"{amount(maps, strong)}: what is observed")]
    chosen = dict.fromkeys([strong, faint, int(number.argmin())])
    panels += [truth(maps, one, f"{amount(maps, one)}: the truth") for one in chosen]
    deflection = FIELDS.get(config.field, config.field)
    if config.field == "minimal":
        deflection += f", {config.coherent:g} rad EV / R and {config.blurring:g} rad EV / R"
    text = (
        f"A sky has {whole(config.cosmic_rays)} cosmic rays above {config.minimum_energy:g} EeV, seen with the exposure"
        f" <i>{escape(config.exposure)}</i>; half of all skies are isotropic. Signal cosmic rays of the training skies"
        f" have the composition <i>{escape(config.composition)}</i> and are deflected by {escape(deflection)}, R being"
        " the rigidity, energy over charge."
    )
    return Section(
        "The data",
        text,
        (
            picture(
                "skies",
                sky_maps(panels),
                "Skies of the test split in Galactic coordinates (Mollweide projection, Galactic centre in the middle,"
                " longitude grows to the left); the area of a point grows with its energy. A predictor sees what is"
                " observed; which cosmic rays are signal it has to find out.",
                "Maps of arrival directions: one coloured by energy, the others with signal cosmic rays marked.",
            ),
        ),
    )
