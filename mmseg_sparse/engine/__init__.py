"""Running a training: hooks, and what the tools share."""

from .hooks import ResumableCheckpointHook

__all__ = ['ResumableCheckpointHook']
