"""Options of a command that are settings of a study, with the study's defaults.

A configuration's module may be slow to import, and ``cloudchamber --help`` must not wait for it: a default is looked up
when an option or its help needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer


@dataclass(frozen=True)
class DefaultOf:
    """The default of settings of a configuration.

    Attributes:
        config: ``"module:class"``.
        settings: their names; the values of several are joined by a colon, those of a list by commas.
    """

    config: str
    settings: tuple[str, ...]

    def __call__(self) -> Any:
        """The value."""
        module, name = self.config.split(":")
        fields = getattr(import_module(module), name).model_fields
        values = [fields[setting].default for setting in self.settings]
        if len(values) > 1:
            return ":".join(f"{value:g}" for value in values)
        return ",".join(values[0]) if isinstance(values[0], tuple) else values[0]

    def __str__(self) -> str:
        return str(self())


def setting(config: str, *names: str, text: str, panel: str) -> Any:
    """An option with the default of settings.

    Args:
        config: their configuration, ``"module:class"``.
        names: of the settings; two are the ends of an interval.
        text: of the help.
        panel: heading under which the help shows it.
    """
    metavar = "LOW:HIGH" if len(names) > 1 else None
    return typer.Option(default_factory=DefaultOf(config, names), help=text, rich_help_panel=panel, metavar=metavar)
