"""Gated CRF: a regularizer whose kernels compare positions and colours."""

import math
from collections.abc import Mapping, Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.functional import potts_energy
from mmseg_sparse.functional.local_window import check_window
from mmseg_sparse.functional.resize import (
    fully_valid_on_grid,
    shrink_image,
    valid_on_grid,
)
from mmseg_sparse.labels.label_map import NO_LABEL

from ..features import Features
from .base import WeightedLoss

KEYS = {'weight', 'sigma_xy', 'sigma_rgb'}


@MODELS.register_module()
class GatedCRFLoss(WeightedLoss):
    """A weighted sum of Potts energies that no deep feature takes part in.

    The formula is :func:`mmseg_sparse.functional.potts_energy`, once for
    each kernel, at the resolution of the logits; the gate is the mask of
    valid pixels. With one kernel this is ``DFRLoss`` with
    ``kernel=('xy', 'rgb')`` (row 2 of DFR's table 5).

    Args:
        kernels: Dicts with any of ``weight`` (1), ``sigma_xy`` in pixels of
            the logits and ``sigma_rgb`` in units of the normalised image; a
            sigma left out leaves that part out. None: one of 6 and 0.5.
        radius: Reach of the window.
        unlabeled_only: Leave pixels of the logits with any label under them
            out, on both sides of a pair.
        loss_weight: Factor on the loss.
        loss_name: Name in the log, which must contain ``loss``.

    Raises:
        TypeError: If ``kernels`` is a dict.
        ValueError: If a kernel has other keys or a sigma that is not
            positive, or ``loss_name`` does not contain ``loss``.
    """

    def __init__(
        self,
        kernels: Sequence[Mapping[str, float]] | None = None,
        radius: int = 5,
        unlabeled_only: bool = False,
        loss_weight: float = 0.01,
        loss_name: str = 'loss_gated_crf',
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__(loss_weight, loss_name)
        check_window(radius)
        if kernels is None:
            kernels = (dict(sigma_xy=6.0, sigma_rgb=0.5),)
        if isinstance(kernels, Mapping):
            raise TypeError(
                f'kernels must be a list of dicts, got the dict {kernels}'
            )
        if not kernels:
            raise ValueError('kernels must hold at least one, got none')
        for kernel in kernels:
            sigmas = {k: v for k, v in kernel.items() if k != 'weight'}
            if not sigmas or not set(kernel) <= KEYS:
                raise ValueError(
                    'a kernel has sigma_xy, sigma_rgb or both, and may have '
                    f'a weight, got {dict(kernel)}'
                )
            if any(s is None or not s > 0 for s in sigmas.values()):
                raise ValueError(
                    f'the sigmas must be positive, got {dict(kernel)}'
                )
        self.kernels = tuple(dict(kernel) for kernel in kernels)
        self.radius = radius
        self.unlabeled_only = unlabeled_only

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
            feats: ``Features`` with the image.
            labels: ``(N, H, W)``.
            valid: Bool ``(N, H, W)``, false in padding.
        """
        assert feats.image is not None
        size = logits.shape[2:]
        valid = fully_valid_on_grid(valid, size)
        if self.unlabeled_only:
            valid = valid & ~valid_on_grid(labels != NO_LABEL, size)
        prob = logits.to(
            torch.promote_types(logits.dtype, torch.float32)
        ).softmax(1)
        colours = shrink_image(feats.image.to(prob.dtype), size)
        total = prob.new_zeros(())
        for kernel in self.kernels:
            sigma_rgb = kernel.get('sigma_rgb')
            energy = potts_energy(
                prob,
                colours[:, :0] if sigma_rgb is None else colours / sigma_rgb,
                radius=self.radius,
                sigma_xy=kernel.get('sigma_xy', math.inf),
                valid=valid,
            )
            total = total + kernel.get('weight', 1.0) * energy
        return {self.loss_name: self.loss_weight * total}
