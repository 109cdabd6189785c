"""DCTN: an image and its heat maps, read by two Transformers that meet."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, build_norm_layer
from mmengine.model import BaseModule, ModuleList
from mmengine.model.weight_init import (
    constant_init,
    normal_init,
    trunc_normal_init,
)
from mmseg.models.backbones.twins import ConditionalPositionEncoding
from mmseg.models.utils import PatchEmbed, nlc_to_nchw
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .twins_layers import GlobalLayer, LocalLayer, cross

#: What a backbone may have, and what each stream of it reads.
STREAMS = (('image', 'heatmap'), ('image',), ('heatmap',), ('concat',))
_IMAGE_CHANNELS = 3


class TwinsStream(BaseModule):
    """Twins-SVT stage by stage; its last layer of each stage is global.

    Modules have the names of mmseg's ``SVT``, so that its checkpoints fit,
    but for the first patch embedding. There are no norms after stages.
    """

    def __init__(self, in_channels: int, *, embed_dims: Sequence[int],
                 patch_sizes: Sequence[int], num_heads: Sequence[int],
                 mlp_ratios: Sequence[int], depths: Sequence[int],
                 sr_ratios: Sequence[int], window_sizes: Sequence[int],
                 qkv_bias: bool, drop_rate: float, attn_drop_rate: float,
                 drop_path_rate: float,
                 init_cfg: dict[str, Any] | None = None) -> None:  # fmt: skip
        super().__init__(init_cfg)
        ins = (in_channels, *embed_dims)
        self.patch_embeds = ModuleList(
            PatchEmbed(ins[i], width, kernel_size=patch, stride=patch,
                       norm_cfg=dict(type='LN'))
            for i, (width, patch) in enumerate(
                zip(embed_dims, patch_sizes, strict=True))
        )  # fmt: skip
        self.position_encodings = ModuleList(
            ConditionalPositionEncoding(width, width) for width in embed_dims
        )
        self.drop = nn.Dropout(drop_rate)
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths)).tolist())
        self.layers = ModuleList()
        for i, depth in enumerate(depths):
            common: dict[str, Any] = dict(
                embed_dims=embed_dims[i],
                num_heads=num_heads[i],
                feedforward_channels=mlp_ratios[i] * embed_dims[i],
                qkv_bias=qkv_bias,
                drop_rate=drop_rate,
                attn_drop_rate=attn_drop_rate,
            )
            stage = ModuleList()
            for j in range(depth):
                common['drop_path_rate'] = next(rates)
                # Local and global in turn; what crosses must be global.
                if j % 2 == 0 and j != depth - 1:
                    layer = LocalLayer(window_size=window_sizes[i], **common)
                else:
                    layer = GlobalLayer(sr_ratio=sr_ratios[i], **common)
                stage.append(layer)
            self.layers.append(stage)

    def embed(self, stage: int, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return the tokens ``(N, H·W, C)`` of a stage's input, and H, W."""
        tokens, hw_shape = self.patch_embeds[stage](x)
        return self.drop(tokens), hw_shape

    def position(
        self, stage: int, layer: int, x: Tensor, hw_shape: tuple[int, int]
    ) -> Tensor:
        """Add the position encoding, which follows the first layer."""
        if layer == 0:
            return self.position_encodings[stage](x, hw_shape)
        return x


