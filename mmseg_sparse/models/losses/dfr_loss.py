"""DFR: a regularizer whose kernel knows a feature that is trained along."""

import math
from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmseg_sparse.functional import feature_consistency, potts_energy
from mmseg_sparse.functional.feature_consistency import mean_square_distance
from mmseg_sparse.functional.local_window import check_window
from mmseg_sparse.functional.resize import (
    agreed_labels,
    fully_valid_on_grid,
    shrink_image,
    valid_on_grid,
)
from mmseg_sparse.labels.label_map import NO_LABEL

from ..features import Features
from .base import WeightedLoss
from .deep_feature import deep_feature

#: In the labels of F; no class has this index, 255 may be one.
UNSURE = -1
NAME = 'loss_dfr'
KERNEL = ('xy', 'rgb', 'feature')
SUPERVISION = ('pseudo', 'labels', 'both')


@MODELS.register_module()
class DFRLoss(WeightedLoss):
    r"""Dynamic feature regularized loss and its feature consistency head.

    The head, a 1×1 convolution and ReLU, turns a deep feature of the decode
    head into F. The losses are :func:`~mmseg_sparse.functional.potts_energy`
    of the prediction, whose kernel compares positions, colours and F (here
    without gradient), and of F
    :func:`~mmseg_sparse.functional.feature_distance` and
    :func:`~mmseg_sparse.functional.feature_regularization`. These take for
    labels the prediction itself, without gradient, where its probability is
    above ``confidence``. All at the resolution of the logits.

    It exists in training only: predictions are the stock model's.

    Args:
        in_channels: Channels of the deep feature. Needed with ``'feature'``.
        radius: Reach of the window, eq. 3.
        sigma_xy: :math:`\sigma_1`, in pixels of the logits.
        sigma_rgb: :math:`\sigma_2`, in units of the normalised image.
        sigma_feature: :math:`\sigma_3`; None leaves out the head, as a
            ``kernel`` without ``'feature'`` does.
        normalize_feature: Whether ``sigma_feature`` is in units of the root
            mean square distance between F of two pixels of the batch,
            wherever they lie. Otherwise in units of F, as in the paper; but
            50 of these may be so much that the kernel does not see F.
        confidence: :math:`\gamma` of eq. 7.
        feature_channels: d, the channels of F. None: no convolution; the
            deep feature is F, and nothing trains it (table 4, row 2).
        feature_from: Module whose input is the deep feature: the 2048
            channels of the paper are ``'decode_head.fpn_bottleneck'``.
        kernel: What the kernel of eq. 6 compares, of ``'xy'``, ``'rgb'``
            and ``'feature'`` (table 5); that of eq. 13 has the first two.
        supervision: Labels of the feature losses: ``'pseudo'``, the
            confident predictions; ``'labels'``, the given ones; ``'both'``,
            the given ones and elsewhere the predictions (table 7). A pixel
            of the logits has the given label that all labels under it are.
        background: The class whose pairs have a mean of their own in
            eq. 11; None where the dataset has no background.
        unlabeled_only: Leave pixels of the logits with any label under them
            out of ``loss_dfr``, on both sides of a pair.
        loss_weight: :math:`\lambda_1` of eq. 1.
        feature_loss_weight: :math:`\lambda_2`, or one number for each of
            the two feature losses (table 4). With 0, F is a projection that
            nothing trains: set ``feature_channels=None`` as well.
        loss_name: Name of the first loss in the log. What stands before or
            after ``loss_dfr`` in it does so in the other names too, so that
            a segmentor can have two of these: ``'loss_dfr_wide'`` goes with
            ``'loss_fd_wide'`` and ``'confident_share_wide'``.
        init_cfg: Of the convolution.

    Raises:
        ValueError: If an argument is none of the values above, or
            arguments contradict each other.
    """

    def __init__(
        self,
        in_channels: int | None = None,
        radius: int = 5,
        sigma_xy: float = 6.0,
        sigma_rgb: float = 0.5,
        sigma_feature: float | None = 50.0,
        confidence: float = 0.98,
        feature_channels: int | None = 128,
        feature_from: str = 'decode_head.conv_seg',
        kernel: Sequence[str] = KERNEL,
        supervision: str = 'pseudo',
        background: int | None = 0,
        unlabeled_only: bool = False,
        loss_weight: float = 0.01,
        feature_loss_weight: float | Sequence[float] = 0.001,
        loss_name: str = NAME,
        init_cfg: dict | None = None,
        normalize_feature: bool = False,
    ) -> None:
        """Check the arguments and build the head."""
        _check_name(loss_name)
        super().__init__(loss_weight, loss_name, init_cfg)
        check_window(radius)
        if sigma_feature is None and not isinstance(kernel, str):
            kernel = tuple(name for name in kernel if name != 'feature')
        _check_choices(kernel, supervision, confidence)
        # Position and colour are part of eq. 13 whatever the kernel has.
        sigmas: dict[str, float | None] = {'xy': sigma_xy, 'rgb': sigma_rgb}
        if 'feature' in kernel:
            sigmas['feature'] = sigma_feature
        _check_sigmas(sigmas)
        self.radius = radius
        self.sigma_xy, self.sigma_rgb = sigma_xy, sigma_rgb
        self.sigma_feature = sigma_feature
        self.normalize_feature = normalize_feature
        self.confidence = confidence
        self.kernel = tuple(kernel)
        self.supervision = supervision
        self.background = background
        self.unlabeled_only = unlabeled_only
        self.feature_loss_weight = _two_weights(feature_loss_weight)
        self.feature_channels = feature_channels
        #: Read by the segmentor, which keeps that module's input.
        self.feature_from = feature_from if 'feature' in kernel else None
        self.conv: nn.Conv2d | None = None
        if self.feature_from is not None:
            self._build_head(in_channels)

    def _build_head(self, in_channels: int | None) -> None:
        trains = any(self.feature_loss_weight)
        if self.feature_channels is None:
            if trains:
                raise ValueError(
                    'feature_channels=None leaves out what the feature '
                    'losses train: set feature_loss_weight=0, got '
                    f'{self.feature_loss_weight}'
                )
            return
        if in_channels is None:
            raise ValueError(
                'in_channels, the channels of the input of '
                f'{self.feature_from}, must be given: got None'
            )
        self.conv = nn.Conv2d(in_channels, self.feature_channels, 1)
        # Without a loss of its own the convolution stays as it began; DDP
        # wants to know.
        self.conv.requires_grad_(trains)

    def forward(
        self,
        logits: Tensor,
        feats: Features,
        labels: Tensor,
        valid: Tensor,
    ) -> dict[str, Tensor]:
        """Return the weighted losses and the share of confident pixels.

        Args:
            logits: ``(N, C, h, w)``.
            feats: ``Features`` with the image and the deep feature.
            labels: ``(N, H, W)``.
            valid: Bool ``(N, H, W)``, false in padding.
        """
        assert feats.image is not None
        size = logits.shape[2:]
        inside = fully_valid_on_grid(valid, size)
        prob = logits.to(
            torch.promote_types(logits.dtype, torch.float32)
        ).softmax(1)
        colours = shrink_image(feats.image.to(prob.dtype), size)
        colours = colours / self.sigma_rgb
        guides = [colours if 'rgb' in self.kernel else colours[:, :0]]
        pseudo = self._pseudo_labels(prob.detach(), inside)
        sure = (pseudo != UNSURE).sum() / inside.sum().clamp(min=1)
        losses = {'confident_share': sure.detach()}
        if self.feature_from is not None:
            feature = deep_feature(
                feats, self.feature_from, self.conv, valid, inside
            )
            guides.append(self._feature_guide(feature.detach(), inside))
            if self.conv is not None and any(self.feature_loss_weight):
                target = self._supervision(pseudo, labels, inside)
                losses.update(
                    self._feature_losses(feature, colours, target, inside)
                )
        taking_part = inside
        if self.unlabeled_only:
            taking_part = inside & ~valid_on_grid(labels != NO_LABEL, size)
        energy = potts_energy(
            prob,
            torch.cat(guides, 1),
            radius=self.radius,
            sigma_xy=self.sigma_xy if 'xy' in self.kernel else math.inf,
            valid=taking_part,
        )
        losses[NAME] = self.loss_weight * energy
        return {
            self.loss_name.replace(NAME, name): value
            for name, value in losses.items()
        }

    def _feature_guide(self, feature: Tensor, inside: Tensor) -> Tensor:
        """Return F as the kernel compares it, divided by its sigma."""
        assert self.sigma_feature is not None
        guide = feature / self.sigma_feature
        if not self.normalize_feature:
            return guide
        unit = mean_square_distance(feature, inside).sqrt()
        # Where F is the same everywhere, so is what is compared.
        return guide / unit.clamp(min=torch.finfo(unit.dtype).eps)

    def _pseudo_labels(self, prob: Tensor, valid: Tensor) -> Tensor:
        """Return M of eq. 7, ``(N, h, w)``."""
        best, classes = prob.max(1)
        sure = (best > self.confidence) & valid
        return classes.masked_fill(~sure, UNSURE)

    def _supervision(
        self, pseudo: Tensor, labels: Tensor, valid: Tensor
    ) -> Tensor:
        if self.supervision == 'pseudo':
            return pseudo
        given = agreed_labels(labels, valid.shape[1:], NO_LABEL)
        none = (given == NO_LABEL) | ~valid
        if self.supervision == 'labels':
            return given.masked_fill(none, UNSURE)
        return torch.where(none, pseudo, given)

    def _feature_losses(
        self, feature: Tensor, colours: Tensor, target: Tensor, valid: Tensor
    ) -> dict[str, Tensor]:
        far, near = self.feature_loss_weight
        total, _, regularization = feature_consistency(
            feature,
            target,
            radius=self.radius,
            guide=colours,
            sigma_xy=self.sigma_xy,
            background=self.background,
            ignore_index=UNSURE,
            valid=valid,
            distance_weight=far,
            regularization_weight=near,
        )
        # The two share their gradient: it is computed for the sum. So the
        # first carries it for both, and each has its own value.
        second = near * regularization
        return {'loss_fd': total - second, 'loss_fr': second}


