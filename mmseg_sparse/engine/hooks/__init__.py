"""Hooks, registered with mmseg's ``HOOKS``."""

from .checkpoint import ResumableCheckpointHook

__all__ = ['ResumableCheckpointHook']
