"""Tensors that go where their network goes, but are neither learned, nor averaged, nor kept with its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from torch import Tensor, nn


class Constants(nn.Module):
    """Tensors by name.

    Args:
        tensors: what the network makes again from its settings whenever it is built (tables, whole numbers).
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.tensors = dict(tensors)

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        moved: Any = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.tensors = {name: fn(tensor) for name, tensor in self.tensors.items()}
        return moved  # type: ignore[no-any-return]
