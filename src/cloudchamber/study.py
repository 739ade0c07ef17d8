"""A study: one question to physics, as data. This module knows what a study is and finds studies; it runs none.

A study is one file that ends with ``study = Study(...)``: in ``cloudchamber/studies/``, in an installed package (entry
point group ``cloudchamber.studies``), or a path on the command line (``cloudchamber run ./mine.py``).
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Inputs, Prediction, Records, Samples
from cloudchamber.schema import Array, Arrays, BadInput, Config, did_you_mean

if TYPE_CHECKING:
    from cloudchamber.report.page import Section

PRESETS = ("tiny", "quick", "standard", "paper")


class Predictor(Protocol):
    """A network or a baseline: both learn from the same samples and answer for the same inputs.

    Attributes:
        title: a few words for tables, e.g. ``"ridge on centrality moments"``.
        kind: ``"network"``, ``"baseline"`` (physicist's method or statistical learner) or ``"floor"``.
    """

    title: str
    kind: str

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Learn; write to ``directory`` what ``restore`` needs. Called again after a crash, it goes on from there."""
        ...

    def restore(self, directory: Path) -> None:
        """Be again what ``fit`` left in ``directory``."""
        ...

    def predict(self, inputs: Inputs) -> Prediction:
        """Predict for inputs (sample, ...): columns as in the targets it was fitted to."""
        ...


Row = dict[str, Any]
"""One line of metrics.json: predictor, sample, target, metric, value, error, n, floor, unit."""


@dataclass(frozen=True)
class Probe:
    """A second data set on which the fitted predictors are scored: what breaks when the world is not the training's.

    Attributes:
        title: what is different, a few words.
        change: the training configuration to the probe's configuration.
        records: number of records to simulate, given the training configuration.
    """

    title: str
    change: Callable[[Any], Any]
    records: Callable[[Any], int]


@dataclass(frozen=True)
class SearchSpace:
    """What ``cloudchamber search`` tries: values of settings, and the score of the validation split that ranks them.

    Attributes:
        choices: setting to the values tried; ``(low, high, "log")`` and ``(low, high, "linear")`` are ranges, of whole
            numbers if both ends are.
        predictor: the one that is fitted.
        target, metric: of the row of ``Study.rows`` that is the score.
        direction: ``"maximize"`` or ``"minimize"``.
        changes: settings of the preset that are other during trials (fewer epochs); the winner is trained without them.
    """

    choices: Mapping[str, tuple[Any, ...]]
    predictor: str
    target: str
    metric: str
    direction: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A question to physics, and everything particular to it.

    Attributes:
        name, title, question, reference: what it is; ``reference`` holds arXiv numbers or DOIs.
        presets: configuration by preset name (tiny, quick, standard, paper).
        schema: every array on disk; the first axis is the record.
        lengths: configuration to the lengths of named axes that a user's data must share (other than the record's).
        records: configuration to the number of records of a full data set.
        records_per_chunk: records that one task of the farm simulates.
        learning_settings: settings that do not change the data: a data set serves all their values. Simulation sees
            their defaults.
        simulate: (configuration, first record, number, seed sequence of the chunk) to arrays of those records.
        input_name, input: what ``inputs`` makes; a user may give it ready-made by that name.
        input_lengths: configuration to the lengths of the inputs' axes.
        inputs: (configuration, records, generator or None) to inputs; with a generator an augmented copy.
        targets: (configuration, records) to (record, target).
        target_names, target_unit: columns of the targets and their common unit.
        groups: (configuration, records) to one integer a record: a group stays in one split. None: each its own.
        predictors: (configuration, seed, device) to fresh predictors by name, in the order of tables.
        rows: (truth, prediction by predictor, generator) to rows of metrics; called for the test split and each probe.
        probes: further data sets by name.
        gallery: (configuration, data set) to the arrays that the report's pictures of the data need (``gallery.h5``).
        explanations: by name, (configuration, predictors, test samples, generator) to arrays of ``explanations/``.
        sections: (configuration, run directory) to the sections of the report page. None: the standard ones.
        truth: columns that only a simulation knows; targets and groups are made of them. Empty: the columns with one
            number a record.
        null: (configuration, inputs of one record or None, number, seed sequence) to so many inputs of the null
            hypothesis, like that record where one is given (else like the training's): what turns the first column of
            a prediction, a test statistic, into a p-value; those of all samples judge each other. ``rows`` gets further
            ones with nan for all that is not the statistic. None: the study is no search.
        read: (configuration, path, mapping) to the observed columns of a user's file of a kind of its own (say, a
            catalogue), None if it is no such file.
        resembles: inputs to the numbers (sample, ...) by which ``evaluate`` tells whether new inputs lie in the range
            of the training's. None: the inputs themselves.
        search: the settings that ``cloudchamber search`` varies. None: nothing to search.
        headline: (predictor, target, metric) of the number that ``cloudchamber list`` shows.
        citation: BibTeX key or plain citation of the publication.
        extras: names of optional extras without which it cannot run.
    """

    name: str
    title: str
    question: str
    reference: str
    presets: Mapping[str, Config]
    schema: Mapping[str, Array]
    lengths: Callable[[Any], dict[str, int]]
    records: Callable[[Any], int]
    records_per_chunk: int
    simulate: Callable[[Any, int, int, np.random.SeedSequence], Arrays]
    input_name: str
    input: Array
    input_lengths: Callable[[Any], dict[str, int]]
    inputs: Callable[[Any, Arrays, np.random.Generator | None], Inputs]
    targets: Callable[[Any, Arrays], NDArray[np.float32]]
    target_names: tuple[str, ...]
    target_unit: str
    predictors: Callable[[Any, int, str], dict[str, Predictor]]
    rows: Callable[[NDArray[np.float32], Mapping[str, Prediction], np.random.Generator], list[Row]]
    headline: tuple[str, str, str]
    groups: Callable[[Any, Arrays], NDArray[np.int64]] | None = None
    truth: tuple[str, ...] = ()
    null: Callable[[Any, Inputs | None, int, np.random.SeedSequence], Inputs] | None = None
    read: Callable[[Any, Path, Mapping[str, str] | None], Arrays | None] | None = None
    resembles: Callable[[Inputs], NDArray[np.float64]] | None = None
    learning_settings: tuple[str, ...] = ()
    probes: Mapping[str, Probe] = field(default_factory=dict)
    gallery: Callable[[Any, Records], Arrays] | None = None
    explanations: Mapping[str, Callable[[Any, Mapping[str, Predictor], Samples, np.random.Generator], Arrays]] = field(
        default_factory=dict
    )
    sections: Callable[[Any, Path], list[Section]] | None = None
    search: SearchSpace | None = None
    citation: str = ""
    extras: tuple[str, ...] = ()

    @property
    def truth_columns(self) -> tuple[str, ...]:
        """The columns that targets and groups are made of; a user's data need not have them."""
        return self.truth or tuple(name for name, array in self.schema.items() if len(array.axes.split()) == 1)

    def data_config(self, config: Any) -> Any:
        """The configuration as simulation sees it: settings that only learning uses are at their defaults."""
        fields = type(config).model_fields
        return config.changed({name: fields[name].default for name in self.learning_settings})

    def preset(self, name: str) -> Config:
        """The configuration of a preset; BadInput (status 2) with did-you-mean if there is none."""
        if name not in self.presets:
            raise BadInput(f"study {self.name!r} has no preset {name!r}{did_you_mean(name, self.presets)}", status=2)
        return self.presets[name]


