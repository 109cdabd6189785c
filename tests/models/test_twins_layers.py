"""DCTN's cross block against its formula; Twins' layers on any size."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.backbones.twins import (
    GSAEncoderLayer,
    LocallyGroupedSelfAttention,
)

from mmseg_sparse.models.backbones.twins_layers import (
    GlobalLayer,
    LocalAttention,
    SubsampledAttention,
    cross,
)
from tests.reference import trl as reference

F64 = torch.float64
HEADS, WIDTH, HIDDEN = 3, 6, 10


def layer(ratio, seed):
    torch.manual_seed(seed)
    made = GlobalLayer(
        WIDTH, HEADS, feedforward_channels=HIDDEN, sr_ratio=ratio,
        qkv_bias=True, drop_rate=0.0, attn_drop_rate=0.0, drop_path_rate=0.0,
    ).double()  # fmt: skip
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    return made.eval()


def weights_of(made):
    """As the reference wants them."""
    attn = made.attn.attn
    found = {
        name: (w.tolist(), b.tolist())
        for name, w, b in zip(
            'qkv',
            attn.in_proj_weight.chunk(3),
            attn.in_proj_bias.chunk(3),
            strict=True,
        )
    }
    modules = dict(
        norm1=made.norm1,
        a=attn.out_proj,
        norm2=made.norm2,
        mlp1=made.ffn.layers[0][0],
        mlp2=made.ffn.layers[1],
    )
    for name, module in modules.items():
        found[name] = module.weight.tolist(), module.bias.tolist()
    if made.attn.sr_ratio > 1:
        found['sr_weight'] = made.attn.sr.weight.tolist()
        found['sr_bias'] = made.attn.sr.bias.tolist()
        found['sr_norm_weight'] = made.attn.norm.weight.tolist()
        found['sr_norm_bias'] = made.attn.norm.bias.tolist()
    return found


def tokens(size, n=2, seed=5):
    generator = torch.Generator().manual_seed(seed)
    count = size[0] * size[1]
    return (
        torch.randn(n, count, WIDTH, dtype=F64, generator=generator),
        torch.randn(n, count, WIDTH, dtype=F64, generator=generator) * 2,
    )


# 7 and 5 are no multiples of 2 and 3; 1x1 is smaller than either.
@pytest.mark.parametrize('ratio', [1, 2, 3])
@pytest.mark.parametrize('size', [(7, 5), (2, 3), (1, 1)])
def test_cross_equals_the_formula(ratio, size):
    first, second = layer(ratio, 0), layer(ratio, 1)
    x, h = tokens(size)
    kept = x.clone(), h.clone()
    found = cross(first, second, x, h, size)
    assert torch.equal(x, kept[0])
    assert torch.equal(h, kept[1])
    for index in range(len(x)):
        wanted = reference.cross_block(
            x[index].tolist(), h[index].tolist(),
            weights_of(first), weights_of(second), size,
            heads=HEADS, ratio=ratio, eps=first.norm1.eps,
        )  # fmt: skip
        for mine, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(
                mine[index], torch.tensor(theirs, dtype=F64),
                rtol=1e-10, atol=1e-10,
            )  # fmt: skip


def test_values_come_from_the_other_stream_alone():
    """What is the same everywhere is attended to as it is."""
    first, second = layer(1, 0), layer(1, 1)
    x, h = tokens((3, 4))
    h = h[:, :1].expand_as(h)
    found, _ = cross(first, second, x, h, (3, 4))
    attn = first.attn.attn
    weight, bias = attn.in_proj_weight, attn.in_proj_bias
    value = F.linear(
        second.norm1(h), weight.chunk(3)[2], bias.chunk(3)[2]
    )  # fmt: skip
    torch.testing.assert_close(found, first.finish(x, attn.out_proj(value)))


@pytest.mark.parametrize('ratio', [1, 2])
def test_equal_streams_cross_as_the_stock_layer_runs(ratio):
    mine = layer(ratio, 0)
    stock = GSAEncoderLayer(WIDTH, HEADS, HIDDEN, sr_ratio=ratio).double()
    stock.load_state_dict(mine.state_dict())
    x, _ = tokens((4, 6))
    wanted = stock.eval()(x, (4, 6))
    torch.testing.assert_close(mine(x, (4, 6)), wanted)
    for found in cross(mine, mine, x, x, (4, 6)):
        torch.testing.assert_close(found, wanted)


def test_gradients_reach_both_streams():
    first, second = layer(2, 0), layer(2, 1)
    x, h = (t[:1, :, :] for t in tokens((3, 2)))
    assert torch.autograd.gradcheck(
        lambda x, h: cross(first, second, x, h, (3, 2)),
        (x.requires_grad_(), h.requires_grad_()),
    )


@pytest.mark.parametrize(
    ('dtype', 'bound'),
    [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 2e-2)],
)
def test_dtypes(dtype, bound):
    first, second = layer(2, 0), layer(2, 1)
    x, h = tokens((5, 4))
    wanted = cross(first, second, x, h, (5, 4))
    with torch.no_grad():
        found = cross(
            first.to(dtype), second.to(dtype), x.to(dtype), h.to(dtype), (5, 4)
        )
    for mine, theirs in zip(found, wanted, strict=True):
        error = (mine.double() - theirs).abs().max() / theirs.abs().max()
        assert error < bound


# Neither, both, rows alone and columns alone are padded to windows of 5.
@pytest.mark.parametrize('size', [(10, 5), (7, 8), (7, 10), (5, 8), (1, 5)])
def test_local_attention_sees_no_padding(size):
    torch.manual_seed(0)
    attention = LocalAttention(WIDTH, HEADS, True, window_size=5).double()
    x, _ = tokens(size)
    found = attention(x, size)
    maps = x.view(len(x), *size, WIDTH)
    wanted = torch.empty_like(maps)
    for top in range(0, size[0], 5):
        for left in range(0, size[1], 5):
            here = (
                slice(None), slice(top, top + 5), slice(left, left + 5)
            )  # fmt: skip
            window = maps[here]
            q, k, v = (
                part.reshape(len(x), -1, HEADS, WIDTH // HEADS).transpose(1, 2)
                for part in attention.qkv(window).chunk(3, -1)
            )
            out = F.scaled_dot_product_attention(q, k, v)
            wanted[here] = out.transpose(1, 2).reshape(window.shape)
    torch.testing.assert_close(
        found, attention.proj(wanted).view_as(found), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize('size', [(10, 5), (7, 8)])
def test_where_stock_masks_rightly_it_is_stock(size):
    torch.manual_seed(0)
    attention = LocalAttention(WIDTH, HEADS, True, window_size=5).double()
    stock = LocallyGroupedSelfAttention(
        WIDTH, HEADS, True, window_size=5
    ).double()
    stock.load_state_dict(attention.state_dict())
    x, _ = tokens(size)
    assert torch.equal(attention(x, size), stock(x, size))


def test_a_map_smaller_than_its_subsampling_is_attended_to():
    attention = SubsampledAttention(WIDTH, HEADS, sr_ratio=8).double()
    x, _ = tokens((3, 5))
    assert attention.reduce(x, (3, 5)).shape == (2, 1, WIDTH)
    assert attention(x, (3, 5)).isfinite().all()
