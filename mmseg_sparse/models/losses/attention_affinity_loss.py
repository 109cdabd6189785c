"""SASFormer's affinity loss as a regularizer of a stock decode head."""

from collections.abc import Sequence

from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.functional import attention_affinity
from mmseg_sparse.functional.attention import (
    DISTANCES,
    RESIZED,
    STAGE_REDUCTIONS,
)
from mmseg_sparse.functional.token_centers import ALIGNMENTS

from ..features import Features
from .base import WeightedLoss


@MODELS.register_module()
class AttentionAffinityLoss(WeightedLoss):
    """Consistency of a prediction with its propagation by attention.

    The formula is :func:`mmseg_sparse.functional.attention_affinity`. The
    defaults are those of the authors' release; ``stage_reduction='mean'``,
    ``labeled=True`` and ``resize='prob'`` are equation 7 as printed. The
    paper weighs the loss by 1.2 on scribbles and 0.2 on points.

    Args:
        stages: Backbone stages whose attention is used (table 3); a ViT has
            one, 0.
        distance: ``'l1'``, ``'l2'``, ``'kl'`` or ``'ce'`` (table 5).
        labeled: Count labelled positions as well.
        stage_reduction: ``'sum'`` or ``'mean'`` over the stages.
        resize: What is resized to the stages' grids, ``'logits'`` or
            ``'prob'``.
        uniform: Attend to all positions alike, a control that shows what
            the attention is worth; the paper has none.
        align: Where the positions of a stage are taken to be, ``'extent'``
            or ``'centers'``.
        loss_weight: Factor on the loss, alpha of equation 1.
        loss_name: Name in the log, which must contain ``loss``.

    Raises:
        ValueError: If an argument is none of the values above.
    """

    def __init__(
        self,
        stages: Sequence[int] = (0, 1, 2, 3),
        distance: str = 'l1',
        labeled: bool = False,
        stage_reduction: str = 'sum',
        resize: str = 'logits',
        uniform: bool = False,
        align: str = 'extent',
        loss_weight: float = 1.0,
        loss_name: str = 'loss_affinity',
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__(loss_weight, loss_name)
        if not stages or len(set(stages)) != len(stages):
            raise ValueError(
                f'stages must name one or more stages once, got {stages}'
            )
        if distance not in DISTANCES:
            raise ValueError(
                f'distance must be in {DISTANCES}, got {distance!r}'
            )
        if stage_reduction not in STAGE_REDUCTIONS:
            raise ValueError(
                f'stage_reduction must be in {STAGE_REDUCTIONS}, got '
                f'{stage_reduction!r}'
            )
        if resize not in RESIZED:
            raise ValueError(f'resize must be in {RESIZED}, got {resize!r}')
        if align not in ALIGNMENTS:
            raise ValueError(f'align must be in {ALIGNMENTS}, got {align!r}')
        #: Read by the segmentor, which records these stages.
        self.attention_stages = tuple(stages)
        self.distance = distance
        self.labeled = labeled
        self.stage_reduction = stage_reduction
        self.resize = resize
        self.uniform = uniform
        self.align = align

    def forward(
        self,
        logits: Tensor,
        feats: Features,
        labels: Tensor,
        valid: Tensor,
    ) -> dict[str, Tensor]:
        """Return the weighted loss under its name.

        Args:
            logits: ``(N, C, h, w)``.
            feats: ``Features`` with the attention recorded.
            labels: ``(N, H, W)``.
            valid: Bool ``(N, H, W)``, false in padding.
        """
        loss = attention_affinity(
            logits,
            [feats.attention[stage] for stage in self.attention_stages],
            labels,
            distance=self.distance,
            labeled=self.labeled,
            stage_reduction=self.stage_reduction,
            resize=self.resize,
            uniform=self.uniform,
            align=self.align,
            valid=valid,
        )
        return {self.loss_name: self.loss_weight * loss}