def study_names() -> dict[str, str]:
    """Every study that can be found: name to the module that holds it. Imports none of them."""
    home = Path(__file__).parent / "studies"
    modules = [module.name for module in pkgutil.iter_modules([str(home)])]
    found = {name.replace("_", "-"): f"cloudchamber.studies.{name}" for name in modules}
    return found | {point.name: point.value.split(":")[0] for point in entry_points(group="cloudchamber.studies")}


def load_study(name: str) -> Study:
    """The study of that name, or from that file if ``name`` ends in ``.py``.

    Raises:
        BadInput: no such study (did-you-mean), no such file, or a file without ``study``; status 2.
    """
    if name.endswith(".py"):
        path = Path(name).resolve()
        if not path.is_file():
            raise BadInput(f"no file {name!r}: give the path of a file that ends with study = Study(...)", status=2)
        module_name = f"cloudchamber_study_{path.stem}"
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise BadInput(f"{path} cannot be imported: {type(error).__name__}: {error}", status=2) from error
    else:
        known = study_names()
        if name not in known:
            raise BadInput(f"unknown study {name!r}{did_you_mean(name, known)}", status=2)
        module = importlib.import_module(known[name])
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        raise BadInput(f"{name!r} defines no study: end the file with study = Study(...)", status=2)
    return study
