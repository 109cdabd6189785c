"""The extra forward passes: what they give, and what they leave as it was."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from mmseg_sparse.functional import merge_activations
from mmseg_sparse.models.backbones import AttentionRecorder
from mmseg_sparse.models.padding import inside_image
from mmseg_sparse.models.segmentors.multi_scale_cam import (
    evaluating,
    first_images,
    multi_scale_cam,
)
from tests.helpers import afa, stock

SCALES = (1.0, 0.5, 1.5)


def masks(images, samples):
    return inside_image(samples, images[:, 0])


def one_by_one(model, images, valid, scales):
    """Each scale, image and mirror image by itself."""
    merged = []
    model.eval()
    with torch.no_grad():
        for scale in scales:
            small = F.interpolate(images, scale_factor=scale, mode='bilinear')
            rows = [[], []]
            for image in small:
                for row, one in zip(
                    rows, (image, image.flip(-1)), strict=True
                ):
                    feats = model.extract_feat(one[None])
                    weight = model.decode_head.classifier.weight
                    row.append(F.conv2d(feats[3], weight)[0])
            grid = rows[0][0].shape[1:]
            inside = F.adaptive_max_pool2d(valid[:, None].float(), grid)
            merged.append(
                (torch.stack(rows[0]), torch.stack(rows[1]), inside[:, 0] > 0)
            )
    return merge_activations(merged, images.shape[2:], valid=valid)


def test_equals_the_passes_one_by_one():
    images, samples = afa.batch(height=64, width=96)
    valid = masks(images, samples)
    model = afa.build()
    found = multi_scale_cam(
        model, images, valid, scales=SCALES, flip=True, stage=3
    )
    expected = one_by_one(model, images, valid, SCALES)
    assert torch.allclose(found.cam, expected, atol=1e-5)
    assert not found.cam.masked_select(~valid[:, None]).any()
    assert found.cam[0].any()


def test_records_the_largest_scale_of_both_images():
    images, samples = afa.batch(height=64, width=96)
    model = afa.build()
    found = multi_scale_cam(
        model, images, masks(images, samples), scales=SCALES, flip=True,
        stage=3,
    )  # fmt: skip
    layers = first_images(found.layers, 2)
    large = F.interpolate(images, scale_factor=1.5, mode='bilinear')
    with torch.no_grad(), AttentionRecorder(model.eval().backbone) as stages:
        model.backbone(large)
    assert layers[0].query_hw == (6, 9)
    assert len(layers) == len(stages[3])
    for layer, expected in zip(layers, stages[3], strict=True):
        assert torch.allclose(layer.dense(), expected.dense(), atol=1e-6)
    nothing = multi_scale_cam(
        model, images, masks(images, samples), scales=SCALES, flip=True,
        stage=None,
    )  # fmt: skip
    assert not nothing.layers
    assert torch.equal(nothing.cam, found.cam)


def test_one_scale_without_mirror_is_another_map():
    images, samples = afa.batch()
    valid = masks(images, samples)
    model = afa.build()
    maps = [
        multi_scale_cam(
            model, images, valid, scales=scales, flip=flip, stage=None
        ).cam
        for scales, flip in (((1,), False), ((1,), True), ((1, 0.5), False))
    ]
    assert not torch.allclose(maps[0], maps[1], atol=1e-3)
    assert not torch.allclose(maps[0], maps[2], atol=1e-3)


def test_leaves_everything_as_it_was():
    """A backbone with batch norm, dropout, and a layer frozen by hand."""
    cfg = afa.config_of()
    cfg.backbone = dict(
        type='ResNet', depth=18, base_channels=8,
        norm_cfg=dict(type='BN'),
    )  # fmt: skip
    cfg.decode_head.update(in_channels=[8, 16, 32, 64], attention_heads=None)
    cfg.propagation = None
    model = stock.build(cfg)
    model.backbone.layer2.eval()
    model.backbone.layer3.register_module('extra', torch.nn.Dropout(0.5))
    images, samples = afa.batch()
    modes = {name: m.training for name, m in model.named_modules()}
    assert len(set(modes.values())) == 2
    state = {key: value.clone() for key, value in model.state_dict().items()}
    numbers = torch.get_rng_state()
    cams = [
        multi_scale_cam(
            model, images, masks(images, samples), scales=(1, 1.5),
            flip=True, stage=None,
        ).cam
        for _ in range(2)
    ]  # fmt: skip
    assert not cams[0].requires_grad
    assert torch.equal(cams[0], cams[1])
    assert modes == {name: m.training for name, m in model.named_modules()}
    assert torch.equal(numbers, torch.get_rng_state())
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key]), key
    model.backbone.eval()
    quiet = multi_scale_cam(
        model, images, masks(images, samples), scales=(1, 1.5), flip=True,
        stage=None,
    )  # fmt: skip
    assert torch.equal(quiet.cam, cams[0])


def test_modes_come_back_after_an_error():
    model = afa.build()

    def fail():
        with evaluating(model.backbone):
            assert not model.backbone.training
            raise RuntimeError('on the way')

    with pytest.raises(RuntimeError, match='on the way'):
        fail()
    assert all(m.training for m in model.modules())


class Pooled(torch.nn.Module):
    """A backbone that sees colours alone, at 1/8."""

    def forward(self, images):
        return [F.avg_pool2d(images, 8)] * 4


def test_maps_lie_where_the_image_has_them():
    """A patch off the middle, which its mirror image does not cover."""
    images = torch.zeros(1, 3, 64, 96)
    images[0, 1, 16:32, 64:88] = 1
    head = SimpleNamespace(activation=lambda feats: feats[3][:, 1:2])
    model = SimpleNamespace(
        backbone=Pooled(), with_neck=False, decode_head=head
    )
    valid = torch.ones(1, 64, 96, dtype=torch.bool)
    (cam,) = multi_scale_cam(
        model, images, valid, scales=(1, 0.5, 2), flip=True, stage=None
    ).cam[0]
    assert cam[20:28, 70:82].min() > 0.8
    away = torch.ones(64, 96, dtype=torch.bool)
    away[8:40, 52:] = False
    assert cam[away].max() < 0.1
