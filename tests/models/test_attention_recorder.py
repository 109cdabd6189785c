import copy

import pytest
import torch
from mmseg.registry import MODELS
from torch import nn
from torch.utils.checkpoint import checkpoint

from mmseg_sparse.models.backbones import AttentionRecorder
from tests.helpers.measure import kept_bytes, largest_tensor

MIT = dict(
    type='MixVisionTransformer',
    embed_dims=8,
    num_layers=[1, 2, 1, 1],
    num_heads=[1, 2, 2, 4],
    sr_ratios=[8, 4, 2, 1],
    mlp_ratio=2,
    qkv_bias=True,
)
VIT = dict(
    type='VisionTransformer',
    img_size=(64, 64),
    embed_dims=24,
    num_layers=3,
    num_heads=2,
    mlp_ratio=2,
    out_indices=(0, 2),
)
TWINS = dict(
    embed_dims=[8, 16, 16, 32],
    num_heads=[1, 2, 2, 4],
    mlp_ratios=[2, 2, 2, 2],
    depths=[1, 2, 2, 1],
    sr_ratios=[8, 4, 2, 1],
)
PCPVT = dict(type='PCPVT', qkv_bias=True, norm_after_stage=False, **TWINS)
SVT = dict(
    type='SVT',
    qkv_bias=True,
    windiow_sizes=[2, 2, 2, 2],  # mmseg's spelling
    drop_path_rate=0.0,
    **TWINS,
)
IMAGE = (64, 96)
#: config, recorded layers a stage, query grids, key grids, for that image.
BACKBONES = {
    'mit': (
        MIT,
        [1, 2, 1, 1],
        [(16, 24), (8, 12), (4, 6), (2, 3)],
        [(2, 3), (2, 3), (2, 3), (2, 3)],
    ),
    'vit': (VIT, [3], [(4, 6)], [(4, 6)]),
    'vit-without-token': (
        {**VIT, 'with_cls_token': False},
        [3],
        [(4, 6)],
        [(4, 6)],
    ),
    'pcpvt': (
        PCPVT,
        [1, 2, 2, 1],
        [(16, 24), (8, 12), (4, 6), (2, 3)],
        [(2, 3), (2, 3), (2, 3), (2, 3)],
    ),
    # every other layer of SVT attends within windows
    'svt': (
        {**SVT, 'depths': [2, 2, 2, 2]},
        [1, 1, 1, 1],
        [(16, 24), (8, 12), (4, 6), (2, 3)],
        [(2, 3), (2, 3), (2, 3), (2, 3)],
    ),
}


def build(name, training=True):
    cfg = copy.deepcopy(BACKBONES[name][0])
    backbone = MODELS.build(cfg)
    backbone.init_weights()
    for parameter in backbone.parameters():
        # stock initialisation leaves attention all but uniform
        parameter.data += 0.3 * torch.randn_like(parameter)
    backbone.train(training)  # returns None in some of mmseg's backbones
    return backbone


def multihead_layers(backbone):
    return [m for m in backbone.modules() if type(m) is nn.MultiheadAttention]


def all_hooks(model):
    return [
        hooks
        for module in model.modules()
        for hooks in (module._forward_pre_hooks, module._forward_hooks)
        if hooks
    ]


@pytest.mark.parametrize('name', BACKBONES)
def test_recorded_attention_is_what_the_layers_use(name):
    """Torch's own attention weights are the oracle."""
    backbone = build(name, training=False)
    oracle = []
    for layer in multihead_layers(backbone):

        def want_weights(module, args, kwargs):
            return args, {**kwargs, 'average_attn_weights': False}

        def keep(module, args, out):
            oracle.append(out[1])

        layer.register_forward_pre_hook(want_weights, with_kwargs=True)
        layer.register_forward_hook(keep)
    with torch.no_grad(), AttentionRecorder(backbone) as stages:
        backbone(torch.randn(2, 3, *IMAGE))
    _, counts, query_grids, key_grids = BACKBONES[name]
    assert [len(layers) for layers in stages] == counts
    recorded = [layer for layers in stages for layer in layers]
    assert len(oracle) == len(recorded)
    for weights, layer in zip(oracle, recorded, strict=True):
        extra = weights.shape[-1] - layer.key.shape[2]
        assert extra == (name == 'vit')
        weights = weights[..., extra:, extra:]  # no class token
        weights = weights / weights.sum(-1, keepdim=True)
        torch.testing.assert_close(
            layer.dense(), weights, rtol=1e-4, atol=1e-6
        )
        uniform = 1 / weights.shape[-1]
        assert (weights - uniform).abs().max() > 0.1 * uniform
    for layers, query_hw, key_hw in zip(
        stages, query_grids, key_grids, strict=True
    ):
        for layer in layers:
            assert (layer.query_hw, layer.key_hw) == (query_hw, key_hw)


def test_key_grid_floors_where_the_reduction_does_not_divide():
    backbone = build('mit')
    with AttentionRecorder(backbone, [0, 1]) as stages:
        backbone(torch.randn(1, 3, 72, 104))
    # 18 x 26 tokens reduced by 8, 9 x 13 reduced by 4
    assert stages[0][0].query_hw == (18, 26)
    assert stages[0][0].key_hw == (2, 3)
    assert stages[1][1].query_hw == (9, 13)
    assert stages[1][1].key_hw == (2, 3)
    assert stages[2:] == [[], []]


