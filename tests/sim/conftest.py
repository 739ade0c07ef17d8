"""A simulator's command as the command line would call it; a module of tests names the function ``COMMAND``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner, Result

from cloudchamber.schema import BadInput


@pytest.fixture(scope="module")
def call(request: pytest.FixtureRequest) -> Callable[..., Result]:
    """Words of the command line to what came of them."""
    app = typer.Typer()
    app.command()(request.module.COMMAND)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def error_of(call: Callable[..., Result]) -> Callable[..., str]:
    """Words of the command line to the text of the BadInput that they raise."""

    def text(*words: object) -> str:
        error = call(*words).exception
        assert isinstance(error, BadInput)
        return str(error)

    return text
