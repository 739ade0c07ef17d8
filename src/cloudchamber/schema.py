"""The vocabulary of every room: arrays with axes and units, frozen configurations, the one kind of user error.

Conventions: an array's axes are written as one string of names in C order, ``"shape event"``; the first axis counts the
records of a data set, or the rows that records own (``Array.of``). Units are written once, here, and never in names.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeVar, get_args, get_origin

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

SCHEMA_VERSION = 1

Arrays = dict[str, NDArray[Any]]
"""Named arrays that share their first axis (records), besides those of rows that records own (``Array.of``)."""


Setting = TypeVar("Setting")
LEARNING = "learning"
Learning = Annotated[Setting, LEARNING]
"""``epochs: Learning[int] = Field(40)``: a setting of a configuration that does not change the data.

A data set serves all its values; simulation sees its default (``study.Study.data_config``).
"""


class BadInput(Exception):
    """Something the user gave cannot be used. Its text is one line: what was wrong, what was expected, what to do.

    The command line prints it on standard error and ends with ``status`` (1: data or machine, 2: wrong usage).
    """

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(" ".join(message.split()))
        self.status = status


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest known name, else ``"; known: ..."``.

    Examples:
        >>> did_you_mean("Pbb", ["Pb", "U"]), did_you_mean("x", ["Pb", "U"])
        ("; did you mean 'Pb'?", '; known: Pb, U')
    """
    names = sorted(known)
    folded = {name.lower(): name for name in names}
    same = folded.get(word.lower())
    near = [same] if same is not None else difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"


def finite_number(text: str, what: str) -> float:
    """The number that a user gave as a setting.

    Raises:
        BadInput: it is none, or not finite; status 2.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{what} {text!r}: give a number, such as --set {what}=12", status=2)
    return value


class Config(BaseModel):
    """Base of every configuration: frozen, unknown keys forbidden, defaults validated."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """A validated copy with some fields changed (``--set key=value``; strings are coerced, "none" is None).

        A list is written with commas: ``projectiles=pi+,K-``; "none" is the empty one where a field must have a list.

        Raises:
            BadInput: unknown key (with did-you-mean), or a value out of its bounds; status 2.
        """
        for key in changes:
            if key not in type(self).model_fields:
                raise BadInput(f"unknown setting {key!r}{did_you_mean(key, type(self).model_fields)}", status=2)
        try:
            given = {key: self._read(key, value) for key, value in changes.items()}
            return type(self).model_validate(self.model_dump() | given)
        except ValidationError as error:
            first = error.errors()[0]
            what = first["msg"].removeprefix("Value error, ")
            if not first["loc"]:
                raise BadInput(what, status=2) from None
            key = str(first["loc"][0])
            where, found = ".".join(map(str, first["loc"])), first["input"]
            if isinstance(changes.get(key), str) and isinstance(known := getattr(self, key), tuple):
                where, found = key, changes[key]
                if first["type"] != "value_error":
                    what += f": give a list with commas, such as {key}={','.join(map(str, known)) or 'a,b'}"
            raise BadInput(f"{where} = {found!r}: {what}", status=2) from None

    def _read(self, key: str, value: Any) -> Any:
        """What pydantic is to make of a value that may be text."""
        if not isinstance(value, str):
            return value
        annotation = type(self).model_fields[key].annotation
        forms = (annotation, *get_args(annotation))  # the type itself, or those of a union
        listed = any(get_origin(form) is tuple for form in forms)
        if value == "none":
            return [] if listed and type(None) not in forms else None
        return [one.strip() for one in value.split(",")] if listed else value


def fingerprint(content: Any) -> str:
    """Sixteen hexadecimal digits that change when the JSON form of ``content`` changes."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Array:
    """One named array of a data set: its axes, unit, meaning and bounds.

    Attributes:
        axes: names of the axes in C order, e.g. ``"shape event"``.
        unit: unit of the values, ``""`` if dimensionless.
        doc: what it is, one line.
        dtype: numpy type on disk.
        low, high: smallest and largest value that makes sense (inclusive), None for no bound.
        of: the column of whole numbers that says how many rows of this array each record owns, e.g. ``"count"`` of the
            particles of events; the rows of the records follow each other. None: one row a record.
    """

    axes: str
    unit: str
    doc: str
    dtype: str = "float32"
    low: float | None = None
    high: float | None = None
    of: str | None = None

    def check(self, name: str, values: NDArray[Any], lengths: Mapping[str, int] | None = None) -> None:
        """Refuse values that do not fit, with column, expected axes and unit, found shape and finite fraction.

        Args:
            name: the column's name, for the message.
            values: the array.
            lengths: required lengths of named axes, where known.

        Raises:
            BadInput: wrong number of axes, wrong length of an axis, not numeric, not finite, or out of bounds.
        """
        axes = self.axes.split()
        expected = ", ".join(f"{axis}={lengths[axis]}" if lengths and axis in lengths else axis for axis in axes)
        column = f"column {name!r}: expected ({expected}) in {self.unit or 'no unit'}"
        if values.dtype.kind not in "fiub":
            raise BadInput(f"{column}, found type {values.dtype}: give numbers")
        fits = values.ndim == len(axes) and all(
            lengths is None or axis not in lengths or length == lengths[axis]
            for axis, length in zip(axes, values.shape, strict=True)
        )
        if not fits:
            raise BadInput(f"{column}, found shape {values.shape}: give an array of the expected shape")
        finite = np.isfinite(values)
        if not finite.all():
            share = math.floor(finite.mean() * 1e5) / 1e5  # never 100 %
            raise BadInput(
                f"{column}, found shape {values.shape} with only {share:.3%} finite values: remove NaN and inf"
            )
        for bound, broken, word in ((self.low, np.less, "below"), (self.high, np.greater, "above")):
            if bound is not None and values.size and (wrong := broken(values, bound)).any():
                raise BadInput(
                    f"{column}, found {wrong.mean():.3%} of values {word} {bound:g} "
                    f"(range {values.min():.4g} to {values.max():.4g}): check the unit"
                )
