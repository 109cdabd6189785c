"""The backbone of DCTN."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.backbones import SVT
from mmseg.registry import MODELS
from torch import nn

from mmseg_sparse.models.backbones.twins_layers import GlobalLayer, LocalLayer
from tests.helpers.dctn import BACKBONE, CLASSES, build, inputs


def backbone(**changes):
    return build(dict(BACKBONE, **changes)).eval()


def test_defaults_are_table_1():
    made = MODELS.build(dict(type='DualCrossTransformer', heatmap_channels=21))
    made.eval()
    norm, conv, second = made.warm_up
    assert (norm.num_features, conv.out_channels) == (21, 64)
    assert conv.kernel_size == (1, 1)
    assert second.num_features == 64
    widths = [[b.conv.out_channels for b in made.low_levels[s]]
              for s in ('image', 'heatmap')]  # fmt: skip
    assert widths == [[64, 64], [64, 64]]
    with torch.no_grad():
        maps = made(torch.zeros(1, 24, 80, 160))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (64, 20, 40), (128, 10, 20), (256, 5, 10), (512, 5, 10),
        (64, 80, 160),
    ]  # fmt: skip
    for stream in made.transformers.values():
        patches = [e.projection.kernel_size for e in stream.patch_embeds]
        assert patches == [(4, 4), (2, 2), (2, 2), (1, 1)]
        for stage in stream.layers:
            assert isinstance(stage[-1], GlobalLayer)
            windows = {m.attn.window_size for m in stage
                       if isinstance(m, LocalLayer)}  # fmt: skip
            assert windows == {5}


def test_without_crossing_the_streams_are_stock_twins():
    """Two SVTs on the low-level maps, summed; sizes that stock handles."""
    made = backbone(with_cross=False, depths=(2, 2, 2, 2))
    stock = []
    for name, stream in made.transformers.items():
        svt = SVT(
            6, [4, 6, 8, 10], [4, 2, 2, 1], [4, 2, 2, 1], [1, 2, 2, 2],
            [2, 2, 2, 2], depths=[2, 2, 2, 2], sr_ratios=[8, 4, 2, 1],
            windiow_sizes=[5, 5, 5, 5], qkv_bias=True, norm_after_stage=False,
        )  # fmt: skip
        missing = svt.load_state_dict(stream.state_dict(), strict=True)
        assert not missing.missing_keys
        stock.append((name, svt.eval()))
    x = inputs(height=160, width=320)
    with torch.no_grad():
        low = {
            'image': made.low_levels['image'](x[:, :3]),
            'heatmap': made.low_levels['heatmap'](made.warm_up(x[:, 3:])),
        }
        each = [svt(low[name]) for name, svt in stock]
        *sums, last = made(x)
    for found, a, b in zip(sums, *each, strict=True):
        torch.testing.assert_close(found, a + b)
    assert torch.equal(last, low['heatmap'])


def test_stochastic_depth_grows_as_in_stock_twins():
    made = backbone(depths=(2, 1, 2, 3), drop_path_rate=0.35)
    for stream in made.transformers.values():
        layers = [layer for stage in stream.layers for layer in stage]
        rates = [getattr(x.drop_path, 'drop_prob', 0.0) for x in layers]
        assert rates == pytest.approx([0.05 * i for i in range(8)])


def test_position_encoding_follows_the_first_layer_of_a_stage():
    made = backbone(depths=(2, 1, 2, 3))
    order = []
    stream = made.transformers['heatmap']
    for index, stage in enumerate(stream.layers):
        for layer in stage:
            # the crossing layer is not called itself, but its MLP is
            layer.ffn.register_forward_hook(
                lambda *args, index=index: order.append(f'layer {index}')
            )
        stream.position_encodings[index].register_forward_hook(
            lambda *args, index=index: order.append(f'position {index}')
        )
    with torch.no_grad():
        made(inputs())
    wanted = []
    for index, depth in enumerate((2, 1, 2, 3)):
        layers = [f'layer {index}'] * depth
        wanted += [layers[0], f'position {index}', *layers[1:]]
    assert order == wanted


def test_crossing_adds_no_parameters_and_joins_the_streams():
    crossed, apart = backbone(), backbone(with_cross=False)
    assert crossed.state_dict().keys() == apart.state_dict().keys()
    apart.load_state_dict(crossed.state_dict())
    x = inputs()
    other = x.clone()
    other[:, 3:] += torch.randn(2, CLASSES, 32, 48) * 3

    def image_stream(made, x):
        kept = []
        hook = made.transformers['image'].patch_embeds[1]
        handle = hook.register_forward_pre_hook(
            lambda module, args: kept.append(args[0])
        )
        with torch.no_grad():
            made(x)
        handle.remove()
        return kept[0]

    # What the image stream is at stage 2 depends on the heat map by crossing.
    assert torch.equal(image_stream(apart, x), image_stream(apart, other))
    change = image_stream(crossed, x) - image_stream(crossed, other)
    assert change.abs().max() > 1e-3


@pytest.mark.parametrize(
    ('streams', 'reads'),
    [
        (('image',), (True, False)),
        (('heatmap',), (False, True)),
        (('concat',), (True, True)),
        (('image', 'heatmap'), (True, True)),
    ],
)
@pytest.mark.parametrize('warm_up', [True, False])
def test_streams_read_what_they_say(streams, reads, warm_up):
    made = backbone(streams=streams, warm_up=warm_up)
    used = warm_up and streams != ('image',)
    assert (made.warm_up is not None) == used
    x = inputs().requires_grad_()
    maps = made(x if reads[1] else x[:, :3])
    sum(m.square().sum() for m in maps).backward()
    seen = [bool(part.abs().sum() > 0) for part in (
        x.grad[:, :3], x.grad[:, 3:]
    )]  # fmt: skip
    assert tuple(seen) == reads
    assert all(p.grad is not None for p in made.parameters())


def test_warm_up_normalises_the_heat_map():
    made = build(dict(BACKBONE)).train()
    warm = made.warm_up(inputs()[:, 3:] * 7 + 100)
    std, mean = torch.std_mean(warm, (0, 2, 3))
    torch.testing.assert_close(mean, torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(std, torch.ones(6), atol=1e-2, rtol=0)


@pytest.mark.parametrize('size', [(33, 50), (16, 16), (1, 1), (47, 100)])
def test_other_sizes_are_padded_at_the_low_level(size):
    made = backbone()
    x = inputs(height=size[0], width=size[1])
    padded = [length + -length % 16 for length in size]
    with torch.no_grad():
        maps = made(x)
    assert [tuple(m.shape[2:]) for m in maps] == [
        *((padded[0] // s, padded[1] // s) for s in (4, 8, 16, 16)),
        size,
    ]
    # ... with zeros, right and below
    whole = backbone()
    heads = {}
    for name, stream in whole.transformers.items():
        stream.patch_embeds[0].register_forward_pre_hook(
            lambda module, args, name=name: heads.update({name: args[0]})
        )
    with torch.no_grad():
        whole(x)
        low = whole.low_levels['image'](x[:, :3])
    wanted = F.pad(low, (0, padded[1] - size[1], 0, padded[0] - size[0]))
    assert torch.equal(heads['image'], wanted)


def test_weights_start_as_in_svt_and_streams_from_a_checkpoint(tmp_path):
    made = backbone(embed_dims=(32, 6, 8, 10))
    linear = made.transformers['image'].layers[0][-1].ffn.layers[0][0]
    assert linear.weight.std().item() == pytest.approx(0.02, rel=0.2)
    depthwise = made.transformers['image'].position_encodings[0].proj
    assert depthwise.weight.std().item() == pytest.approx(
        (2 / 9) ** 0.5, rel=0.2
    )
    svt = SVT(
        3, [4, 6, 8, 10], [4, 2, 2, 1], [4, 2, 2, 1], [1, 2, 2, 2],
        [2, 2, 2, 2], depths=[2, 2, 2, 2], sr_ratios=[8, 4, 2, 1],
        windiow_sizes=[7, 7, 7, 7], qkv_bias=True,
    )  # fmt: skip
    torch.save(svt.state_dict(), tmp_path / 'svt.pth')
    cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'svt.pth'))
    made = backbone(depths=(2, 2, 2, 2), stream_init_cfg=cfg)
    for stream in made.transformers.values():
        wanted = svt.state_dict()
        for key, value in stream.state_dict().items():
            if key == 'patch_embeds.0.projection.weight':
                assert not isinstance(value, nn.UninitializedParameter)
                assert value.shape[1] == 6
            else:
                assert torch.equal(value, wanted[key]), key


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"streams must be one of .*'image'"):
        backbone(streams='image')
    with pytest.raises(ValueError, match=r'equally long, got .*depths.: 3'):
        backbone(depths=(1, 1, 1))
    with pytest.raises(ValueError, match=r'depths must .* got \(1, 0, 1, 1\)'):
        backbone(depths=(1, 0, 1, 1))
    with pytest.raises(ValueError, match=r'heatmap_channels must .* got 0'):
        backbone(heatmap_channels=0)
    with pytest.raises(ValueError, match=r'\(N, 3 \+ 4, H, W\), got \(2, 3'):
        backbone()(inputs()[:, :3])
    with pytest.raises(ValueError, match=r'\(N, 3 \+ 0, H, W\), got \(2, 7'):
        backbone(streams=('image',))(inputs())
