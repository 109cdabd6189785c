"""When and how BLPHead learns from its own prediction."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mmseg_sparse.functional import self_training_labels, valid_on_grid
from mmseg_sparse.functional.resize import fully_valid_on_grid
from mmseg_sparse.functional.self_training import (
    check_confidence,
    classes_among,
)

from ..progress import check_begin, has_begun, training_iteration

NORMALIZERS = ('separate', 'joint')


@dataclass(frozen=True)
class SelfTraining:
    """The arguments ``self_training_*`` of ``BLPHead``, which explains them.

    Raises:
        ValueError: If one is out of range, or ``sample`` is not None with
            ``normalizer='joint'``.
    """

    begin: float | None
    confidence: float | tuple[float, float]
    present_only: bool
    normalizer: str
    weight: float
    sample: float | None

    def __post_init__(self) -> None:
        """Check the arguments."""
        check_begin('self_training_begin', self.begin)
        try:
            check_confidence(self.confidence)
        except ValueError as error:
            raise ValueError(f'self_training_{error}') from None
        if self.normalizer not in NORMALIZERS:
            raise ValueError(
                f'self_training_normalizer must be in {NORMALIZERS}, got '
                f'{self.normalizer!r}'
            )
        if not self.weight >= 0:
            raise ValueError(
                f'self_training_weight must be at least 0, got {self.weight}'
            )
        if self.sample is not None and not 0 < self.sample <= 1:
            raise ValueError(
                'self_training_sample must lie in (0, 1] or be None, got '
                f'{self.sample}'
            )
        if self.joint and (self.sample is not None or self.weight != 1):
            raise ValueError(
                "self_training_normalizer='joint' makes one sum of all "
                'labels: set self_training_sample=None and '
                f'self_training_weight=1, got {self.sample} and {self.weight}'
            )

    @property
    def joint(self) -> bool:
        """Whether strokes and own labels share one sum."""
        return self.normalizer == 'joint'

    def active(self) -> bool:
        """Tell whether the running training has reached ``begin``."""
        return has_begun(self.begin)

    def drawn(self, logits: Tensor) -> Tensor | None:
        """Return which logits of this iteration may become labels.

        Bool ``(N, h, w)``, the same as often as it is asked for in one
        iteration; None: all pixels of the image, at its own size.
        """
        if self.sample is None:
            return None
        generator = torch.Generator().manual_seed(training_iteration())
        shape = (len(logits), *logits.shape[2:])
        drawn = torch.rand(shape, generator=generator) < self.sample
        return drawn.to(logits.device)

    def labels(
        self,
        logits: Tensor,
        labels: Tensor,
        valid: Tensor,
        ignore_index: int,
    ) -> tuple[Tensor, Tensor]:
        """Return the head's own labels, and which share of pixels has one.

        Args:
            logits: ``(N, K, h, w)``, of the size of the labels or smaller.
            labels: The given labels, ``(N, H, W)``. A pixel with any of them
                under it gets no other.
            valid: Bool ``(N, H, W)``, false in padding.
            ignore_index: Id of a pixel without label.

        Returns:
            int64 ``(N, h, w)``, and the share of the image's pixels, or of
            those that were drawn of it.
        """
        size = logits.shape[2:]
        present = classes_among(labels, logits.shape[1], ignore_index)
        if not self.present_only:
            present = torch.ones_like(present)
        counted = fully_valid_on_grid(valid, size)
        drawn = self.drawn(logits)
        if drawn is not None:
            counted = counted & drawn
        free = counted & ~valid_on_grid(labels != ignore_index, size)
        own = self_training_labels(
            logits.detach(),
            labels.new_full((len(labels), *size), ignore_index),
            confidence=self.confidence,
            candidates=free,
            present=present,
            ignore_index=ignore_index,
        )
        return own, (own != ignore_index).sum() / counted.sum().clamp(min=1)