@pytest.mark.parametrize('name', BACKBONES)
def test_gradients_reach_the_projections(name):
    backbone = build(name)
    with AttentionRecorder(backbone) as stages:
        backbone(torch.randn(2, 3, *IMAGE))
    loss = sum(
        (layer.query * torch.randn_like(layer.query)).sum()
        + (layer.key * torch.randn_like(layer.key)).sum()
        for layers in stages
        for layer in layers
    )
    loss.backward()
    for layer in multihead_layers(backbone):
        size = layer.embed_dim
        grad = layer.in_proj_weight.grad
        assert grad[:size].abs().sum() > 0
        assert grad[size : 2 * size].abs().sum() > 0


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize('training', [True, False])
def test_recording_does_not_change_the_maps(name, training):
    backbone = build(name, training)
    image = torch.randn(2, 3, *IMAGE)
    with torch.no_grad():
        plain = backbone(image)
        with AttentionRecorder(backbone):
            recorded = backbone(image)
    for a, b in zip(plain, recorded, strict=True):
        if training:  # fused attention rounds otherwise
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
        else:
            assert torch.equal(a, b)


@pytest.mark.parametrize('training', [True, False])
def test_weights_are_left_out_in_training_only(training):
    backbone = build('mit', training)
    seen = []
    for layer in multihead_layers(backbone):
        layer.register_forward_hook(
            lambda module, args, out: seen.append(out[1] is None)
        )
    with AttentionRecorder(backbone, [0, 3]):
        backbone(torch.randn(1, 3, *IMAGE))
    # stages 1 and 2, of two and one layers, are not recorded
    assert seen == [training, False, False, False, training]


def test_nothing_of_the_size_of_attention_is_made():
    backbone = build('mit')
    image = torch.randn(1, 3, 256, 256)
    with AttentionRecorder(backbone) as stages:
        biggest = largest_tensor(lambda: backbone(image))  # no dense scores
    attention = stages[0][0]
    dense = attention.query.shape[2] * attention.key.shape[2]
    assert dense == 4096 * 64
    assert biggest < dense
    # the measure sees it where it is made
    assert largest_tensor(lambda: backbone(image)) >= dense


@pytest.mark.parametrize('name', BACKBONES)
def test_recording_keeps_hardly_more_than_the_layers_do(name):
    backbone = build(name)
    for layer in multihead_layers(backbone):
        layer.register_forward_pre_hook(
            lambda module, args, kwargs: (
                args,
                {**kwargs, 'need_weights': False},
            ),
            with_kwargs=True,
        )
    image = torch.randn(2, 3, *IMAGE)

    def record():
        with AttentionRecorder(backbone) as stages:
            maps = backbone(image)
        return stages, maps

    projected = sum(
        layer.query.nbytes + layer.key.nbytes
        for stage in record()[0]
        for layer in stage
    )
    extra = kept_bytes(record) - kept_bytes(lambda: backbone(image))
    # A ViT's layers keep a transposed copy of their input, not the input.
    limit = 0.55 if name.startswith('vit') else 0.15
    assert extra < limit * projected


def test_recorded_factors_follow_the_grad_mode_of_the_pass():
    backbone = build('mit')
    image = torch.randn(1, 3, *IMAGE)
    with torch.no_grad(), AttentionRecorder(backbone) as silent:
        backbone(image)
    with AttentionRecorder(backbone) as stages:
        backbone(image)
    assert not silent[0][0].query.requires_grad
    assert stages[0][0].query.requires_grad
    with torch.no_grad():
        assert not stages[0][0].query.requires_grad


@pytest.mark.parametrize('name', BACKBONES)
def test_no_hook_outlives_the_block(name):
    backbone = build(name)
    recorder = AttentionRecorder(backbone)
    with recorder:
        backbone(torch.randn(1, 3, *IMAGE))
        assert all_hooks(backbone)
    assert not all_hooks(backbone)
    with pytest.raises(RuntimeError), recorder:
        backbone(torch.randn(1, 5, *IMAGE))
    assert not all_hooks(backbone)


def test_unknown_backbone_is_named():
    resnet = MODELS.build(dict(type='ResNet', depth=18))
    with pytest.raises(TypeError, match='got the backbone ResNet'):
        AttentionRecorder(resnet)


def test_missing_stage_is_named():
    with pytest.raises(ValueError, match=r'stages 0 to 0, got stages=\(0, 1'):
        AttentionRecorder(build('vit'), (0, 1))


def test_activation_checkpointing_is_refused():
    backbone = MODELS.build({**copy.deepcopy(MIT), 'with_cp': True})
    with pytest.raises(ValueError, match='with_cp=False'):
        AttentionRecorder(backbone)


@pytest.mark.parametrize('name', ['mit', 'vit'])
def test_checkpointed_layers_are_refused_while_they_run(name):
    """As MMEngine's activation_checkpointing makes them after building."""
    backbone = build(name)
    layer = backbone.layers[0]
    layer = layer[1][0] if name == 'mit' else layer
    forward = layer.forward
    layer.forward = lambda *args: checkpoint(
        forward, *args, use_reentrant=True
    )
    with (
        pytest.raises(RuntimeError, match='activation checkpointing'),
        AttentionRecorder(backbone),
    ):
        backbone(torch.randn(1, 3, *IMAGE))
    assert not all_hooks(backbone)


def test_layers_that_run_without_hooks_are_an_error():
    backbone = build('mit')
    for layer in multihead_layers(backbone)[-1:]:
        # what compiled code amounts to
        layer.__class__ = type('Unhooked', (type(layer),), {})
        type(layer).__call__ = lambda self, **kwargs: self.forward(**kwargs)
    with (
        pytest.raises(RuntimeError, match='recorded in stage 3'),
        AttentionRecorder(backbone),
    ):
        backbone(torch.randn(1, 3, *IMAGE))
