"""Counts the bytes of tensors, exactly and the same in every run."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class TensorBytes(TorchDispatchMode):
    """Counts the tensors made inside a ``with`` block, backward pass too.

    A process's resident set also holds what the allocator has not given
    back, and differs from run to run by a per cent or two. Memory that an
    operator uses inside itself is not counted.

    Attributes:
        live: Bytes of those tensors that are still there.
        peak: The most bytes that were there at once.
        largest: Elements of the largest of them.
    """

    def __init__(self) -> None:
        """Start from nothing."""
        super().__init__()
        self.live = self.peak = self.largest = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operator and count what it returns."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_iter(out):
            if isinstance(leaf, torch.Tensor):
                self.largest = max(self.largest, leaf.numel())
                self._count(leaf.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._sizes:
            return
        self._sizes[key] = storage.nbytes()
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key)

    def _free(self, key: int) -> None:
        self.live -= self._sizes.pop(key)
