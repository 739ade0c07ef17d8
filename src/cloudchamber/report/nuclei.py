"""The sections of the nuclear-shape report (arXiv:1906.06429), made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudchamber.report import nuclei_data as data
from cloudchamber.report import nuclei_explanations as explanations
from cloudchamber.report import nuclei_results as results
from cloudchamber.report import nuclei_transfer as transfer
from cloudchamber.report.files import read_arrays, read_history
from cloudchamber.report.nuclei_run import Names, ShapeConfig, read_run
from cloudchamber.report.page import Section
from cloudchamber.schema import BadInput


def nuclear_shape_sections(
    run: Path, config: ShapeConfig, probe_titles: Mapping[str, str] | None = None, names: Names | None = None
) -> list[Section]:
    """The sections of the page, from the files of a run directory; parts whose files are missing are left out.

    Args:
        run: the directory.
        config: of the study.
        probe_titles: what is different in each probe, by name.
        names: which predictors play which part.

    Raises:
        BadInput: a file is malformed.
    """
    found = read_run(run, config, names or Names())
    gallery = read_arrays(run / "gallery.h5")
    attention, maps, features, sanity = (
        read_arrays(run / "explanations" / f"{name}.h5") for name in ("attention", "maps", "features", "sanity")
    )
    titles = dict(probe_titles or {})
    try:
        sections = [
            results.summary(found),
            data.nuclei_section(config),
            data.collision_section(gallery),
            data.image_section(found, gallery),
            results.training_section(found, read_history(run / "history.csv")),
            results.comparison_section(found),
            results.degeneracy_section(found, gallery),
            results.uncertainty_section(found),
            *(transfer.transfer_section(found, name, titles.get(name, name)) for name in transfer.probes(found)),
            explanations.attention_section(found, attention, gallery),
            explanations.maps_section(found, maps, gallery),
            explanations.sanity_section(sanity),
            explanations.features_section(features),
        ]
    except (KeyError, IndexError, ValueError) as error:
        raise BadInput(
            f"{run}: an array of the run directory is missing or has another shape ({error}): run the study again"
        ) from None
    return [section for section in sections if section is not None]
