"""Running a training: hooks, and what the tools share."""

from .hooks import (
    FiniteLossHook,
    InterruptHook,
    ResumableCheckpointHook,
    RunStartHook,
)
from .runner import CheckedRunner

__all__ = [
    'CheckedRunner',
    'FiniteLossHook',
    'InterruptHook',
    'ResumableCheckpointHook',
    'RunStartHook',
]
