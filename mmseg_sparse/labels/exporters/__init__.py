"""From label maps to the files of annotation tools."""

from .outlines import outline
from .write import EXPORTS, write_annotations

__all__ = ['EXPORTS', 'outline', 'write_annotations']