def _two_weights(weight: float | Sequence[float]) -> tuple[float, float]:
    if isinstance(weight, Sequence):
        if len(weight) != 2:
            raise ValueError(
                'feature_loss_weight must be a number or two, got '
                f'{tuple(weight)}'
            )
        return float(weight[0]), float(weight[1])
    return float(weight), float(weight)


def _check_sigmas(sigmas: dict[str, float | None]) -> None:
    for name, sigma in sigmas.items():
        if sigma is None or not sigma > 0:
            raise ValueError(f'sigma_{name} must be positive, got {sigma}')


def _check_choices(
    kernel: Sequence[str],
    supervision: str,
    confidence: float,
) -> None:
    if (
        isinstance(kernel, str)
        or not kernel
        or not set(kernel) <= set(KERNEL)
        or len(set(kernel)) != len(kernel)
    ):
        raise ValueError(f'kernel must be some of {KERNEL}, got {kernel!r}')
    if supervision not in SUPERVISION:
        raise ValueError(
            f'supervision must be in {SUPERVISION}, got {supervision!r}'
        )
    if not 0 <= confidence < 1:
        raise ValueError(f'confidence must lie in [0, 1), got {confidence}')


def _check_name(loss_name: str) -> None:
    if loss_name.count(NAME) != 1 or 'loss' in loss_name.replace(NAME, ''):
        raise ValueError(
            f'loss_name must contain {NAME!r} and no other loss, or MMEngine '
            f'would train on confident_share, got {loss_name!r}'
        )
