"""The label doctor: statistics of label files, and what is wrong with them."""

from ..labels.boundary_distance import relative_distance
from .examine import Examination, examine
from .fatal import fatal_among, fatal_findings, quick_look
from .findings import Finding
from .from_config import from_config
from .from_folder import from_folder
from .inputs import LabelItem, LabelSet, Reading
from .report import report_dict, report_text, verdict
from .rules import diagnose

__all__ = [
    'Examination',
    'Finding',
    'LabelItem',
    'LabelSet',
    'Reading',
    'diagnose',
    'examine',
    'fatal_among',
    'fatal_findings',
    'from_config',
    'from_folder',
    'quick_look',
    'relative_distance',
    'report_dict',
    'report_text',
    'verdict',
]
