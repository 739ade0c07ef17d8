"""Search for settings: ranking, processes that share, a kill and what follows, bad input, no look at the test split."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloudchamber.data.samples import Samples
from cloudchamber.schema import BadInput
from cloudchamber.search import Search, new_search, open_search, search
from cloudchamber.study import PredictorStudy, load_study

SOURCE = str(Path(__file__).parent / "search_study.py")
COMMAND = [sys.executable, "-m", "cloudchamber.cli", "search"]


def begin(home: Path, study: PredictorStudy | None = None, **other: Any) -> Search:
    given: dict[str, Any] = {"trials": 8, "sampler": "random", "winner_seeds": 0, **other}
    settings = given.pop("settings", {})
    return new_search(study or load_study(SOURCE), SOURCE, "tiny", settings, given.pop("seed", 1), home, **given)


def with_space(**changes: Any) -> PredictorStudy:
    study = load_study(SOURCE)
    assert study.search is not None
    return dataclasses.replace(study, search=dataclasses.replace(study.search, **changes))


def states(path: Path) -> list[str]:
    """State of every trial of the journal, re-enqueued ones too, read as Optuna's users would."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    storage = JournalStorage(JournalFileBackend(str(path / "journal.log")))
    return [trial.state.name for trial in optuna.load_study(study_name="line", storage=storage).get_trials()]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_search_ranks_trials_and_scores_the_winner_again(sampler: str, tmp_path: Path) -> None:
    """A line is fitted best with the first power and little penalty; the colour does nothing."""
    opened = begin(tmp_path, sampler=sampler, trials=25, winner_seeds=3)
    content = search(opened, 1, "cpu")
    trials = content["trials"]
    assert len(trials) == 25
    scored = [trial["value"] for trial in trials if trial["value"] is not None]
    assert scored == sorted(scored)
    assert len(scored) > 15
    for trial in trials:  # blue has no square: such settings fail by themselves and are counted
        unlawful = trial["settings"]["colour"] == "blue" and trial["settings"]["powers"] == [2]
        assert (trial["value"] is None) == unlawful
        assert ("blue has no square" in (trial["failure"] or "")) == unlawful
    winner = content["winner"]
    assert 1 in winner["settings"]["powers"]
    assert winner["settings"]["penalty"] < 10
    assert winner["seeds"] == [2, 3, 4]
    assert {row["sample"] for row in winner["scores"]} == {"validation", "test"}
    for row in winner["scores"]:
        assert row["mean"] == pytest.approx(np.mean(row["values"]))
        assert row["spread"] == pytest.approx(np.std(row["values"], ddof=1))
        # mean of |0.1 N(0,1)| is 0.08; three splits of 8 records each: 0.06 sqrt(pi/2 - 1) / sqrt(24) = 0.012
        assert abs(row["mean"] - 0.08) < 0.05
    shares = content["importance"]["values"]
    assert shares.keys() == {"penalty", "powers", "colour"}
    assert shares["colour"][0] < max(shares["penalty"][0], shares["powers"][0])
    page = (opened.path / "report.html").read_text()
    for word in ("Trials ranked", "Which settings matter", "fANOVA", "free of the selection", "<svg"):
        assert word in page
    assert {path.name for path in (opened.path / "figures").iterdir()} == {"history.svg", "importance.svg"}
    assert (opened.path / "STATUS").read_text() == "finished\n"
    before = (opened.path / "search.json").stat().st_mtime_ns
    assert search(open_search(opened.path), 1, "cpu") == content  # finished: nothing is done again
    assert (opened.path / "search.json").stat().st_mtime_ns == before


def test_same_seed_same_trials_and_more_of_them(tmp_path: Path) -> None:
    def values(content: dict[str, Any]) -> dict[int, Any]:
        return {trial["number"]: (trial["settings"], trial["value"]) for trial in content["trials"]}

    first = begin(tmp_path)
    found = values(search(first, 1, "cpu"))
    assert values(search(begin(tmp_path), 1, "cpu")) == found
    assert values(search(begin(tmp_path, seed=2), 1, "cpu")) != found
    again = open_search(first.path)
    again.extend(10, None)
    more = values(search(again, 1, "cpu"))
    assert len(more) == 10
    assert {number: more[number] for number in found} == found


def test_score_is_of_the_validation_split_and_the_changes_end_with_the_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No trial reads a record of the test split, and the winner has the preset's own number of records."""
    from cloudchamber import prediction

    sizes: list[int] = []
    original = prediction.split_by_group

    def split(groups: Any, seed: int) -> Any:
        sizes.append(len(groups))
        return original(groups, seed)

    reads: list[np.ndarray] = []
    inputs = Samples.inputs

    def watched(self: Samples, which: Any = None, rng: Any = None) -> Any:
        reads.append(self.indices if which is None else self.indices[which])
        return inputs(self, which, rng)

    monkeypatch.setattr(prediction, "split_by_group", split)
    monkeypatch.setattr(Samples, "inputs", watched)
    search(begin(tmp_path, trials=4), 1, "cpu")
    _, _, test = original(np.arange(60), 1)
    assert set(sizes) == {60}
    assert len(reads) >= 4  # of training and validation, of at least two trials
    assert not np.isin(np.concatenate(reads), test).any()
    sizes.clear()
    search(begin(tmp_path, trials=1, winner_seeds=1), 1, "cpu")
    assert sizes == [60, 80]


