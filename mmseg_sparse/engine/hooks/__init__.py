"""Hooks, registered with mmseg's ``HOOKS``."""

from .checkpoint import ResumableCheckpointHook
from .finite_loss import FiniteLossHook, LossError
from .interrupt import InterruptHook
from .run_start import RunStartHook

__all__ = [
    'FiniteLossHook',
    'InterruptHook',
    'LossError',
    'ResumableCheckpointHook',
    'RunStartHook',
]
