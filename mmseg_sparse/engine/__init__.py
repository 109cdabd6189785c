"""Running a training: hooks, and what the tools share."""

from .checkpoint_types import allow_history_statistics
from .hooks import ResumableCheckpointHook

allow_history_statistics()

__all__ = ['ResumableCheckpointHook']
