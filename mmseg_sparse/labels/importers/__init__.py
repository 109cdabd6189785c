"""Readers of annotation formats, one a file, and what they share."""

from .formats import FORMATS, load_reader, reader_options

__all__ = ['FORMATS', 'load_reader', 'reader_options']
