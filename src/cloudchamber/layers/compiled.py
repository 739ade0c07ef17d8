"""Where compiled loops stand in for torch: single precision on a CPU, outside of exports and traces."""

from __future__ import annotations

import torch
from torch import Tensor


def compiled(*arrays: Tensor) -> bool:
    """Whether compiled loops can take all of these.

    Examples:
        >>> compiled(torch.zeros(2)), compiled(torch.zeros(2), torch.zeros(2, dtype=torch.float64))
        (True, False)
    """
    return not torch.compiler.is_compiling() and all(
        array.device.type == "cpu" and array.dtype == torch.float32 for array in arrays
    )
