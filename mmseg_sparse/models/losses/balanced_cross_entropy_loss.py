"""Cross entropy in which background and foreground have one vote each."""

from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.functional import balanced_cross_entropy

from .base import WeightedLoss


@MODELS.register_module()
class BalancedCrossEntropyLoss(WeightedLoss):
    """:func:`mmseg_sparse.functional.balanced_cross_entropy` of a head.

    Args:
        background: Index of the background; None: there is none.
        loss_weight: Factor on the loss.
        loss_name: Name in the log, which must contain ``loss``.

    Raises:
        ValueError: If ``loss_name`` does not contain ``loss``.
    """

    def __init__(
        self,
        background: int | None = 0,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_seg',
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__(loss_weight, loss_name)
        self.background = background

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            logits: ``(N, C, H, W)``.
            labels: ``(N, H, W)``, class ids or ``ignore_index``.
            weight: What a pixel sampler gives: refused.
            ignore_index: Id of a pixel without label.

        Raises:
            ValueError: If there is a ``weight``.
        """
        self.refuse_pixel_weights(weight)
        return self.loss_weight * balanced_cross_entropy(
            logits,
            labels,
            background=self.background,
            ignore_index=ignore_index,
        )
