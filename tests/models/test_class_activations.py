"""Class activation maps at the images' own size."""

import pytest
import torch
import torch.nn.functional as F

from tests.helpers import afa, stock


def test_they_are_cut_mirrored_and_resized():
    images, samples = afa.batch()
    model = afa.build(cam_scales=(1.0,), cam_flip=False).eval()
    cam = model.pseudo_labels(images, samples).activation
    samples[1].set_metainfo(
        dict(ori_shape=(31, 77), flip=True, flip_direction='vertical')
    )
    first, second = model.class_activations(images, samples)
    torch.testing.assert_close(first, cam[0])
    inside = cam[1:, :, :24, :40].flip(2)
    wanted = F.interpolate(inside, (31, 77), mode='bilinear')[0]
    torch.testing.assert_close(second, wanted)
    assert second[3].max() > 0
    assert not second[:3].any()


def test_other_segmentors_use_the_defaults():
    images, samples = afa.batch()
    cfg = afa.head_config(attention_heads=None)
    cfg.backbone.strides = [4, 2, 2, 1]
    cfg.pop('regularizers')
    model = stock.build(cfg).eval()
    same = afa.build().eval()
    same.load_state_dict(model.state_dict(), strict=False)
    for own, wanted in zip(
        model.class_activations(images, samples),
        same.class_activations(images, samples),
        strict=True,
    ):
        torch.testing.assert_close(own, wanted)


def test_a_head_without_them_is_refused():
    cfg = stock.stock_model_config('segformer')
    cfg['type'] = 'SparseEncoderDecoder'
    images, samples = afa.batch()
    with pytest.raises(TypeError, match='SegformerHead has no class activ'):
        stock.build(cfg).class_activations(images, samples)