@MODELS.register_module()
class DualCrossTransformer(BaseModule):
    """Backbone of DCTN, the dual-cross Transformer network.

    The image, and the heat map after a warm-up module, each go through two
    convolutional blocks (the low-level extractor) and a Twins-SVT. The last
    layers of each stage are DCTN's cross block:
    :func:`~mmseg_sparse.models.backbones.twins_layers.cross`. Without
    crossing they are two global layers with the same parameters.

    Source: TRL, section 3.3, figure 3, table 1. What the paper leaves to
    Twins (depths, heads, ``sr_ratios``, drop path) is that of Twins-SVT-S.
    Kernels of the low-level extractor are 3×3 here.

    The input is N×(3 + C)×H×W, image and C heat maps, as
    :class:`~mmseg_sparse.models.segmentors.HeatmapRefiner` puts them
    together. Low-level maps are padded with zeros at the right and the bottom
    to a multiple of the stride, 16. Outputs are, for each stage, the sum of
    the streams at the padded size (for 100×60 pixels 28×16, 14×8, 7×4 and
    7×4 cells), then the low-level maps of the last stream, N×64×H×W. What
    predicts at the size of the input resizes the former to a multiple of 16
    and crops, as :class:`~mmseg_sparse.models.decode_heads.DCTNHead` does.

    Args:
        heatmap_channels: C; of no meaning with the image stream alone, whose
            input is N×3×H×W.
        streams: ``('image', 'heatmap')``, or one stream for the rows of
            table 2: ``('image',)``, ``('heatmap',)`` or ``('concat',)``, the
            image and the (warmed-up) heat map as one input.
        with_cross: Whether the streams cross; without, it is the paper's
            DTN.
        warm_up: Whether heat maps go through batch norm, 1×1 convolution and
            batch norm first.
        low_channels: Width of warm-up and low-level extractors.
        embed_dims: Width of each stage.
        patch_sizes: Stride of each stage on the one before.
        num_heads: Heads of each stage.
        mlp_ratios: Width of the MLP over that of the stage.
        depths: Layers of each stage, the crossing one included.
        sr_ratios: By how much keys and values are subsampled.
        window_sizes: Sides of the windows of local attention.
        qkv_bias: Whether the projections have biases.
        drop_rate: Dropout of tokens, projections and MLPs.
        attn_drop_rate: Dropout of attention weights.
        drop_path_rate: Stochastic depth of the last layer, from 0 at the
            first.
        norm_cfg: Norm of warm-up and low-level extractors.
        stream_init_cfg: What initialises each Twins-SVT, such as
            ``dict(type='Pretrained', checkpoint=...)`` with mmseg's SVT-S.
        init_cfg: What initialises the whole; by default as in ``SVT``.

    Raises:
        ValueError: If there are no such streams, or lists of arguments differ
            in length; in ``forward`` if the input has other channels.
    """

    def __init__(
        self,
        heatmap_channels: int,
        *,
        streams: Sequence[str] = ('image', 'heatmap'),
        with_cross: bool = True,
        warm_up: bool = True,
        low_channels: int = 64,
        embed_dims: Sequence[int] = (64, 128, 256, 512),
        patch_sizes: Sequence[int] = (4, 2, 2, 1),
        num_heads: Sequence[int] = (2, 4, 8, 16),
        mlp_ratios: Sequence[int] = (4, 4, 4, 4),
        depths: Sequence[int] = (2, 2, 10, 4),
        sr_ratios: Sequence[int] = (8, 4, 2, 1),
        window_sizes: Sequence[int] = (5, 5, 5, 5),
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.2,
        norm_cfg: dict[str, Any] | None = None,
        stream_init_cfg: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        """Build warm-up, low-level extractors and streams."""
        super().__init__(init_cfg)
        stages = dict(
            embed_dims=embed_dims, patch_sizes=patch_sizes,
            num_heads=num_heads, mlp_ratios=mlp_ratios, depths=depths,
            sr_ratios=sr_ratios, window_sizes=window_sizes,
        )  # fmt: skip
        _check(heatmap_channels, streams, stages)
        norm_cfg = norm_cfg or dict(type='BN')
        self.streams = tuple(streams)
        self.heatmap_channels = (
            0 if self.streams == ('image',) else heatmap_channels
        )
        self.with_cross = with_cross and len(self.streams) == 2
        self.num_stages = len(embed_dims)
        self.stride = math.prod(patch_sizes)
        self.warm_up: nn.Module | None = None
        if warm_up and self.heatmap_channels:
            self.warm_up = _warm_up(heatmap_channels, low_channels, norm_cfg)
        heat = low_channels if self.warm_up else heatmap_channels
        ins = dict(
            image=_IMAGE_CHANNELS, heatmap=heat, concat=_IMAGE_CHANNELS + heat
        )
        self.low_levels = nn.ModuleDict()
        self.transformers = nn.ModuleDict()
        for name in self.streams:
            self.low_levels[name] = _low_level(
                ins[name], low_channels, norm_cfg
            )
            self.transformers[name] = TwinsStream(
                low_channels, **stages, qkv_bias=qkv_bias,
                drop_rate=drop_rate, attn_drop_rate=attn_drop_rate,
                drop_path_rate=drop_path_rate, init_cfg=stream_init_cfg,
            )  # fmt: skip

    def init_weights(self) -> None:
        """Initialise as ``SVT`` does, then what has an ``init_cfg``."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                trunc_normal_init(module, std=0.02, bias=0.0)
            elif isinstance(module, _BatchNorm | nn.LayerNorm):
                constant_init(module, val=1.0, bias=0.0)
            elif isinstance(module, nn.Conv2d):
                fan_out = math.prod(module.kernel_size) * module.out_channels
                fan_out //= module.groups
                normal_init(module, std=math.sqrt(2 / fan_out), bias=0.0)
        if self.init_cfg is not None:
            super().init_weights()
            return
        streams: list[Any] = [*self.transformers.values()]
        for stream in streams:
            if stream.init_cfg is not None:
                stream.init_weights()

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the sums of the stages and the low-level maps.

        Args:
            inputs: Image and heat maps, ``(N, 3 + C, H, W)``.

        Returns:
            ``(N, C_i, H_i, W_i)`` of each stage, then ``(N, 64, H, W)``.
        """
        low = [
            self.low_levels[name](x) for name, x in self._split(inputs).items()
        ]
        height, width = inputs.shape[2:]
        padding = (0, -width % self.stride, 0, -height % self.stride)
        maps = [F.pad(x, padding) for x in low]
        sums = []
        for stage in range(self.num_stages):
            maps = self._run_stage(stage, maps)
            sums.append(maps[0] + maps[1] if len(maps) == 2 else maps[0])
        return (*sums, low[-1])

    def _split(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return what each stream reads."""
        want = _IMAGE_CHANNELS + self.heatmap_channels
        if inputs.ndim != 4 or inputs.shape[1] != want:
            raise ValueError(
                f'DualCrossTransformer with streams={self.streams} wants '
                f'image and heat maps (N, 3 + {self.heatmap_channels}, H, '
                f'W), got {tuple(inputs.shape)}'
            )
        image = inputs[:, :_IMAGE_CHANNELS]
        heatmap = inputs[:, _IMAGE_CHANNELS:]
        if self.warm_up is not None:
            heatmap = self.warm_up(heatmap)
        found = dict(image=image, heatmap=heatmap)
        if self.streams == ('concat',):
            found['concat'] = torch.cat([image, heatmap], 1)
        return {name: found[name] for name in self.streams}

    def _run_stage(self, stage: int, maps: list[Tensor]) -> list[Tensor]:
        streams: list[Any] = [self.transformers[n] for n in self.streams]
        embedded = [
            stream.embed(stage, x)
            for stream, x in zip(streams, maps, strict=True)
        ]
        tokens = [x for x, _ in embedded]
        size = embedded[0][1]
        last = len(streams[0].layers[stage]) - 1
        for index in range(last + 1):
            layers = [stream.layers[stage][index] for stream in streams]
            if self.with_cross and index == last:
                (first, second), (x, h) = layers, tokens
                tokens = [*cross(first, second, x, h, size)]
            else:
                tokens = [
                    layer(x, size)
                    for layer, x in zip(layers, tokens, strict=True)
                ]
            tokens = [
                stream.position(stage, index, x, size)
                for stream, x in zip(streams, tokens, strict=True)
            ]
        return [nlc_to_nchw(x, size).contiguous() for x in tokens]


def _warm_up(
    in_channels: int, channels: int, norm_cfg: dict[str, Any]
) -> nn.Sequential:
    """Return the module that heat maps go through first."""
    return nn.Sequential(
        build_norm_layer(norm_cfg, in_channels)[1],
        nn.Conv2d(in_channels, channels, 1),
        build_norm_layer(norm_cfg, channels)[1],
    )


def _low_level(
    in_channels: int, channels: int, norm_cfg: dict[str, Any]
) -> nn.Sequential:
    """Return the two convolutional blocks of a low-level extractor."""
    return nn.Sequential(
        ConvModule(in_channels, channels, 3, padding=1, norm_cfg=norm_cfg),
        ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg),
    )


def _check(
    heatmap_channels: int,
    streams: Sequence[str],
    stages: dict[str, Sequence[int]],
) -> None:
    if heatmap_channels < 1:
        raise ValueError(
            f'heatmap_channels must be at least 1, got {heatmap_channels}'
        )
    if isinstance(streams, str) or tuple(streams) not in STREAMS:
        raise ValueError(f'streams must be one of {STREAMS}, got {streams!r}')
    lengths = {name: len(values) for name, values in stages.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(
            f'the lists of stages must be equally long, got {lengths}'
        )
    if min(stages['depths']) < 1:
        raise ValueError(
            'depths must be at least 1, for the layer that crosses, got '
            f'{tuple(stages["depths"])}'
        )
