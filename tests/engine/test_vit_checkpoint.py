"""Vision transformers by other names predict the same under mmseg's."""

import re

import pytest
import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_sparse.engine.vit_checkpoint import convert_vit, literal_vit

CHANNELS, HEADS, LAYERS, PATCH, SIDE = 24, 3, 2, 5, 4


def dinov2(**changes: Tensor | None) -> dict[str, Tensor]:
    """Return a small checkpoint by the names of DINOv2 and timm."""
    generator = torch.Generator().manual_seed(3)
    shapes = {
        'cls_token': (1, 1, CHANNELS),
        'mask_token': (1, CHANNELS),
        'pos_embed': (1, 1 + SIDE * SIDE, CHANNELS),
        'patch_embed.proj.weight': (CHANNELS, 3, PATCH, PATCH),
        'patch_embed.proj.bias': (CHANNELS,),
        'norm.weight': (CHANNELS,),
        'norm.bias': (CHANNELS,),
    }
    for index in range(LAYERS):
        layers = {
            'norm1': (CHANNELS,),
            'norm2': (CHANNELS,),
            'attn.qkv': (3 * CHANNELS, CHANNELS),
            'attn.proj': (CHANNELS, CHANNELS),
            'mlp.fc1': (2 * CHANNELS, CHANNELS),
            'mlp.fc2': (CHANNELS, 2 * CHANNELS),
        }
        for name, shape in layers.items():
            shapes[f'blocks.{index}.{name}.weight'] = shape
            shapes[f'blocks.{index}.{name}.bias'] = shape[:1]
        for name in ('ls1', 'ls2'):
            shapes[f'blocks.{index}.{name}.gamma'] = (CHANNELS,)
    state = {
        key: torch.randn(shape, generator=generator) * 0.5
        for key, shape in shapes.items()
    } | changes
    return {key: value for key, value in state.items() if value is not None}


def transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return it by the names of transformers' Dinov2Model."""
    renamed = {}
    for key, value in state.items():
        for pattern, new in (
            (r'^cls_token', 'embeddings.cls_token'),
            (r'^mask_token', 'embeddings.mask_token'),
            (r'^pos_embed', 'embeddings.position_embeddings'),
            (r'^patch_embed.proj', 'embeddings.patch_embeddings.projection'),
            (r'^norm', 'layernorm'),
            (r'^blocks', 'encoder.layer'),
            (r'ls(\d).gamma', r'layer_scale\1.lambda1'),
            (r'attn.proj', 'attention.output.dense'),
        ):
            key = re.sub(pattern, new, key)
        if 'attn.qkv' in key:
            for name, part in zip(
                ('query', 'key', 'value'), value.chunk(3), strict=True
            ):
                one = key.replace('attn.qkv', f'attention.attention.{name}')
                renamed[one] = part
        else:
            renamed[key] = value
    return renamed


def chunked(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return it as DINOv2 keeps its large models and trainings."""
    return {
        'teacher': {
            'backbone.' + re.sub(r'^blocks\.', 'blocks.0.', key): value
            for key, value in state.items()
        }
        | {'dino_head.mlp.0.weight': torch.ones(2, 2)}
    }


def without_layer_scale(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return it as MAE keeps it: without LayerScale, with a decoder."""
    kept = {key: value for key, value in state.items() if '.ls' not in key}
    decoder = {'decoder_blocks.0.norm1.weight': torch.ones(8)}
    return {'model': kept | decoder}


@pytest.mark.parametrize(
    'named',
    [dict, transformers, chunked, without_layer_scale],
    ids=['dinov2', 'transformers', 'chunked', 'mae'],
)
@pytest.mark.parametrize('last_norm', [True, False])
def test_stock_backbone_predicts_what_the_source_says(
    named: object, last_norm: bool
) -> None:
    changes = {} if last_norm else {'norm.weight': None, 'norm.bias': None}
    found = convert_vit(named(dinov2(**changes)), HEADS)
    assert found.backbone['final_norm'] is last_norm
    assert found.backbone['mlp_ratio'] == 2
    model = MODELS.build(found.backbone).double()
    model.load_state_dict(found.state_dict)
    model.eval()
    source = {key: value.double() for key, value in found.source.items()}
    image = torch.randn(2, 3, SIDE * PATCH, SIDE * PATCH).double()
    (maps,) = model(image)
    expected = literal_vit(source, image, HEADS)
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-5)
    if any('gamma' in key for key in source):  # LayerScale is looked at
        source['blocks.1.ls2.gamma'] *= 1.5
        other = literal_vit(source, image, HEADS)
        assert (other - expected).abs().max() > 0.01


@pytest.mark.parametrize(
    ('changes', 'heads', 'said'),
    [
        ({'register_tokens': torch.ones(1, 4, 8)}, 3, 'register tokens'),
        ({'blocks.0.mlp.w12.weight': torch.ones(2)}, 3, 'SwiGLU'),
        ({'rope_embed.periods': torch.ones(2)}, 3, 'DINOv3'),
        ({'pos_embed': None}, 3, 'no pos_embed'),
        ({'pos_embed': torch.ones(1, 12, CHANNELS)}, 3, 'got 12'),
        ({}, 5, '24 channels are no multiple of 5 heads'),
    ],
)
def test_what_mmseg_does_not_have_is_refused(
    changes: dict[str, Tensor], heads: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        convert_vit(dinov2(**changes), heads)


def test_a_file_of_other_things_is_refused() -> None:
    with pytest.raises(ValueError, match='parameters by name'):
        convert_vit({'epoch': 3})
    with pytest.raises(ValueError, match='patch_embed'):
        convert_vit({'cls_token': torch.ones(1), 'pos_embed': torch.ones(1)})
