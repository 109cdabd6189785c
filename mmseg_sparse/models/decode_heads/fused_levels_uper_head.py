"""UPerNet's decoder on chosen levels of its pyramid."""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import UPerHead
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class FusedLevelsUPerHead(UPerHead):
    """``UPerHead`` that fuses some levels of its pyramid.

    The pyramid is ``UPerHead``'s, top-down from all maps. Of its levels, the
    chosen ones alone are resized to the finest map, whether that is chosen
    or not, and concatenated for ``fpn_bottleneck``; so the logits are as
    fine as the stock head's. With all levels it is the stock head.

    What no chosen level needs is not built: the 3×3 convolutions of the
    others, and lateral convolutions below the finest chosen one. What is
    built has the stock names. Backbone maps that nothing needs get a
    gradient of 0, so that each of the backbone's parameters has one.

    Source: DFR, table 6, whose blocks feed a feature that segmentation and
    feature head share.

    Args:
        levels: Which levels, from 0, the finest, in ascending order.
        **kwargs: The arguments of ``UPerHead``.

    Raises:
        ValueError: If ``levels`` are none, not ascending, or not there.
    """

    def __init__(self, levels: Sequence[int], **kwargs: Any) -> None:
        """Build the stock head, and take out what is not needed."""
        super().__init__(**kwargs)
        count = len(self.in_channels)
        levels = tuple(levels)
        if not levels or list(levels) != sorted(set(levels) & {*range(count)}):
            raise ValueError(
                f'levels must be ascending and some of 0 to {count - 1}, got '
                f'{levels}'
            )
        self.levels = levels
        for level in range(count - 1):
            if level not in levels:
                self.fpn_convs[level] = nn.Identity()
            if level < levels[0]:
                self.lateral_convs[level] = nn.Identity()
        if len(levels) < count:
            self.fpn_bottleneck = ConvModule(
                len(levels) * self.channels,
                self.channels,
                3,
                padding=1,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
            )

    def _forward_feature(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the map that is classified, ``(N, channels, H, W)``."""
        maps = self._transform_inputs(inputs)
        finest = self.levels[0]
        top = self.psp_forward(maps)
        outputs = {len(maps) - 1: top}
        for level in range(len(maps) - 2, finest - 1, -1):
            lateral = self.lateral_convs[level](maps[level])
            top = lateral + self._resize(top, lateral)
            outputs[level] = self.fpn_convs[level](top)
        fused = [
            self._resize(outputs[level], maps[0]) for level in self.levels
        ]
        feature: Tensor = self.fpn_bottleneck(torch.cat(fused, 1))
        if self.training:
            # The sum of no element is 0, and so is its gradient.
            for unused in maps[:finest]:
                feature = feature + unused[:, :0].sum()
        return feature

    def _resize(self, maps: Tensor, like: Tensor) -> Tensor:
        if maps.shape[2:] == like.shape[2:]:
            return maps
        resized: Tensor = resize(
            maps,
            size=like.shape[2:],
            mode='bilinear',
            align_corners=self.align_corners,
        )
        return resized
