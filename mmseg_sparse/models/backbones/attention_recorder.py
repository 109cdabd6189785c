"""Record the attention of stock backbones while they run."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import MultiheadAttention
from mmseg.models.backbones import (
    PCPVT,
    MixVisionTransformer,
    VisionTransformer,
)
from mmseg.models.backbones.mit import EfficientMultiheadAttention
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmseg_sparse.functional import Attention
from mmseg_sparse.functional.token_centers import Centers, conv_centers

from ..contracts import KeepsAttention
from .token_centers import token_centers

CHECKPOINTING = (
    'with activation checkpointing, which its attention cannot be recorded '
    'through'
)
NOT_HOOKED = (
    'no attention was recorded in stage {}: the backbone did not run, or ran '
    'without hooks, as compiled layers (torch.compile) do'
)


class AttentionRecorder:
    """Keeps what the attention layers of a backbone attend with.

    Used around one forward pass::

        with AttentionRecorder(backbone) as stages:
            maps = backbone(images)
        stages[2]  # list of Attention, one a layer of the third stage

    Queries and keys are projected, as the layers do it, whenever they are
    asked for: use them before the weights change.

    Stages are those of ``MixVisionTransformer`` and of Twins (``PCPVT`` and
    ``SVT``; global attention only); a ``VisionTransformer``, as in SETR and
    Segmenter, is one stage, its class token left out; of a frozen backbone,
    this stage holds the layers that it keeps. In training mode the
    layers are told not to return attention weights, which stock mmseg
    computes and drops; in evaluation mode they run as they are, so that
    predictions stay bit for bit those of the stock model. Dropout of
    attention weights is not part of what is recorded. Where a reduction does
    not divide the grid, the keys stand for the part that it covers. No hook
    outlives the ``with`` block, whatever ends it.

    Args:
        backbone: A stock backbone or a subclass.
        stages: Stages to record, all if None.

    Raises:
        TypeError: If the backbone's attention is of an unknown kind.
        ValueError: If a stage does not exist, or activation checkpointing
            is on: what it recomputes cannot be recorded.
        RuntimeError: At the end of the block, if the layers of a stage ran
            without their hooks, as compiled code does.
    """

    def __init__(
        self, backbone: nn.Module, stages: Sequence[int] | None = None
    ) -> None:
        """Find the layers and check that they can be recorded."""
        kept = isinstance(backbone, KeepsAttention)
        self._layers = [[]] if kept else _attention_layers(backbone)
        found = range(len(self._layers))
        self._stages = tuple(found if stages is None else stages)
        name = type(backbone).__name__
        wrong = [stage for stage in self._stages if stage not in found]
        if wrong:
            raise ValueError(
                f'{name} has attention stages 0 to {len(found) - 1}, got '
                f'stages={self._stages}'
            )
        for path, module in backbone.named_modules():
            if getattr(module, 'with_cp', False):
                raise ValueError(
                    f'{name} runs {path or "itself"} {CHECKPOINTING}: set '
                    'with_cp=False in the backbone'
                )
        if isinstance(backbone, KeepsAttention) and (
            backbone.attention_tap is None
        ):
            raise ValueError(
                f'{name} keeps no attention: name the layers of its backbone '
                'in attention_layers'
            )
        self._backbone = backbone
        self._centers = [
            token_centers(backbone, stage) for stage in found if not kept
        ]
        self._recorded: list[list[Attention]] = []
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> list[list[Attention]]:
        """Hook the layers; the list fills while the backbone runs."""
        stages: list[list[Attention]] = [[] for _ in self._layers]
        self._recorded = stages
        grid: list[tuple[int, int]] = []
        if isinstance(self._backbone, KeepsAttention):
            assert self._backbone.attention_tap is not None
            self._handles.append(
                self._backbone.attention_tap.register_forward_hook(
                    lambda module, args, out: stages[0].extend(out)
                )
            )
        if isinstance(self._backbone, VisionTransformer):
            self._handles.append(
                self._backbone.patch_embed.register_forward_hook(
                    lambda module, args, out: grid.append(out[1])
                )
            )
        for stage in self._stages:
            for layer in self._layers[stage]:
                self._hook(layer, stages[stage], grid, self._centers[stage])
        return stages

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove every hook."""
        while self._handles:
            self._handles.pop().remove()
        recorded, self._recorded = self._recorded, []
        if kind is None:
            for stage in self._stages:
                if not recorded[stage]:
                    raise RuntimeError(NOT_HOOKED.format(stage))

    def _hook(
        self,
        layer: MultiheadAttention,
        kept: list[Attention],
        grid: list[tuple[int, int]],
        centers: Centers,
    ) -> None:
        ratio = getattr(layer, 'sr_ratio', 1)
        # The reduction is a convolution of that kernel and stride.
        key_centers = conv_centers([(ratio, ratio, 0)], centers)
        has_token = isinstance(self._backbone, VisionTransformer)
        grad = torch.is_grad_enabled()

        def note_grid(
            module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> None:
            hw = kwargs['hw_shape'] if 'hw_shape' in kwargs else args[1]
            grid.append(hw)

        def record(
            module: nn.MultiheadAttention,
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if grad and not torch.is_grad_enabled():
                raise RuntimeError(
                    f'the backbone runs {CHECKPOINTING}: take it out of '
                    'activation_checkpointing'
                )
            query_hw = (int(grid[-1][0]), int(grid[-1][1]))
            key_hw = (query_hw[0] // ratio, query_hw[1] // ratio)
            kept.append(
                _LayerAttention(
                    module,
                    _without_token(kwargs['query'], query_hw, has_token),
                    _without_token(kwargs['key'], key_hw, has_token),
                    query_hw,
                    key_hw,
                    centers,
                    key_centers,
                )
            )
            if self._backbone.training:
                kwargs = {**kwargs, 'need_weights': False}
            return args, kwargs

        if isinstance(layer, EfficientMultiheadAttention):
            self._handles.append(
                layer.register_forward_pre_hook(note_grid, with_kwargs=True)
            )
        self._handles.append(
            layer.attn.register_forward_pre_hook(record, with_kwargs=True)
        )


def _attention_layers(backbone: nn.Module) -> list[list[MultiheadAttention]]:
    """Return the attention layers of each stage, in the order they run."""
    if isinstance(backbone, VisionTransformer):
        blocks, kind = [backbone.layers], MultiheadAttention
    elif isinstance(backbone, MixVisionTransformer | PCPVT):
        blocks, kind = list(backbone.layers), EfficientMultiheadAttention
    else:
        raise TypeError(
            'attention is recorded from MixVisionTransformer, '
            'VisionTransformer, PCPVT and SVT (Twins), got the backbone '
            f'{type(backbone).__name__}: use one of those, or a loss that '
            'needs no attention'
        )
    stages = [
        [module for module in block.modules() if isinstance(module, kind)]
        for block in blocks
    ]
    for index, layers in enumerate(stages):
        if not layers:
            raise TypeError(
                f'stage {index} of the backbone {type(backbone).__name__} '
                f'has no {kind.__name__} layer to record'
            )
    return stages


def _without_token(
    tokens: Tensor, hw: tuple[int, int], has_token: bool
) -> Tensor:
    """Drop a ViT's class token, the first of ``(M + 1, N, C)``."""
    extra = tokens.shape[0] - hw[0] * hw[1]
    return tokens[1:] if has_token and extra == 1 else tokens


class _LayerAttention(Attention):
    """The attention of a layer, projected from its inputs at each use.

    MiT's and Twins' layers keep their inputs until the backward pass in any
    case, a ViT's a copy of them. Projections, recorded beside them, would be
    as many bytes again at the peak of a training step's memory. The weights
    must be whole when the factors are asked for, not sharded.

    Args:
        module: The layer.
        query: What its queries are projected from, ``(M, N, C)``.
        key: What its keys are projected from, ``(M', N, C)``.
        query_hw: The query grid.
        key_hw: The key grid.
        query_centers: Where the queries are centred.
        key_centers: Where the keys are centred.
    """

    _module: nn.MultiheadAttention
    _tokens: tuple[Tensor, Tensor]
    _grad: bool

    def __init__(
        self,
        module: nn.MultiheadAttention,
        query: Tensor,
        key: Tensor,
        query_hw: tuple[int, int],
        key_hw: tuple[int, int],
        query_centers: Centers,
        key_centers: Centers,
    ) -> None:
        values = dict(
            _module=module,
            _tokens=(query, key),
            _grad=torch.is_grad_enabled(),
            scale=(module.embed_dim // module.num_heads) ** -0.5,
            query_hw=query_hw,
            key_hw=key_hw,
            query_centers=query_centers,
            key_centers=key_centers,
        )
        for name, value in values.items():
            object.__setattr__(self, name, value)  # frozen

    @property
    def query(self) -> Tensor:
        return self._project(0)

    @property
    def key(self) -> Tensor:
        return self._project(1)

    def _project(self, part: int) -> Tensor:
        """Project as the layer did, ``(N, heads, M, d)``.

        In the weights' own precision, also where the layer ran under
        autocast.
        """
        channels, heads = self._module.embed_dim, self._module.num_heads
        weight, bias = self._module.in_proj_weight, self._module.in_proj_bias
        tokens = self._tokens[part].to(weight.dtype)
        rows = slice(part * channels, (part + 1) * channels)
        with (
            torch.set_grad_enabled(self._grad and torch.is_grad_enabled()),
            torch.autocast(tokens.device.type, enabled=False),
        ):
            out = F.linear(
                tokens, weight[rows], None if bias is None else bias[rows]
            )
        out = out.unflatten(2, (heads, channels // heads))
        return out.permute(1, 2, 0, 3)
