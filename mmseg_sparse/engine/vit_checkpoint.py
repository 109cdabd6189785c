"""Plain vision transformers, brought to the keys of mmseg's backbone.

DINOv2, MAE, DeiT and timm keep a vision transformer under one set of names,
Hugging Face's ``transformers`` under another, and mmseg's
``VisionTransformer`` under a third. It has no LayerScale (Touvron et al.,
"Going deeper with image transformers", ICCV 2021), but a factor on the output
of a linear layer can be multiplied into its weights, and a bias of the patch
embedding can be added to the position embedding.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

#: Names of transformers' Dinov2Model and ViTModel -> names of timm and DINOv2.
_FROM_TRANSFORMERS = (
    (r'^(?:dinov2|vit)\.', ''),
    (r'^embeddings\.cls_token$', 'cls_token'),
    (r'^embeddings\.mask_token$', 'mask_token'),
    (r'^embeddings\.register_tokens$', 'register_tokens'),
    (r'^embeddings\.position_embeddings$', 'pos_embed'),
    (r'^embeddings\.patch_embeddings\.projection\.', 'patch_embed.proj.'),
    (r'^encoder\.layer\.', 'blocks.'),
    (r'\.attention\.attention\.', '.attn.'),
    (r'\.attention\.output\.dense\.', '.attn.proj.'),
    (r'\.layer_scale([12])\.lambda1$', r'.ls\1.gamma'),
    (r'\.layernorm_before\.', '.norm1.'),
    (r'\.layernorm_after\.', '.norm2.'),
    (r'\.intermediate\.dense\.', '.mlp.fc1.'),
    (r'^(blocks\.\d+)\.output\.dense\.', r'\1.mlp.fc2.'),
    (r'^layernorm\.', 'norm.'),
)
#: Names of a block -> those of mmseg.
_BLOCK = {
    'norm1': 'ln1',
    'norm2': 'ln2',
    'attn.qkv': 'attn.attn.in_proj_',
    'attn.proj': 'attn.attn.out_proj',
    'mlp.fc1': 'ffn.layers.0.0',
    'mlp.fc2': 'ffn.layers.1',
}
#: What stock mmseg cannot express: part of a key -> what it is.
_UNKNOWN = {
    'register_tokens': 'register tokens',
    'reg_token': 'register tokens',
    'storage_tokens': 'register tokens',
    'rope': 'rotary position embedding (as in DINOv3)',
    'relative_position': 'relative position embedding (as in BEiT)',
    'mlp.w12': 'a SwiGLU feed-forward network',
    'mlp.w3': 'a SwiGLU feed-forward network',
    'mlp.fc1_g': 'a SwiGLU feed-forward network',
    'weights_in': 'a SwiGLU feed-forward network',
    'q_norm': 'normalised queries and keys',
}
#: Keys beside the backbone.
_BESIDE = re.compile(
    r'^(head|fc_norm|pooler|classifier|mask_token|decoder|pos_embed_decoder|'
    r'dino_head|ibot_head)'
)


@dataclass(frozen=True)
class ConvertedViT:
    """A checkpoint for mmseg's ``VisionTransformer``.

    Attributes:
        state_dict: Parameters by mmseg's names, float32.
        backbone: Config of the backbone without ``init_cfg``.
        source: The parameters by the names of timm and DINOv2, float32.
    """

    state_dict: dict[str, Tensor]
    backbone: dict[str, Any]
    source: dict[str, Tensor]


def convert_vit(
    content: dict[str, Any], num_heads: int | None = None
) -> ConvertedViT:
    """Bring a vision transformer to the keys of mmseg.

    Args:
        content: What a checkpoint holds: parameters by name, in it or under
            ``model``, ``state_dict``, ``teacher`` or ``student``.
        num_heads: Attention heads; None: one for each 64 channels, as all of
            DINOv2, MAE and DeiT have.

    Raises:
        ValueError: If the checkpoint is not one of a plain vision
            transformer, or has something that mmseg's does not.
    """
    source = _timm_names(_parameters(content))
    for key in source:
        for part, name in _UNKNOWN.items():
            if part in key:
                raise ValueError(
                    f"the checkpoint has {name} ({key}), which mmseg's "
                    'VisionTransformer does not have: choose a checkpoint '
                    'without'
                )
    backbone = _config(source, num_heads)
    state = {'cls_token': source['cls_token']}
    position = source['pos_embed'].clone()
    bias = source.get('patch_embed.proj.bias')
    if bias is not None:
        position[:, 1:] += bias
    state['pos_embed'] = position
    state['patch_embed.projection.weight'] = source['patch_embed.proj.weight']
    for index in range(backbone['num_layers']):
        state.update(_block(source, index))
    if backbone['final_norm']:
        state['ln1.weight'] = source['norm.weight']
        state['ln1.bias'] = source['norm.bias']
    return ConvertedViT(
        {key: value.contiguous() for key, value in state.items()},
        backbone,
        source,
    )


def literal_vit(
    source: dict[str, Tensor], image: Tensor, num_heads: int
) -> Tensor:
    """Run a vision transformer as its checkpoint says, step by step.

    It is what :func:`convert_vit` is checked against: LayerScale and the bias
    of the patch embedding are applied where they are.

    Args:
        source: :attr:`ConvertedViT.source`.
        image: ``(N, 3, S, S)`` of the size of the position embedding.
        num_heads: Attention heads.

    Returns:
        The tokens of the last layer, normalised where the checkpoint has a
        last norm, without the class token, ``(N, C, S / patch, S / patch)``.
    """
    weight = source['patch_embed.proj.weight']
    patch = weight.shape[-1]
    x = F.conv2d(image, weight, source.get('patch_embed.proj.bias'), patch)
    size = x.shape[2:]
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([source['cls_token'].expand(len(x), -1, -1), x], 1)
    x = x + source['pos_embed']
    channels = x.shape[2]

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = source[f'{name}.weight'], source[f'{name}.bias']
        return F.layer_norm(x, (channels,), weight, bias, 1e-6)

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(
            x, source[f'{name}.weight'], source.get(f'{name}.bias')
        )

    for index in range(_num_blocks(source)):
        block = f'blocks.{index}'
        qkv = linear(norm(x, f'{block}.norm1'), f'{block}.attn.qkv')
        q, k, v = (
            part.unflatten(2, (num_heads, -1)).transpose(1, 2)
            for part in qkv.chunk(3, 2)
        )
        weights = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).softmax(3)
        out = linear((weights @ v).transpose(1, 2).flatten(2),
                     f'{block}.attn.proj')  # fmt: skip
        x = x + out * source.get(f'{block}.ls1.gamma', 1.0)
        out = F.gelu(linear(norm(x, f'{block}.norm2'), f'{block}.mlp.fc1'))
        out = linear(out, f'{block}.mlp.fc2')
        x = x + out * source.get(f'{block}.ls2.gamma', 1.0)
    if 'norm.weight' in source:
        x = norm(x, 'norm')
    return x[:, 1:].transpose(1, 2).unflatten(2, size)


def _parameters(content: Any) -> dict[str, Tensor]:
    """Return the parameters of a checkpoint, without outer prefixes."""
    for key in ('state_dict', 'model', 'teacher', 'student'):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict):
        raise ValueError('the checkpoint does not hold parameters by name')
    found = {
        re.sub(r'^(module\.|backbone\.)+', '', str(key)): value.float()
        for key, value in content.items()
        if isinstance(value, Tensor)
    }
    if not found:
        raise ValueError('the checkpoint does not hold parameters by name')
    return found


def _timm_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters of the backbone by the names of timm."""
    named = {}
    for key, value in state.items():
        new = key
        for pattern, replacement in _FROM_TRANSFORMERS:
            new = re.sub(pattern, replacement, new)
        # DINOv2 keeps the blocks of its large models in chunks.
        new = re.sub(r'^blocks\.\d+\.(\d+\.)', r'blocks.\1', new)
        if not _BESIDE.match(new):
            named[new] = value
    for kind in ('weight', 'bias'):  # three layers of transformers
        for index in range(_num_blocks(named)):
            keys = [
                f'blocks.{index}.attn.{name}.{kind}'
                for name in ('query', 'key', 'value')
            ]
            if all(key in named for key in keys):
                named[f'blocks.{index}.attn.qkv.{kind}'] = torch.cat(
                    [named.pop(key) for key in keys]
                )
    return named


