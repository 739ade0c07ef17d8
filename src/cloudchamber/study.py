"""What a study is and how it is found; this module runs none.

A study is one file that ends with ``study = PredictorStudy(...)``, ``study = GeneratorStudy(...)`` or ``study =
ValidationStudy(...)``: in ``cloudchamber/studies/``, in an installed package (entry point group
``cloudchamber.studies``), or anywhere on disk (``cloudchamber run ./mine.py``).
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Inputs, Prediction
from cloudchamber.data.splits import HELD_OUT
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import LEARNING, Array, Arrays, BadInput, Config, did_you_mean

if TYPE_CHECKING:
    from cloudchamber.data.store import Dataset
    from cloudchamber.report.page import Section

PRESETS = ("tiny", "quick", "standard", "paper")

EXTRAS = {
    "root": ("uproot", "--data from ROOT files"),
    "parquet": ("pyarrow", "--data from Parquet files"),
    "geant4": ("geant4_pybind", "hadronic interactions by Geant4"),
    "generators": ("chromo", "hadronic interactions by UrQMD, and HepMC3 files"),
    "export": ("onnxruntime", "`cloudchamber export`: networks for other programs"),
}
"""Optional extras: the module that each installs, and what that is for."""


class Learner(Protocol):
    """What predictors and generators have in common: networks, baselines and floors learn from the same events.

    Attributes:
        title: a few words for tables, e.g. ``"ridge on centrality moments"``.
        kind: ``"network"``, ``"baseline"`` (physicist's method or statistical learner) or ``"floor"``.
    """

    title: str
    kind: str

    def fit(self, train: Any, validation: Any, directory: Path) -> None:
        """Learn; write to ``directory`` what ``restore`` needs. Called again after a crash, it goes on from there."""
        ...

    def restore(self, directory: Path) -> None:
        """Be again what ``fit`` left in ``directory``."""
        ...


class Predictor(Learner, Protocol):
    """A learner that answers for each sample; ``fit`` takes ``data.samples.Samples``."""

    def predict(self, inputs: Inputs) -> Prediction:
        """Predict for inputs (sample, ...): columns as in the targets it was fitted to."""
        ...


class Generator(Learner, Protocol):
    """A learner that makes new events; what an event and a condition are is the study's.

    For example ``simulators.hadronic.events.Events`` and ``Beam``. The floor is the simulator again: truth against
    truth.
    """

    def sample(self, condition: Any, rng: np.random.Generator) -> Any:
        """One event for every entry of ``condition``."""
        ...


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
        target, metric: of the row of ``PredictorStudy.rows`` that is the score.
        direction: ``"maximize"`` or ``"minimize"``.
        changes: settings of the preset that are other during trials (fewer epochs); the winner is trained without them.
    """

    choices: Mapping[str, tuple[Any, ...]]
    predictor: str
    target: str
    metric: str
    direction: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Study:
    """What every study has: a question, configurations, and a simulation of records.

    Attributes:
        name, title, question, reference: what it is; ``reference`` holds arXiv numbers or DOIs.
        presets: configuration by preset name (tiny, quick, standard, paper).
        schema: every array on disk; the first axis is the record, or the rows that records own (``Array.of``).
        simulate: (configuration, first record, number, seed sequence of the chunk) to arrays of those records.
        headline: (learner or subject, target, metric) of the number that ``cloudchamber list`` shows.
        records: configuration to the number of records of a full data set; as it stands, the setting ``records``.
        lengths: configuration to the lengths of named axes that a user's data must share (other than the record's).
        records_per_chunk: records that one task of the farm simulates.
        probes: further data sets by name.
        gallery: (configuration, records or events) to the arrays that the report's pictures of the data need
            (``gallery.h5``).
        sections: (run directory, configuration, titles of the probes by name) to the sections of the report page.
            None: the standard ones.
        citation: BibTeX key or plain citation of the publication.
        extras: names of optional extras without which it cannot run.
    """

    name: str
    title: str
    question: str
    reference: str
    presets: Mapping[str, Config]
    schema: Mapping[str, Array]
    simulate: Callable[[Any, int, int, np.random.SeedSequence], Arrays]
    headline: tuple[str, str, str]
    records: Callable[[Any], int] = lambda config: int(config.records)
    lengths: Callable[[Any], dict[str, int]] = lambda _: {}
    records_per_chunk: int = 100
    probes: Mapping[str, Probe] = field(default_factory=dict)
    gallery: Callable[[Any, Any], Arrays] | None = None
    sections: Callable[[Path, Any, Mapping[str, str]], list[Section]] | None = None
    citation: str = ""
    extras: tuple[str, ...] = ()

    def data_config(self, config: Any) -> Any:
        """The configuration as simulation sees it: settings that only learning uses are at their defaults."""
        fields = type(config).model_fields
        return config.changed({name: one.default for name, one in fields.items() if LEARNING in one.metadata})

    def preset(self, name: str) -> Config:
        """The configuration of a preset; BadInput (status 2) with did-you-mean if there is none."""
        if name not in self.presets:
            raise BadInput(f"study {self.name!r} has no preset {name!r}{did_you_mean(name, self.presets)}", status=2)
        return self.presets[name]


@dataclass(frozen=True, kw_only=True)
class LearningStudy(Study):
    """What studies of predictors and of generators have in common: learners, which can be asked why.

    Attributes:
        explanations: by name, (configuration, learners, test samples or events, random generator) to arrays of
            ``explanations/``.
    """

    explanations: Mapping[str, Callable[[Any, Mapping[str, Any], Any, np.random.Generator], Arrays]] = field(
        default_factory=dict
    )


@dataclass(frozen=True, kw_only=True)
class PredictorStudy(LearningStudy):
    """A question that predictors answer for each record, and everything particular to it.

    Attributes:
        input: what ``inputs`` makes; the first axis is the sample.
        inputs: (configuration, records, generator or None) to inputs; with a generator an augmented copy.
        target_names, target_unit: columns of the targets and their common unit.
        predictors: (configuration, seed, device) to fresh predictors by name, in the order of tables.
        targets: (configuration, records) to (record, target). None: the columns named ``target_names``.
        input_name: a user may give the inputs ready-made, in HDF5, by that name.
        input_lengths: configuration to the lengths of axes that such inputs must have. None: those of the training's.
        rows: (truth, prediction by predictor, generator) to rows of metrics; called for the test split and each probe.
            None: R2, mean absolute error and, where predicted, coverage of every target.
        groups: (configuration, records) to one integer a record: a group stays in one split. None: each its own.
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
    """

    input: Array
    inputs: Callable[[Any, Arrays, np.random.Generator | None], Inputs]
    target_names: tuple[str, ...]
    predictors: Callable[[Any, int, str], dict[str, Predictor]]
    target_unit: str = ""
    targets: Callable[[Any, Arrays], NDArray[np.float32]] | None = None
    input_name: str = "inputs"
    input_lengths: Callable[[Any], dict[str, int]] | None = None
    rows: Callable[[NDArray[np.float32], Mapping[str, Prediction], np.random.Generator], list[Row]] | None = None
    groups: Callable[[Any, Arrays], NDArray[np.int64]] | None = None
    truth: tuple[str, ...] = ()
    null: Callable[[Any, Inputs | None, int, np.random.SeedSequence], Inputs] | None = None
    read: Callable[[Any, Path, Mapping[str, str] | None], Arrays | None] | None = None
    resembles: Callable[[Inputs], NDArray[np.float64]] | None = None
    search: SearchSpace | None = None

    @property
    def truth_columns(self) -> tuple[str, ...]:
        """The columns that targets and groups are made of; a user's data need not have them."""
        return self.truth or tuple(
            name for name, array in self.schema.items() if len(array.axes.split()) == 1 and array.of is None
        )

    def truth_of(self, config: Any, records: Arrays) -> NDArray[np.float32]:
        """The targets (record, target) of records that have the truth."""
        if self.targets is not None:
            return self.targets(config, records)
        return np.stack([records[name] for name in self.target_names], axis=1).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class GeneratorStudy(LearningStudy):
    """A question that new events answer, and everything particular to it.

    Its ``headline`` names a generator, target and metric; ``cloudchamber generate`` takes that generator by itself.

    Attributes:
        events: columns of some records (those with ``Array.of`` as flat rows) to the study's events, which have a
            length and ``ordered(rows)``.
        joined: several sets of events, one after the other, to one.
        condition: events to the condition under which each was made.
        outside: (configuration, condition) to which entries lie outside the training, by the quantity that does (say,
            "energy").
        wanted: (configuration, settings by name, number, whether beyond the training's range) to the condition that
            ``cloudchamber generate`` asks for; BadInput for settings that are none.
        generators: (configuration, seed, device) to fresh generators by name, in the order of tables.
        rows: (configuration of the run, sample's name, training events, true events, events by generator, random
            generator) to rows of metrics; a row may name a ``sample`` of its own (a part of this one). Called for the
            test split ("test"), each probe by its name, and a user's events ("own"); the training events, by which one
            tells who only remembers, come with the test split, else None.
        read: path of a user's file to events.
        writer: (path, attributes of the file) to a context manager that opens a file and gives the function that
            appends events to it, piece by piece; the file is complete when the block ends well, else not there. Say
            ``data.interactions.event_writer``.
        fitting: (configuration, a user's events) to the configuration of the run that learns from those. None: as set.
        held_out: part of the events in the validation split, and as much in the test split.
    """

    events: Callable[[Arrays], Any]
    joined: Callable[[Sequence[Any]], Any]
    condition: Callable[[Any], Any]
    outside: Callable[[Any, Any], Mapping[str, NDArray[np.bool_]]]
    wanted: Callable[[Any, Mapping[str, str], int, bool], Any]
    generators: Callable[[Any, int, str], dict[str, Generator]]
    rows: Callable[[Any, str, Any, Any, Mapping[str, Any], np.random.Generator], list[Row]]
    read: Callable[[Path], Any]
    writer: Callable[[Path, Mapping[str, Any]], AbstractContextManager[Callable[[Any], None]]]
    fitting: Callable[[Any, Any], Any] | None = None
    held_out: float = HELD_OUT


@dataclass(frozen=True)
class CheckResult:
    """What a check has found.

    Attributes:
        rows: of metrics (``metrics.rows.row``), each of a subject of the study; where there is a range in which the
            number must lie, with it (``metrics.criteria.required``).
        arrays: what the report's figures need, by name (slashes make groups): ``checks/<name>.h5``.
    """

    rows: Sequence[Row]
    arrays: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A comparison of the simulator with a conservation law, an analytic limit, another program or data.

    Attributes:
        title: what is checked, a few words for tables.
        run: (configuration, records, records of the probes by name, seed sequence of the check) to what was found. It
            may be ``late``, and may take long: a run goes on behind the last check that was finished.
    """

    title: str
    run: Callable[[Any, Dataset, Mapping[str, Dataset], np.random.SeedSequence], CheckResult]


@dataclass(frozen=True, kw_only=True)
class ValidationStudy(Study):
    """The validation of a simulator: nothing learns; checks compare what it simulates with what must come out.

    Its ``headline`` names a subject, target and metric that one row has.

    Attributes:
        subjects: titles by name of what has rows: modes of the simulator, formulae it is compared with, data.
        checks: by name (of letters, digits, ``_`` and ``-``), in the order in which they are made and shown.
    """

    subjects: Mapping[str, str]
    checks: Mapping[str, Check]


Kind = TypeVar("Kind", bound=Study)
"""One of the kinds of studies."""

KINDS = {PredictorStudy: "predicts", GeneratorStudy: "generates events", ValidationStudy: "validates a simulator"}
"""What a study of each kind does."""


def late(place: str) -> Callable[..., Any]:
    """A function that imports itself when it is first called: naming it costs no torch and no matplotlib.

    It takes positional arguments. A study's ``simulate`` cannot be late: its source is part of the cache's key.

    Args:
        place: module and name, ``"cloudchamber.report.nuclei:nuclear_shape_sections"``.
    """
    module, _, name = place.partition(":")

    def call(*arguments: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*arguments)

    call.__module__, call.__name__ = module, name
    return call


def learners_of(study: Study, config: Config, seed: int, device: str) -> dict[str, Any]:
    """The study's fresh predictors or generators by name, in the order of tables."""
    if isinstance(study, GeneratorStudy):
        return dict(study.generators(config, seed, device))
    assert isinstance(study, PredictorStudy)
    return dict(study.predictors(config, seed, device))


def of_kind(study: Study, kind: type[Kind], command: str) -> Kind:
    """The study, if it is of that kind; BadInput (status 2) that names the command that is not for it, if not."""
    if not isinstance(study, kind):
        what = next(verb for known, verb in KINDS.items() if isinstance(study, known))
        raise BadInput(f"`cloudchamber {command}` is not for study {study.name!r}, which {what}", status=2)
    return study


def installed(extra: str) -> bool:
    """Whether an optional extra is there."""
    return importlib.util.find_spec(EXTRAS[extra][0]) is not None


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
            raise BadInput(f"no file {name!r}: give the path of a file that ends with study = ...", status=2)
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
    if not isinstance(study, tuple(KINDS)):
        expected = " or ".join(f"study = {kind.__name__}(...)" for kind in KINDS)
        raise BadInput(f"{name!r} defines no study: end the file with {expected}", status=2)
    assert isinstance(study, Study)
    return study
