"""Measures that tests share."""

from collections.abc import Callable

from benchmarks.memory import TensorBytes


def largest_tensor(run: Callable[[], object]) -> int:
    """Return the elements of the largest tensor an operator returns."""
    with TensorBytes() as count:
        run()
    return count.largest


def kept_bytes(run: Callable[[], object]) -> int:
    """Return the bytes ``run`` made that live as long as its result does.

    For a loss: what waits for the backward pass.
    """
    with TensorBytes() as count:
        result = run()
        kept = count.live
    del result
    return kept
