"""Measures that tests share."""

from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


def largest_tensor(run: Callable[[], object]) -> int:
    """Return the elements of the largest tensor an operator returns."""
    sizes = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for leaf in tree_iter(out):
                if isinstance(leaf, torch.Tensor):
                    sizes.append(leaf.numel())
            return out

    with Watch():
        run()
    return max(sizes)
