"""FusedLevelsUPerHead against the stock head it is taken from."""

import pytest
import torch
from mmseg.models.utils import resize
from mmseg.registry import MODELS

from tests.configs.test_content import leaf
from tests.helpers import stock
from tests.helpers.shipped import parse, shrink

HEAD = dict(
    in_channels=[3, 4, 5, 6],
    in_index=[0, 1, 2, 3],
    channels=8,
    num_classes=4,
    dropout_ratio=0.0,
)
#: As the maps of an image of 60 × 44 are.
SIZES = ((15, 11), (8, 6), (4, 3), (2, 2))
LEVELS = [
    (0,), (1,), (2,), (3,), (0, 1), (2, 3), (0, 2), (0, 1, 2), (1, 2, 3),
    (0, 1, 2, 3),
]  # fmt: skip


def build(levels=None):
    torch.manual_seed(0)
    if levels is None:
        return MODELS.build(dict(HEAD, type='UPerHead'))
    return MODELS.build(dict(HEAD, type='FusedLevelsUPerHead', levels=levels))


def make_maps():
    return [
        torch.randn(2, channels, *size, requires_grad=True)
        for channels, size in zip(HEAD['in_channels'], SIZES, strict=True)
    ]


@pytest.mark.parametrize('levels', LEVELS)
def test_fuses_the_stock_pyramids_levels(levels):
    """The stock head, its bottleneck deaf to the levels left out."""
    plain, ours = build(), build(levels)
    kernel = plain.fpn_bottleneck.conv.weight.data
    chosen = [kernel[:, 8 * k : 8 * k + 8] for k in levels]
    state = dict(plain.state_dict())
    state['fpn_bottleneck.conv.weight'] = torch.cat(chosen, 1)
    found = ours.load_state_dict(state, strict=False)
    assert not found.missing_keys
    for level in {0, 1, 2, 3} - set(levels):
        kernel[:, 8 * level : 8 * level + 8] = 0
    maps = make_maps()
    plain.eval(), ours.eval()
    wanted, logits = plain(maps), ours(maps)
    assert logits.shape[2:] == SIZES[0]
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('levels', LEVELS)
def test_every_parameter_and_map_gets_a_gradient(levels):
    head, maps = build(levels), make_maps()
    head(maps).square().sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
    for level, one in enumerate(maps):
        used = level >= levels[0]
        assert (one.grad.abs().sum() > 0) == used
        assert torch.isfinite(one.grad).all()


def test_what_lies_in_an_unused_map_does_not_matter():
    head, maps = build((2, 3)), make_maps()
    wanted = head(maps)
    maps[1] = torch.full_like(maps[1], float('nan'), requires_grad=True)
    found = head(maps)
    found.sum().backward()
    assert torch.equal(found, wanted)
    assert maps[1].grad.abs().sum() == 0


def test_bottleneck_gets_the_levels_in_order():
    head, maps = build((1, 3)).eval(), make_maps()
    seen = []
    head.fpn_bottleneck.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    head(maps)
    (fused,) = seen
    top = head.psp_forward(maps)
    spread = [resize(top, size=size, mode='bilinear') for size in SIZES]
    assert fused.shape == (2, 16, *SIZES[0])
    torch.testing.assert_close(fused[:, 8:], spread[0])


@pytest.mark.parametrize(
    'levels', [(), (1, 0), (0, 0), (0, 4), (-1,), (0, 1, 2, 3, 4)]
)
def test_wrong_levels_are_named(levels):
    with pytest.raises(ValueError, match=r'levels must .* 0 to 3, got \('):
        build(levels)


@pytest.mark.parametrize(
    'variant',
    ['block1', 'block2', 'block3', 'block4', 'blocks12', 'blocks34'],
)
def test_the_configs_of_table_6_leave_no_parameter_out(variant):
    """As DDP asks; the backbone's norms of the levels left out too."""
    name = f'dfr-{variant}_swin-b_upernet_8xb2-40k_voc12-scribble-512x512'
    cfg = shrink(parse(leaf(name)))
    cfg.model.backbone.drop_path_rate = 0.0
    cfg.model.regularizers[0].confidence = 0.0
    model = stock.build(cfg.model)
    images, samples = stock.batch()
    total, _ = model.parse_losses(model.loss(images, samples))
    total.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