def test_two_processes_share_the_trials_of_a_search(tmp_path: Path) -> None:
    path = begin(tmp_path, trials=12, sampler="tpe").path
    done = subprocess.run(
        [*COMMAND, "--resume", str(path), "--workers", "2"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    content = json.loads((path / "search.json").read_text())
    assert len(content["trials"]) == 12
    assert len({json.dumps(trial["settings"]) for trial in content["trials"]}) == 12
    assert len(list((path / "processes").iterdir())) >= 2
    assert set(states(path)) <= {"COMPLETE", "FAIL"}
    assert "winner: trial" in done.stdout
    assert "Warning" not in done.stderr


def test_a_killed_search_goes_on_to_the_trials_asked_for(tmp_path: Path) -> None:
    """Killed in its second trial, the search goes on with the same settings and ends with the trials asked for."""
    gate = tmp_path / "gate"
    words = [SOURCE, "--preset", "tiny", "--trials", "5", "--sampler", "random", "--winner-seeds", "0"]
    environment = os.environ | {"SEARCH_GATE": str(gate)}
    command = [*COMMAND, *words, "--runs", str(tmp_path)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (begun := list(tmp_path.glob("search-line/*/trials/*/begun"))) or begun[0].parent.name == "00000":
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    path = begun[0].parents[2]
    assert states(path).count("RUNNING") == 1
    with (path / "journal.log").open("a") as file:
        file.write('{"op_code":4,"wor')  # and a line that it left half
    gate.touch()
    content = search(open_search(path), 1, "cpu")
    assert len(content["trials"]) == 5
    found = states(path)
    assert len(found) == 6
    assert "RUNNING" not in found
    undisturbed = search(begin(tmp_path, trials=5), 1, "cpu")
    killed = next(trial["settings"] for trial in undisturbed["trials"] if trial["number"] == 1)
    assert killed in [trial["settings"] for trial in content["trials"]]


def test_trials_that_fail_by_themselves_are_counted_unless_all_do(tmp_path: Path) -> None:
    study = with_space(choices={"doomed": (True, False)})
    content = search(begin(tmp_path, study), 1, "cpu")
    assert len(content["trials"]) == 8
    assert {trial["failure"] for trial in content["trials"]} == {None, "RuntimeError: doomed"}
    with pytest.raises(BadInput, match="all 2 trials failed, the last: RuntimeError: doomed"):
        search(begin(tmp_path, with_space(choices={"doomed": (True,)}), trials=2), 1, "cpu")


@pytest.mark.parametrize(
    ("space", "given", "words"),
    [
        ({}, {"sampler": "tpee"}, "did you mean 'tpe'"),
        ({}, {"trials": 0}, "at least 1"),
        ({}, {"settings": {"penalty": "1"}}, "--set penalty"),
        ({}, {"settings": {"recods": "70"}}, "did you mean 'records'"),
        ({"choices": {"penalti": (1, 2)}}, {}, "did you mean 'penalty'"),
        ({"choices": {"penalty": (1.0, -1.0)}}, {}, "penalty = -1.0"),
        ({"choices": {"penalty": ()}}, {}, "no values"),
        ({"direction": "minimise"}, {}, "did you mean 'minimize'"),
        ({"predictor": "lime"}, {}, "did you mean 'line'"),
    ],
)
def test_a_wrong_search_is_refused_and_makes_no_directory(
    space: dict[str, Any], given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=words):
        begin(tmp_path / "runs", with_space(**space), **given)
    assert not (tmp_path / "runs").exists()


def test_wrong_directory_metric_and_study_without_space_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not the directory of a search"):
        open_search(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(BadInput, match="not the record of a search"):
        open_search(tmp_path)
    with pytest.raises(BadInput, match="no search space"):
        begin(tmp_path, load_study(str(Path(__file__).parent / "toy_study.py")))
    other = begin(tmp_path)
    other.note(code="0123456789abcdef")
    with pytest.raises(BadInput, match="data have changed"):
        open_search(other.path)
    opened = begin(tmp_path, with_space(metric="mea"))
    with pytest.raises(BadInput, match="did you mean 'mae of height'"):
        search(opened, 1, "cpu")
    assert (opened.path / "STATUS").read_text().startswith("failed: BadInput")


def test_a_misspelt_sampler_is_refused_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, SOURCE, "--sampler", "randm", "--runs", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "cloudchamber: --sampler 'randm'; did you mean 'random'?\n"
