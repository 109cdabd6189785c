"""BLPSeg's local aggregation as a refiner of any stock head."""

import math

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.profiler import record_function

from mmseg_sparse.functional import local_aggregate, valid_on_grid
from mmseg_sparse.functional.resize import fully_valid_on_grid
from mmseg_sparse.labels.label_map import NO_LABEL

from ..features import Features

AGGREGATE = ('all', 'labeled', 'unlabeled')


@MODELS.register_module()
class LocalAggregation(BaseModule):
    r"""Local aggregation module (LAM): average logits over similar pixels.

    :func:`~mmseg_sparse.functional.local_aggregate` of the logits, by
    features of the image, a convolution over patches of ``stride``, layer
    normalisation and a 1×1 convolution. Where that map has not the size of
    the logits it is resized; where ``stride`` does not divide the image, its
    last row and column are repeated. Padding gives nothing to any pixel: a
    pixel of the logits counts as image if all pixels under it are. Features
    are computed in float32 under autocast, too: their products are exponents.

    Source: BLPSeg, section III-B. The 1×1 convolution is its authors'
    release (``project``). What the paper means by high-level features (table
    III) is left open there: here the map that ``feature_from`` gets,
    normalised and convolved as the low-level one; their scores are summed.

    Args:
        channels: Channels of each feature.
        in_channels: Channels of the image.
        stride: Stride and size of the convolution over the image.
        sigma: :math:`\sigma` of eq. 5, in pixels of the logits.
        learnable_sigma: Whether ``sigma`` is trained (table IV).
        use_low_level: Whether features of the image are compared.
        use_distance: Whether positions are compared.
        use_high_level: Whether features of the decoder are compared.
        high_level_channels: Their number; needed with ``use_high_level``.
        feature_from: Module whose input they are.
        aggregate: Pixels that logits are taken from in training: ``'all'``,
            ``'labeled'`` or ``'unlabeled'`` (table V); a pixel of the logits
            is labelled if any pixel under it is. In inference all.
        project: Whether the 1×1 convolution follows the layer normalisation,
            as in the authors' release; False: as in the paper.
        init_cfg: Of the convolutions.

    Raises:
        ValueError: If ``aggregate`` or ``sigma`` is none of the values
            above, or nothing is left to compare or to learn.
    """

    def __init__(
        self,
        channels: int = 64,
        in_channels: int = 3,
        stride: int = 4,
        sigma: float = 6.0,
        learnable_sigma: bool = False,
        use_low_level: bool = True,
        use_distance: bool = True,
        use_high_level: bool = False,
        high_level_channels: int | None = None,
        feature_from: str = 'decode_head.conv_seg',
        aggregate: str = 'all',
        project: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        """Check the arguments and build the convolutions."""
        super().__init__(init_cfg)
        if aggregate not in AGGREGATE:
            raise ValueError(
                f'aggregate must be in {AGGREGATE}, got {aggregate!r}'
            )
        if not 0 < sigma < math.inf:
            raise ValueError(f'sigma must be positive and finite, got {sigma}')
        if not (use_low_level or use_high_level or use_distance):
            raise ValueError(
                'use_low_level, use_high_level and use_distance are all '
                'False: nothing is left to compare'
            )
        if learnable_sigma and not use_distance:
            raise ValueError(
                'learnable_sigma=True has nothing to learn with '
                'use_distance=False'
            )
        self.stride = stride
        self.aggregate = aggregate
        #: Read by the segmentor, which keeps that module's input.
        self.feature_from = feature_from if use_high_level else None
        self.use_distance = use_distance
        self.sigma: float | nn.Parameter = sigma
        if learnable_sigma:
            self.sigma = nn.Parameter(torch.tensor(float(sigma)))
        self.low_level: nn.Module | None = None
        if use_low_level:
            self.low_level = _Feature(in_channels, channels, stride, project)
        self.high_level: nn.Module | None = None
        if use_high_level:
            if high_level_channels is None:
                raise ValueError(
                    'high_level_channels, the channels of the input of '
                    f'{feature_from}, must be given: got None'
                )
            self.high_level = _Feature(
                high_level_channels, channels, 1, project
            )

    @record_function('mmseg_sparse/LocalAggregation')
    def forward(
        self,
        logits: Tensor,
        feats: Features,
        labels: Tensor | None = None,
        valid: Tensor | None = None,
        receiving: Tensor | None = None,
    ) -> Tensor:
        """Return the aggregated logits, of the same shape and dtype.

        Args:
            logits: ``(N, K, h, w)``.
            feats: ``Features`` with the image.
            labels: ``(N, H, W)`` with 255 where no label is; None in
                inference.
            valid: Bool ``(N, H, W)``, false in padding; None: all valid.
            receiving: Bool ``(N, h, w)``, the pixels whose average is
                wanted; the others keep their logits. None: all.
        """
        size = logits.shape[2:]
        features = []
        if self.low_level is not None:
            assert feats.image is not None
            image = _fit(feats.image, self.stride)
            features.append(_resized(self.low_level(image), size))
        if self.high_level is not None:
            assert self.feature_from is not None
            deep = feats.module_inputs[self.feature_from]
            features.append(_resized(self.high_level(deep), size))
        refined = local_aggregate(
            logits,
            torch.cat(features, 1) if features else None,
            sigma=self.sigma if self.use_distance else None,
            known=self._sources(labels, valid, size),
            receiving=receiving,
        )
        return refined.to(logits.dtype)

    def _sources(
        self,
        labels: Tensor | None,
        valid: Tensor | None,
        size: tuple[int, ...],
    ) -> Tensor | None:
        """Return the pixels to take logits from, bool ``(N, h, w)``."""
        known = None
        if valid is not None:
            known = fully_valid_on_grid(valid, size)
        if labels is None or self.aggregate == 'all':
            return known
        chosen = valid_on_grid(labels != NO_LABEL, size)
        if self.aggregate == 'unlabeled':
            chosen = ~chosen
        return chosen if known is None else known & chosen


class _Feature(nn.Module):
    """Convolution over patches, layer normalisation, maybe 1×1 convolution."""

    def __init__(
        self, in_channels: int, channels: int, stride: int, project: bool
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(in_channels, channels, stride, stride)
        self.norm = nn.LayerNorm(channels)
        self.conv = nn.Conv2d(channels, channels, 1) if project else None

    def forward(self, maps: Tensor) -> Tensor:
        """Return the feature of ``(N, C, H, W)``."""
        with torch.autocast(maps.device.type, enabled=False):
            maps = maps.to(self.patches.weight.dtype)
            patches = self.patches(maps).permute(0, 2, 3, 1)
            feature = self.norm(patches).permute(0, 3, 1, 2)
            return feature if self.conv is None else self.conv(feature)


def _fit(image: Tensor, stride: int) -> Tensor:
    """Repeat the last row and column up to a multiple of the stride."""
    height, width = image.shape[2:]
    right, bottom = -width % stride, -height % stride
    if not right and not bottom:
        return image
    return F.pad(image, (0, right, 0, bottom), mode='replicate')


def _resized(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    if maps.shape[2:] == size:
        return maps
    return F.interpolate(maps, size, mode='bilinear', align_corners=False)
