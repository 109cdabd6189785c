"""Readers of annotation formats, one a file, and what they share."""
