"""The dense CRF loss: a regularizer that looks at all pairs of pixels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.functional import dense_crf_energy
from mmseg_sparse.functional.resize import (
    fully_valid_on_grid,
    shrink_image,
    shrink_labels,
)
from mmseg_sparse.labels.label_map import NO_LABEL

from ..features import Features
from .base import WeightedLoss


@MODELS.register_module()
class DenseCRFLoss(WeightedLoss):
    """The bilateral energy of Tang et al., AFA's L_reg.

    The formula is :func:`mmseg_sparse.functional.dense_crf_energy`, at a
    share of the image's size, to which the logits are resized at once.

    The gate of a pixel with a label is 1 minus its largest probability, that
    of a pixel without 1: a pixel is moved as far as it is unsure. AFA's paper
    has no more than the name of this loss and its weight in the sum, 0.01;
    the sigmas, the scale and ``loss_weight`` are the release's. The gate and
    the gradient that it has (``one_sided``) are not in the paper's text; they
    follow Zhang et al., Reliability does matter, AAAI 2020. Tang et al. have
    none (``gated=False``).

    The time grows with the square of the pixels: on a CPU, a map of 160x160
    with 21 classes costs about 27 times a Potts energy of radius 5.

    Args:
        sigma_rgb: Width of the kernel in colours from 0 to 255.
        sigma_xy: Width of the kernel in pixels of the image.
        scale_factor: Share of the image's size to work at.
        gated: Whether pixels count by their gate.
        std: What the image's channels were divided by when it was
            normalised; what was subtracted does not matter.
        loss_weight: Factor on the loss.
        loss_name: Name in the log, which must contain ``loss``.

    Raises:
        ValueError: If a sigma, the scale or ``std`` is out of range, or
            ``loss_name`` does not contain ``loss``.
    """

    std: Tensor

    def __init__(
        self,
        sigma_rgb: float = 15.0,
        sigma_xy: float = 100.0,
        scale_factor: float = 0.5,
        gated: bool = True,
        std: Sequence[float] = (58.395, 57.12, 57.375),
        loss_weight: float = 1e-7,
        loss_name: str = 'loss_dense_crf',
    ) -> None:
        """Check the arguments and keep them."""
        super().__init__(loss_weight, loss_name)
        for name, sigma in (('sigma_rgb', sigma_rgb), ('sigma_xy', sigma_xy)):
            if not sigma > 0:
                raise ValueError(f'{name} must be positive, got {sigma}')
        if not 0 < scale_factor <= 1:
            raise ValueError(
                f'scale_factor must lie in (0, 1], got {scale_factor}'
            )
        if not std or not all(one > 0 for one in std):
            raise ValueError(f'std must be positive, got {std}')
        self.sigma_rgb = sigma_rgb
        self.sigma_xy = sigma_xy
        self.scale_factor = scale_factor
        self.gated = gated
        self.register_buffer(
            'std', torch.tensor(std)[:, None, None], persistent=False
        )

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
            feats: ``Features`` with the image, ``(N, 3, H, W)``.
            labels: ``(N, H, W)``.
            valid: Bool ``(N, H, W)``, false in padding.

        Raises:
            ValueError: If the image has not as many channels as ``std``.
        """
        image = feats.image
        assert image is not None
        if len(self.std) != image.shape[1]:
            raise ValueError(
                f'std has {len(self.std)} values, the image '
                f'{image.shape[1]} channels'
            )
        height, width = image.shape[2:]
        size = (
            max(round(height * self.scale_factor), 1),
            max(round(width * self.scale_factor), 1),
        )
        wide = torch.promote_types(logits.dtype, torch.float32)
        prob = F.interpolate(
            logits.to(wide), size, mode='bilinear', align_corners=False
        ).softmax(1)
        gate = None
        if self.gated:
            unsure = 1 - prob.detach().amax(1)
            known = shrink_labels(labels, size) != NO_LABEL
            gate = torch.where(known, unsure, 1)
        energy = dense_crf_energy(
            prob,
            shrink_image(image.to(wide) * self.std, size),
            sigma_rgb=self.sigma_rgb,
            sigma_xy=self.sigma_xy * self.scale_factor,
            gate=gate,
            one_sided=True,
            valid=fully_valid_on_grid(valid, size),
        )
        return {self.loss_name: self.loss_weight * energy}
