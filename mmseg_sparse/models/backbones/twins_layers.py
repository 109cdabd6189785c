"""Layers of Twins-SVT that take maps of any size, and DCTN's cross block.

Parameters and their names are those of the stock layers.
"""

from typing import Any

import torch.nn.functional as F
from mmseg.models.backbones.twins import (
    GlobalSubsampledAttention,
    GSAEncoderLayer,
    LocallyGroupedSelfAttention,
    LSAEncoderLayer,
)
from mmseg.models.utils import nchw_to_nlc, nlc_to_nchw
from torch import Tensor

Size = tuple[int, int]


class LocalAttention(LocallyGroupedSelfAttention):
    """Twins' attention within windows, none of whose pixels sees padding.

    The stock layer masks the padding of its windows where rows and columns
    are padded, and no padding where only one of them is.
    """

    def forward(self, x: Tensor, hw_shape: Size) -> Tensor:
        """Return ``(N, H·W, C)``."""
        height, width = hw_shape
        below = height % self.window_size != 0
        right = width % self.window_size != 0
        if below == right:
            return super().forward(x, hw_shape)
        # One more row or column makes both of them padded; it is in windows
        # of its own, so that no pixel sees it.
        maps = F.pad(nlc_to_nchw(x, hw_shape), (0, int(below), 0, int(right)))
        out = super().forward(nchw_to_nlc(maps), tuple(maps.shape[2:]))
        out = nlc_to_nchw(out, tuple(maps.shape[2:]))
        return nchw_to_nlc(out[:, :, :height, :width])


class LocalLayer(LSAEncoderLayer):
    """``LSAEncoderLayer`` with :class:`LocalAttention`."""

    def __init__(self, embed_dims: int, num_heads: int, *,
                 feedforward_channels: int, window_size: int,
                 qkv_bias: bool, drop_rate: float, attn_drop_rate: float,
                 drop_path_rate: float) -> None:  # fmt: skip
        super().__init__(embed_dims, num_heads, feedforward_channels,
                         drop_rate, attn_drop_rate, drop_path_rate,
                         qkv_bias=qkv_bias,
                         window_size=window_size)  # fmt: skip
        self.attn = LocalAttention(
            embed_dims, num_heads, qkv_bias, None, attn_drop_rate, drop_rate,
            window_size,
        )  # fmt: skip


class SubsampledAttention(GlobalSubsampledAttention):
    """Twins' global attention in two parts.

    Maps that ``sr_ratio`` does not divide are padded with zeros at the right
    and the bottom; the stock layer leaves their last rows and columns out of
    keys and values, and fails on maps smaller than ``sr_ratio``.
    """

    def reduce(self, x: Tensor, hw_shape: Size) -> Tensor:
        """Return what keys and values are made of, ``(N, M', C)``."""
        if self.sr_ratio == 1:
            return x
        maps = nlc_to_nchw(x, hw_shape)
        below, right = (-length % self.sr_ratio for length in hw_shape)
        maps = self.sr(F.pad(maps, (0, right, 0, below)))
        return self.norm(nchw_to_nlc(maps))

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Project and attend: ``(N, M, C)``, twice ``(N, M', C)``."""
        query, key, value = (t.transpose(0, 1) for t in (query, key, value))
        out = self.attn(query, key, value, need_weights=False)[0]
        return self.dropout_layer(self.proj_drop(out.transpose(0, 1)))

    def forward(
        self, x: Tensor, hw_shape: Size, identity: Any = None
    ) -> Tensor:
        """Return ``(N, H·W, C)``."""
        reduced = self.reduce(x, hw_shape)
        shortcut = x if identity is None else identity
        return shortcut + self.attend(x, reduced, reduced)


class GlobalLayer(GSAEncoderLayer):
    """``GSAEncoderLayer`` with :class:`SubsampledAttention`."""

    def __init__(self, embed_dims: int, num_heads: int, *,
                 feedforward_channels: int, sr_ratio: int, qkv_bias: bool,
                 drop_rate: float, attn_drop_rate: float,
                 drop_path_rate: float) -> None:  # fmt: skip
        super().__init__(embed_dims, num_heads, feedforward_channels,
                         drop_rate, attn_drop_rate, drop_path_rate,
                         qkv_bias=qkv_bias, sr_ratio=sr_ratio)  # fmt: skip
        self.attn = SubsampledAttention(
            embed_dims,
            num_heads,
            attn_drop=attn_drop_rate,
            proj_drop=drop_rate,
            dropout_layer=dict(type='DropPath', drop_prob=drop_path_rate),
            qkv_bias=qkv_bias,
            sr_ratio=sr_ratio,
        )

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add what was attended to, then the MLP's output."""
        x = x + self.drop_path(attended)
        return x + self.drop_path(self.ffn(self.norm2(x)))


def cross(
    first: GlobalLayer,
    second: GlobalLayer,
    x: Tensor,
    h: Tensor,
    hw_shape: Size,
) -> tuple[Tensor, Tensor]:
    r"""DCTN's cross Transformer block: two layers that swap their values.

    .. math::
        q_1, k_1 = Q_1 \bar x, K_1 \bar x, \quad
        q_2, k_2 = Q_2 \bar h, K_2 \bar h, \quad
        v_1 = V_1 \bar h, \quad v_2 = V_2 \bar x

        r_1 = x + A_1\,\mathrm{softmax}(s q_1 k_1^T) v_1, \quad
        x_{out} = r_1 + \mathrm{MLP}(\mathrm{LN}(r_1))

    (TRL, eq. 3-5), with :math:`\bar x = \mathrm{LN}(x)`, and :math:`r_2` in
    the same way; :math:`Q_1, K_1, V_1, A_1` are the weights of ``first``,
    :math:`s` is one over the root of a head's width. As in Twins' global
    layers, keys and values are of maps that each stream makes smaller by its
    ``sr_ratio`` first (the paper does not say; with 1 they are not). The
    parameters are those of the two layers without crossing.

    Args:
        first: Layer of the image stream.
        second: Layer of the heat-map stream.
        x: Image stream, ``(N, H·W, C)``.
        h: Heat-map stream, ``(N, H·W, C)``.
        hw_shape: ``(H, W)``.

    Returns:
        :math:`x_{out}` and :math:`h_{out}`.
    """
    bar_x, bar_h = first.norm1(x), second.norm1(h)
    small_x = first.attn.reduce(bar_x, hw_shape)
    small_h = second.attn.reduce(bar_h, hw_shape)
    return (
        first.finish(x, first.attn.attend(bar_x, small_x, small_h)),
        second.finish(h, second.attn.attend(bar_h, small_h, small_x)),
    )
