"""Segmentors: in which order things run."""

from ..features import Features
from .afa_segmentor import AFASegmentor
from .dual_branch_encoder_decoder import DualBranchEncoderDecoder
from .heatmap_refiner import HeatmapRefiner
from .max_logits_tta import MaxLogitsTTAModel
from .mean_teacher_encoder_decoder import MeanTeacherEncoderDecoder
from .pseudo_labels import PseudoLabels
from .sparse_encoder_decoder import SparseEncoderDecoder

__all__ = [
    'AFASegmentor',
    'DualBranchEncoderDecoder',
    'Features',
    'HeatmapRefiner',
    'MaxLogitsTTAModel',
    'MeanTeacherEncoderDecoder',
    'PseudoLabels',
    'SparseEncoderDecoder',
]
