"""Readers of annotation formats, a module a format."""
