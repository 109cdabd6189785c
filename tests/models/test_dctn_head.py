"""The two prediction heads of DCTN."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.decode_heads import FPNHead
from mmseg.models.necks import FPN

from tests.helpers.dctn import CLASSES, FPN_HEAD, HEAD, build, sample

WIDTHS, STRIDES = (4, 6, 8, 10), (4, 8, 16, 16)
F64 = torch.float64


def features(size=(33, 50)):
    """Maps as the backbone gives them for an input of some size."""
    generator = torch.Generator().manual_seed(1)
    padded = [length + -length % 16 for length in size]
    shapes = [
        (2, width, padded[0] // stride, padded[1] // stride)
        for width, stride in zip(WIDTHS, STRIDES, strict=True)
    ]
    shapes.append((2, 6, *size))
    return tuple(
        torch.randn(shape, generator=generator, dtype=F64) * 3 + 1
        for shape in shapes
    )


def head(cfg, **changes):
    made = build(dict(cfg, **changes)).double().eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def norm(module, x):
    """Layer norm over channels, by its formula."""
    mean = x.mean(1, keepdim=True)
    variance = x.var(1, unbiased=False, keepdim=True)
    x = (x - mean) / (variance + module.eps).sqrt()
    return x * module.weight.view(-1, 1, 1) + module.bias.view(-1, 1, 1)


@pytest.mark.parametrize('size', [(33, 50), (32, 48), (1, 1), (16, 47)])
def test_first_head_is_equation_6(size):
    made = head(HEAD)
    maps = features(size)
    found = made(maps)
    normed = norm(made.norm, maps[3])
    weight = made.conv_seg.weight[:, :, 0, 0]
    logits = torch.einsum('kc,nchw->nkhw', weight, normed)
    logits = logits + made.conv_seg.bias.view(-1, 1, 1)
    # 33 × 50 is a part of 48 × 64, which 3 × 4 cells cover
    padded = [length + -length % 16 for length in size]
    wanted = F.interpolate(logits, padded, mode='bilinear')
    wanted = wanted[:, :, : size[0], : size[1]]
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('size', [(33, 50), (32, 48), (1, 1)])
@pytest.mark.parametrize('groups', [1, 2])
def test_second_head_is_equation_7(size, groups):
    made = head(FPN_HEAD, num_groups=groups)
    maps = features(size)
    found = made(maps)
    neck = FPN([*WIDTHS], 8, 4).double()
    neck.load_state_dict(made.fpn.state_dict())
    stock = FPNHead(
        [*STRIDES], in_channels=[8] * 4, in_index=[0, 1, 2, 3], channels=8,
        num_classes=CLASSES, dropout_ratio=0.0,
    ).double()  # fmt: skip
    stock.load_state_dict(
        {k: v for k, v in made.state_dict().items() if k in stock.state_dict()}
    )
    normed = [
        norm(module, x) for module, x in zip(made.norms, maps, strict=False)
    ]
    logits = stock.eval()(neck(normed))
    padded = [length + -length % 16 for length in size]
    logits = F.interpolate(logits, padded, mode='bilinear')
    logits = logits[:, :, : size[0], : size[1]]
    # GN(Conv(h_low)), each group of classes of an image on its own
    low = made.conv_low.weight[:, :, 0, 0]
    low = torch.einsum('kc,nchw->nkhw', low, maps[4])
    low = low + made.conv_low.bias.view(-1, 1, 1)
    parts = low.reshape(2, groups, -1)
    mean = parts.mean(2, keepdim=True)
    variance = parts.var(2, unbiased=False, keepdim=True)
    low = ((parts - mean) / (variance + 1e-5).sqrt()).view_as(low)
    low = low * made.norm_low.weight.view(-1, 1, 1)
    low = low + made.norm_low.bias.view(-1, 1, 1)
    torch.testing.assert_close(found, logits + low, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('cfg', [HEAD, FPN_HEAD])
def test_the_stock_loss_is_cross_entropy_at_the_size_of_the_labels(cfg):
    made = head(cfg)
    maps = features((33, 50))
    labels = torch.full((2, 33, 50), 255)
    labels[0, 3:9, 4:50], labels[1, 30:, :2] = 3, 1
    samples = [sample(part) for part in labels]
    losses = made.loss(maps, samples, {})
    wanted = F.cross_entropy(made(maps), labels, ignore_index=255)
    torch.testing.assert_close(losses['loss_ce'], wanted)
    losses['loss_ce'].backward()
    idle = [n for n, p in made.named_parameters() if p.grad is None]
    assert idle == []


def test_no_dropout_unless_asked_for():
    for cfg in (HEAD, FPN_HEAD):
        assert build(dict(cfg)).dropout is None
        assert build(dict(cfg, dropout_ratio=0.1)).dropout.p == 0.1


def test_maps_of_another_backbone_are_refused():
    for cfg in (HEAD, FPN_HEAD):
        made = head(cfg)
        with pytest.raises(ValueError, match=r'4 stages and .* 6 channels'):
            made(features()[:4])
        with pytest.raises(ValueError, match=r'as DualCrossTransformer'):
            made((*features()[:4], features()[0]))
    with pytest.raises(
        ValueError, match=r'num_groups=3 does not .* 4 classes'
    ):
        head(FPN_HEAD, num_groups=3)
