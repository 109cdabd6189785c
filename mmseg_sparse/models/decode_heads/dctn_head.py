"""The prediction heads of DCTN."""

from collections.abc import Sequence
from typing import Any

from mmseg.models.decode_heads import FPNHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of maps ``(N, C, H, W)``."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return maps of the same shape."""
        return super().forward(inputs.movedim(1, -1)).movedim(-1, 1)


@MODELS.register_module()
class DCTNHead(BaseDecodeHead):
    r"""First prediction head of DCTN: of the last stage alone.

    .. math:: \mathrm{Conv}_{s1}(\mathrm{LN}(h_{out(4)} + x_{out(4)}))

    (TRL, eq. 6), resized to the size of the input, which the paper leaves to
    the loss: the maps may be those of a padded input, so the padding is cut
    off here. There is no dropout unless asked for.

    Args:
        in_channels: Widths of the backbone's stages.
        low_channels: Width of its low-level maps.
        stride: Stride of the last stage.
        **kwargs: Further arguments of ``BaseDecodeHead``.

    Raises:
        ValueError: In ``forward``, if the maps are not those of
            ``DualCrossTransformer``: all stages, then the low-level maps.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (64, 128, 256, 512),
        *,
        low_channels: int = 64,
        stride: int = 16,
        **kwargs: Any,
    ) -> None:
        """Build norm and classifier."""
        kwargs.setdefault('dropout_ratio', 0.0)
        super().__init__(
            in_channels=list(in_channels),
            in_index=list(range(len(in_channels))),
            input_transform='multiple_select',
            channels=in_channels[-1],
            **kwargs,
        )
        self.low_channels = low_channels
        self.stride = stride
        self.norm = ChannelNorm(in_channels[-1])

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return logits ``(N, K, H, W)``.

        Args:
            inputs: Sums of the streams, ``(N, C_i, H_i, W_i)``, and the
                low-level maps, ``(N, C, H, W)``.
        """
        maps, low = _split(self, inputs)
        logits = self.cls_seg(self.norm(maps[-1]))
        return _to_input_size(self, logits, maps[-1], low)


@MODELS.register_module()
class DCTNFPNHead(FPNHead):
    r"""Second prediction head of DCTN: of all stages and low-level maps.

    .. math::
        \mathrm{FPN}(\mathrm{LN}(h_{out(1)} + x_{out(1)}), \dots,
        \mathrm{LN}(h_{out(4)} + x_{out(4)}))
        + \mathrm{GN}(\mathrm{Conv}_{s2}(h_{low}))

    (TRL, eq. 7). FPN is mmseg's neck of that name and its ``FPNHead``, whose
    logits are resized to the size of the input; :math:`\mathrm{Conv}_{s2}` is
    a 1×1 convolution to the classes, as all of the paper's. Which widths FPN
    has and how many groups GN, the paper does not say: those of the FPN that
    it cites, and one. There is no dropout unless asked for.

    Args:
        in_channels: Widths of the backbone's stages.
        low_channels: Width of its low-level maps.
        feature_strides: Strides of the stages.
        fpn_channels: Width of the top-down maps.
        channels: Width of the maps that are summed.
        num_groups: Groups of GN.
        **kwargs: Further arguments of ``BaseDecodeHead``.

    Raises:
        ValueError: If ``num_groups`` does not divide the number of classes;
            in ``forward``, as :class:`DCTNHead`.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (64, 128, 256, 512),
        *,
        low_channels: int = 64,
        feature_strides: Sequence[int] = (4, 8, 16, 16),
        fpn_channels: int = 256,
        channels: int = 128,
        num_groups: int = 1,
        **kwargs: Any,
    ) -> None:
        """Build norms, FPN and the convolution of the low-level maps."""
        kwargs.setdefault('dropout_ratio', 0.0)
        super().__init__(
            feature_strides=list(feature_strides),
            in_channels=[fpn_channels] * len(in_channels),
            in_index=list(range(len(in_channels))),
            channels=channels,
            **kwargs,
        )
        if self.out_channels % num_groups:
            raise ValueError(
                f'num_groups={num_groups} does not divide the '
                f'{self.out_channels} classes'
            )
        self.low_channels = low_channels
        self.stride = feature_strides[-1]
        self.norms = nn.ModuleList(ChannelNorm(c) for c in in_channels)
        self.fpn = MODELS.build(
            dict(
                type='FPN',
                in_channels=list(in_channels),
                out_channels=fpn_channels,
                num_outs=len(in_channels),
            )
        )
        self.conv_low = nn.Conv2d(low_channels, self.out_channels, 1)
        self.norm_low = nn.GroupNorm(num_groups, self.out_channels)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return logits ``(N, K, H, W)``.

        Args:
            inputs: As in :class:`DCTNHead`.
        """
        maps, low = _split(self, inputs)
        normed = [
            norm(x) for norm, x in zip(self.norms, maps, strict=True)
        ]  # fmt: skip
        logits = super().forward(self.fpn(normed))
        logits = _to_input_size(self, logits, maps[-1], low)
        return logits + self.norm_low(self.conv_low(low))


def _split(
    head: DCTNHead | DCTNFPNHead, inputs: Sequence[Tensor]
) -> tuple[list[Tensor], Tensor]:
    """Return the maps of the stages, and the low-level ones."""
    *maps, low = inputs
    if len(maps) != len(head.in_index) or low.shape[1] != head.low_channels:
        raise ValueError(
            f'{type(head).__name__} wants {len(head.in_index)} stages and '
            f'low-level maps of {head.low_channels} channels, as '
            'DualCrossTransformer gives them, got '
            f'{[tuple(x.shape) for x in inputs]}'
        )
    return maps, low


def _to_input_size(
    head: DCTNHead | DCTNFPNHead, logits: Tensor, last: Tensor, low: Tensor
) -> Tensor:
    """Resize logits to the size of the padded input, and cut that off."""
    height, width = low.shape[2:]
    padded = [length * head.stride for length in last.shape[2:]]
    logits = resize(
        logits,
        size=padded,
        mode='bilinear',
        align_corners=head.align_corners,
    )
    return logits[:, :, :height, :width]
