"""BLPSeg's losses of its two branches, and the focal loss beside them."""

from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.functional import (
    annotation_loss,
    blp_loss,
    partial_focal_loss,
)

from .base import WeightedLoss


@MODELS.register_module()
class BLPLoss(WeightedLoss):
    """:func:`mmseg_sparse.functional.blp_loss` of ``BLPHead``.

    Args:
        gamma: Exponent of the weight.
        normalizer: ``'weights'`` or ``'labels'``.
        loss_weight: Factor on the loss.
        loss_name: Name in the log, which must contain ``loss``.
        detach_weight: Whether the weight is a constant for the gradient, as
            in the authors' release; False: as eq. 9 is printed.

    Raises:
        ValueError: If ``gamma`` is negative, ``normalizer`` unknown, or
            ``loss_name`` does not contain ``loss``.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        normalizer: str = 'weights',
        loss_weight: float = 1.0,
        loss_name: str = 'loss_blp',
        detach_weight: bool = True,
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__(loss_weight, loss_name)
        _check_options(gamma, normalizer)
        self.gamma = gamma
        self.normalizer = normalizer
        self.detach_weight = detach_weight

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        scribble_logits: Tensor | None = None,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            logits: ``(N, K, H, W)``.
            labels: ``(N, H, W)``, class ids or ``ignore_index``.
            weight: What a pixel sampler gives: refused.
            ignore_index: Id of a pixel without label.
            scribble_logits: ``(N, K + 1, H, W)``.

        Raises:
            ValueError: If there is a ``weight``, or no ``scribble_logits``.
        """
        self.refuse_pixel_weights(weight)
        if scribble_logits is None:
            raise ValueError(
                'BLPLoss needs the scribble branch, which BLPHead runs in '
                'training mode: use it as loss_decode of decode_head.type='
                "'BLPHead', and model.train()"
            )
        return self.loss_weight * blp_loss(
            logits,
            scribble_logits,
            labels,
            gamma=self.gamma,
            normalizer=self.normalizer,
            detach_weight=self.detach_weight,
            ignore_index=ignore_index,
        )


@MODELS.register_module()
class PartialFocalLoss(WeightedLoss):
    """:func:`mmseg_sparse.functional.partial_focal_loss` of any head.

    mmseg's ``FocalLoss`` is of sigmoids.

    Args:
        gamma: Exponent of the weight.
        normalizer: ``'weights'`` or ``'labels'``.
        loss_weight: Factor on the loss.
        loss_name: Name in the log, which must contain ``loss``.
        detach_weight: Whether the weight is a constant for the gradient;
            False: as in Lin et al.'s focal loss.

    Raises:
        ValueError: If ``loss_name`` does not contain ``loss``.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        normalizer: str = 'labels',
        loss_weight: float = 1.0,
        loss_name: str = 'loss_focal',
        detach_weight: bool = True,
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__(loss_weight, loss_name)
        _check_options(gamma, normalizer)
        self.gamma = gamma
        self.normalizer = normalizer
        self.detach_weight = detach_weight

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            logits: ``(N, K, H, W)``.
            labels: ``(N, H, W)``, class ids or ``ignore_index``.
            weight: What a pixel sampler gives: refused.
            ignore_index: Id of a pixel without label.

        Raises:
            ValueError: If there is a ``weight``.
        """
        self.refuse_pixel_weights(weight)
        return self.loss_weight * partial_focal_loss(
            logits,
            labels,
            gamma=self.gamma,
            normalizer=self.normalizer,
            detach_weight=self.detach_weight,
            ignore_index=ignore_index,
        )


@MODELS.register_module()
class AnnotationLoss(WeightedLoss):
    """:func:`mmseg_sparse.functional.annotation_loss` of ``BLPHead``.

    Args:
        empty_weight: Weight of the class "no stroke here".
        loss_weight: Factor on the loss.
        loss_name: Name in the log, which must contain ``loss``.

    Raises:
        ValueError: If ``loss_name`` does not contain ``loss``.
    """

    def __init__(
        self,
        empty_weight: float = 0.02,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_annotation',
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__(loss_weight, loss_name)
        if not empty_weight >= 0:
            raise ValueError(
                f'empty_weight must be at least 0, got {empty_weight}'
            )
        self.empty_weight = empty_weight

    def forward(
        self,
        scribble_logits: Tensor,
        labels: Tensor,
        valid: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """Return the weighted loss.

        Args:
            scribble_logits: ``(N, K + 1, H, W)``.
            labels: ``(N, H, W)``, class ids or ``ignore_index``.
            valid: Bool ``(N, H, W)``, false in padding.
            ignore_index: Id of a pixel without label.
        """
        return self.loss_weight * annotation_loss(
            scribble_logits,
            labels,
            valid=valid,
            empty_weight=self.empty_weight,
            ignore_index=ignore_index,
        )


def _check_options(gamma: float, normalizer: str) -> None:
    if not gamma >= 0:
        raise ValueError(f'gamma must be at least 0, got {gamma}')
    if normalizer not in ('weights', 'labels'):
        raise ValueError(
            f"normalizer must be 'weights' or 'labels', got {normalizer!r}"
        )
