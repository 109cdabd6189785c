"""The tree energy loss: means along spanning trees are pseudo labels."""

from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_sparse.functional import tree_energy, valid_on_grid
from mmseg_sparse.functional.checks import wide_dtype
from mmseg_sparse.functional.resize import fully_valid_on_grid, shrink_image
from mmseg_sparse.labels.label_map import NO_LABEL

from ..features import Features
from .base import WeightedLoss
from .deep_feature import deep_feature


@MODELS.register_module()
class TreeEnergyLoss(WeightedLoss):
    r"""Consistency of a prediction with its means over similar pixels.

    The formula is :func:`mmseg_sparse.functional.tree_energy` of Liang et
    al., CVPR 2022, at the resolution of the logits. The counted pixels are
    those of the logits without any label under them; the release resizes the
    mask of unlabelled pixels by nearest neighbour, and the image bilinearly
    where here it is averaged. Both trees are made on the CPU.

    The feature of the second tree is a deep feature of the decode head. In
    the paper it passes a convolution that learns through the affinities
    alone: ``channels=256`` with ``detach=False``, the authors' release (whose
    batch normalisation between convolution and ReLU is left out).

    Args:
        sigma: Of the colours, in squared units of the normalised image; the
            release has 0.02 and, on VOC, 0.002.
        sigma_feature: Of the feature, 1 in the paper.
        feature_from: Module whose input is the deep feature. None: the
            colours' tree alone (the release's ``enable_high_level=False``).
        in_channels: Channels of the deep feature; needed with ``channels``.
        channels: Of the 1×1 convolution, with ReLU, between the deep feature
            and the tree. None: no convolution.
        detach: Take the pseudo labels for constants. False: they have a
            gradient, as in the release.
        loss_weight: Factor on the loss, lambda of eq. 1.
        loss_name: Name in the log, which must contain ``loss``.
        init_cfg: Of the convolution.

    Raises:
        ValueError: If a sigma is not positive, arguments contradict each
            other, or ``loss_name`` does not contain ``loss``.
    """

    def __init__(
        self,
        sigma: float = 0.02,
        sigma_feature: float = 1.0,
        feature_from: str | None = 'decode_head.conv_seg',
        in_channels: int | None = None,
        channels: int | None = None,
        detach: bool = True,
        loss_weight: float = 0.4,
        loss_name: str = 'loss_tree',
        init_cfg: dict | None = None,
    ) -> None:
        """Check the arguments and build the convolution."""
        super().__init__(loss_weight, loss_name, init_cfg)
        for name, one in (('sigma', sigma), ('sigma_feature', sigma_feature)):
            if not one > 0:
                raise ValueError(f'{name} must be positive, got {one}')
        self.sigma = sigma
        self.sigma_feature = sigma_feature
        #: Read by the segmentor, which keeps that module's input.
        self.feature_from = feature_from
        self.detach = detach
        self.conv: nn.Conv2d | None = None
        if channels is None:
            return
        if in_channels is None or feature_from is None or detach:
            raise ValueError(
                'channels makes a convolution of the deep feature that only '
                'the gradient of the pseudo labels trains: set feature_from, '
                f'in_channels and detach=False, got {feature_from}, '
                f'{in_channels} and detach={detach}'
            )
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=False)

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
            feats: ``Features`` with the image and the deep feature.
            labels: ``(N, H, W)``.
            valid: Bool ``(N, H, W)``, false in padding.
        """
        assert feats.image is not None
        size = logits.shape[2:]
        inside = fully_valid_on_grid(valid, size)
        prob = logits.to(wide_dtype(logits)).softmax(1)
        feature = None
        if self.feature_from is not None:
            feature = deep_feature(
                feats, self.feature_from, self.conv, valid, inside
            )
        energy = tree_energy(
            prob,
            shrink_image(feats.image.to(prob.dtype), size),
            feature,
            sigma=self.sigma,
            sigma_feature=self.sigma_feature,
            counted=~valid_on_grid(labels != NO_LABEL, size),
            detach=self.detach,
            valid=inside,
        )
        return {self.loss_name: self.loss_weight * energy}
