"""From label maps to the files of annotation tools."""

from .outlines import outline
from .strokes import centre_lines
from .write import EXPORTS, write_annotations

__all__ = ['EXPORTS', 'centre_lines', 'outline', 'write_annotations']
