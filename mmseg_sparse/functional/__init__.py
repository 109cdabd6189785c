"""The math: tensors in, tensors out, by torch and SciPy alone."""

from .affinity import (
    affinity_labels,
    affinity_loss,
    random_walk,
    window_mask,
)
from .attention import (
    Attention,
    attention_affinity,
    mean_attention,
    symmetric_scores,
)
from .balanced_cross_entropy import balanced_cross_entropy
from .blp import annotation_loss, blp_loss, partial_focal_loss
from .cam import (
    class_activation,
    merge_activations,
    normalize_activation,
    top_k_pool,
)
from .dense_crf import dense_crf_energy
from .feature_consistency import (
    feature_consistency,
    feature_distance,
    feature_regularization,
)
from .local_aggregation import local_aggregate
from .mean_field import PairwiseKernels, mean_field
from .mean_teacher import (
    mean_confidence,
    precision_counts,
    random_boxes,
    teacher_labels,
    teacher_loss,
)
from .pixel_adaptive import (
    PixelAffinity,
    pixel_adaptive_refine,
    pixel_affinity,
)
from .potts import potts_energy
from .pseudo_labels import (
    filter_class_logits,
    filter_classes,
    labels_from_best,
    labels_from_margin,
    labels_from_scores,
    labels_from_two_scores,
    with_background,
)
from .resize import resize_inside, valid_on_grid
from .self_training import self_training_labels
from .tree_energy import tree_energy
from .tree_filter import SpanningTree, tree_filter

__all__ = [
    'Attention',
    'PairwiseKernels',
    'PixelAffinity',
    'SpanningTree',
    'affinity_labels',
    'affinity_loss',
    'annotation_loss',
    'attention_affinity',
    'balanced_cross_entropy',
    'blp_loss',
    'class_activation',
    'dense_crf_energy',
    'feature_consistency',
    'feature_distance',
    'feature_regularization',
    'filter_class_logits',
    'filter_classes',
    'labels_from_best',
    'labels_from_margin',
    'labels_from_scores',
    'labels_from_two_scores',
    'local_aggregate',
    'mean_attention',
    'mean_confidence',
    'mean_field',
    'merge_activations',
    'normalize_activation',
    'partial_focal_loss',
    'pixel_adaptive_refine',
    'pixel_affinity',
    'potts_energy',
    'precision_counts',
    'random_boxes',
    'random_walk',
    'resize_inside',
    'self_training_labels',
    'symmetric_scores',
    'teacher_labels',
    'teacher_loss',
    'top_k_pool',
    'tree_energy',
    'tree_filter',
    'valid_on_grid',
    'window_mask',
    'with_background',
]