def _num_blocks(source: dict[str, Tensor]) -> int:
    numbers = [
        int(key.split('.')[1]) for key in source if key.startswith('blocks.')
    ]
    return max(numbers, default=-1) + 1


def _config(
    source: dict[str, Tensor], num_heads: int | None
) -> dict[str, Any]:
    for key in (
        'cls_token', 'pos_embed', 'patch_embed.proj.weight',
        'blocks.0.attn.qkv.weight', 'blocks.0.mlp.fc1.weight',
    ):  # fmt: skip
        if key not in source:
            raise ValueError(
                'the checkpoint is not one of a plain vision transformer: it '
                f'has no {key}, but {", ".join(sorted(source)[:4])} …'
            )
    channels, _, patch, _ = source['patch_embed.proj.weight'].shape
    tokens = source['pos_embed'].shape[1] - 1
    side = math.isqrt(tokens)
    if side * side != tokens:
        raise ValueError(
            f'expected a position embedding of 1 + side * side tokens, got '
            f'{tokens + 1}'
        )
    if num_heads is None:
        num_heads = channels // 64
    if not num_heads or channels % num_heads:
        raise ValueError(
            f'{channels} channels are no multiple of {num_heads} heads: set '
            '--num-heads'
        )
    hidden = len(source['blocks.0.mlp.fc1.weight'])
    return dict(
        type='VisionTransformer',
        img_size=side * patch,
        patch_size=patch,
        embed_dims=channels,
        num_layers=_num_blocks(source),
        num_heads=num_heads,
        mlp_ratio=hidden // channels,
        qkv_bias='blocks.0.attn.qkv.bias' in source,
        final_norm='norm.weight' in source,
        norm_cfg=dict(type='LN', eps=1e-6),
        interpolate_mode='bicubic',
    )


def _block(source: dict[str, Tensor], index: int) -> dict[str, Tensor]:
    """Return a block by mmseg's names, LayerScale multiplied in."""
    result = {}
    for name, new in _BLOCK.items():
        layer = {'attn.proj': 'ls1', 'mlp.fc2': 'ls2'}.get(name)
        gamma = source.get(f'blocks.{index}.{layer}.gamma')
        for kind in ('weight', 'bias'):
            value = source.get(f'blocks.{index}.{name}.{kind}')
            if value is None:
                continue
            if gamma is not None:
                value = value * (gamma[:, None] if value.ndim > 1 else gamma)
            joint = '' if new.endswith('_') else '.'
            result[f'layers.{index}.{new}{joint}{kind}'] = value
    return result
