"""What autodoc shows of configurations and tuples: their fields with meaning and default, without pydantic's own."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx

from cloudchamber.schema import Config

NOISE = {"model_config", "model_post_init", "model_fields", "model_computed_fields"}


def is_config(found: Any) -> bool:
    """Whether it is a class of settings."""
    return isinstance(found, type) and issubclass(found, Config)


def add_fields(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Settings with default and meaning, behind the docstring of a configuration."""
    if what == "class" and is_config(found):
        own = {key: one for key, one in found.model_fields.items() if key in vars(found).get("__annotations__", {})}
        for key, one in own.items():
            lines += ["", f":ivar {key}: {described(one)}"]


def described(field: FieldInfo) -> str:
    """Meaning and default of a setting."""
    default = "" if field.default is PydanticUndefined else f" (``{field.default!r}``)"
    return f"{field.description or ''}{default}"


def shorten_signature(
    app: Sphinx, what: str, name: str, found: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    """None for a configuration, which is made by ``changed`` and from files; others as ``shorter`` has them."""
    if what == "class" and is_config(found):
        return "", None
    return None if signature is None else (shorter(signature), None if returned is None else shorter(returned))


def shorter(signature: str) -> str:
    """Defaults that are functions as dots, and arrays by the name that the code has for them."""
    signature = re.sub(r"<function (?:[^<>]|<\w+>)*>", "...", signature)
    array = r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[([^\[\]]+(?:\[[^\[\]]*\])?)\]\]"
    return re.sub(array, r"~numpy.typing.NDArray[\1]", signature)


def skip(app: Sphinx, what: str, name: str, found: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out pydantic's own, fields of named tuples, which say that they are fields, and functions of others."""
    document = getattr(found, "__doc__", None) or ""
    foreign = inspect.isroutine(found) and not (getattr(found, "__module__", "") or "").startswith("cloudchamber")
    return True if name in NOISE or foreign or document.startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hooks."""
    app.connect("autodoc-process-docstring", add_fields, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
