"""Lenses on disk: made once, found again; another version, damage and a killed writer cost one line and a new lens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloudchamber.data import lenses
from cloudchamber.data.lenses import cached_lens
from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays.lens import Lens, make_lens

GRID = np.array([20.0, 100.0])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOUDCHAMBER_CACHE", str(tmp_path))
    return tmp_path / "lenses"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The fields of the lenses that were made rather than read."""
    made: list[str] = []

    def noted(field: str, *rest: object) -> Lens:
        made.append(field)
        return make_lens(field, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(lenses, "make_lens", noted)
    return made


def get(seed: int = 0, grid: np.ndarray = GRID) -> Lens:
    return cached_lens("jf12-regular", 2, grid, seed)


def test_a_lens_is_made_once_for_each_field_seed_and_grid(cache: Path, made: list[str]) -> None:
    first, second = get(), get()
    assert made == ["jf12-regular"]
    assert (second.field, second.nside) == ("jf12-regular", 2)
    assert np.array_equal(second.rigidities, GRID)
    assert np.array_equal(first.outside, second.outside)
    assert second.outside.dtype == np.float32
    assert len(list(cache.glob("*.h5"))) == 1
    get(seed=1)
    get(grid=GRID * 2)
    assert len(made) == len(list(cache.glob("*.h5"))) == 3


def test_a_lens_of_another_version_is_named_and_made_again(
    cache: Path, made: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    get()
    monkeypatch.setattr(lenses, "LENS_VERSION", lenses.LENS_VERSION + 1)
    get()
    (line,) = caplog.messages
    assert f"of lens version {lenses.LENS_VERSION - 1}, not {lenses.LENS_VERSION}; making the lens again" in line
    get()
    assert len(made) == 2
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("damage", ["cut", "altered", "empty", "not ours"])
def test_a_damaged_lens_is_named_and_made_again(
    cache: Path, made: list[str], caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    before = get()
    (file,) = cache.glob("*.h5")
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[-5] ^= 1
    file.write_bytes({"cut": whole[:-100], "altered": bytes(changed), "empty": b"", "not ours": b"hello" * 500}[damage])
    again = get()
    assert np.array_equal(again.outside, before.outside)
    assert len(made) == 2
    (line,) = caplog.messages
    assert line.endswith("; making the lens again")
    assert file.name in line
    assert file.read_bytes() == whole  # the same lens gives the same bytes


def test_a_lens_under_another_name_is_made_again(
    cache: Path, made: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    get()
    (file,) = cache.glob("*.h5")
    get(seed=1)
    (other,) = set(cache.glob("*.h5")) - {file}
    file.write_bytes(other.read_bytes())
    get()
    assert len(made) == 3
    assert "is not what its name says" in caplog.text


def test_the_old_file_stays_until_the_new_one_is_complete(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    get()
    (file,) = cache.glob("*.h5")
    before = file.read_bytes()
    monkeypatch.setattr(lenses, "LENS_VERSION", lenses.LENS_VERSION + 1)

    def killed(*_: object) -> Lens:
        raise KeyboardInterrupt

    monkeypatch.setattr(lenses, "make_lens", killed)
    with pytest.raises(KeyboardInterrupt):
        get()
    assert file.read_bytes() == before


def test_unknown_field_and_wrong_nside_are_refused_before_caching(cache: Path) -> None:
    with pytest.raises(BadInput, match="did you mean 'jf12-planck'"):
        cached_lens("jf12-plank", 2, GRID)
    with pytest.raises(BadInput, match="nside 5: give a power of two"):
        cached_lens("jf12", 5, GRID)
    assert not cache.exists()


def test_an_unwritable_cache_says_what_to_set(cache: Path) -> None:
    cache.touch()  # a file where the directory should be
    with pytest.raises(BadInput, match=r"cannot write .*: set CLOUDCHAMBER_CACHE"):
        get()
