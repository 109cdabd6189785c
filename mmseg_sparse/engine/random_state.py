"""The random state of a process, in a form that checkpoints can hold.

Tensors, numbers, strings, lists and tuples only: what
``torch.load(weights_only=True)`` reads.
"""

import random
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object


def get_random_state() -> dict[str, Any]:
    """Return the state of every global generator that training draws from.

    These are ``random``, numpy's legacy generator, torch's CPU generator
    and, where there is one, that of the current CUDA device.
    """
    # The legacy generator is the one that MMCV's transforms draw from.
    legacy = np.random.get_state()  # noqa: NPY002
    name, keys, position, has_gauss, cached = legacy
    state = {
        'python': random.getstate(),
        'numpy': (
            str(name),
            [int(key) for key in keys],
            int(position),
            int(has_gauss),
            float(cached),
        ),
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put back what :func:`get_random_state` returned.

    A CUDA state is dropped where there is no CUDA, and left as it is where
    the state came from a process without.
    """
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state['numpy']
    legacy = (name, np.array(keys, dtype=np.uint32), *rest)
    np.random.set_state(legacy)  # noqa: NPY002
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def gather_random_states(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the states of all ranks, in order; every rank must call it."""
    return list(all_gather_object(state))
