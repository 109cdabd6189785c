"""Class label filtering as a refiner."""

from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.functional import filter_class_logits, filter_classes

from ..features import Features

#: What may be filtered, and how.
_FILTERS = {'logits': filter_class_logits, 'prob': filter_classes}


@MODELS.register_module()
class ClassLabelFilter(BaseModule):
    """TRL's CLF: absent classes are never predicted.

    A refiner of logits, for ``test_cfg.refiner`` of a segmentor that knows
    the images' tags, such as
    :class:`~mmseg_sparse.models.segmentors.HeatmapRefiner`. The formulas are
    those of :func:`~mmseg_sparse.functional.filter_classes` and
    :func:`~mmseg_sparse.functional.filter_class_logits`.

    Args:
        kind: ``'logits'``, which is what segmentors refine, or ``'prob'``.
        background: Index of the class that has no tag; None: all have.

    Raises:
        ValueError: If ``kind`` is neither; in ``forward``, if ``feats`` has
            no ``tags``.
    """

    def __init__(
        self, kind: str = 'logits', background: int | None = 0
    ) -> None:
        super().__init__()
        if kind not in _FILTERS:
            raise ValueError(
                f'kind must be one of {sorted(_FILTERS)}, got {kind!r}'
            )
        self.kind = kind
        self.background = background

    def forward(
        self,
        logits: Tensor,
        feats: Features,
        labels: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Return ``logits`` ``(N, C, H, W)`` without absent classes.

        Args:
            logits: Logits, or what ``kind`` says.
            feats: Has ``tags``, ``(N, C - 1)`` or ``(N, C)``.
            labels: Not looked at.
            valid: Not looked at.
        """
        if feats.tags is None:
            raise ValueError(
                'ClassLabelFilter found no tags of the images: use it as '
                'test_cfg.refiner of a HeatmapRefiner, and let the pipeline '
                'pack gt_label'
            )
        return _FILTERS[self.kind](
            logits, feats.tags.to(logits.device), background=self.background
        )
