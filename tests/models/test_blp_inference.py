"""BLPHead in a sliding window and in test-time augmentation."""

import torch
import torch.nn.functional as F
from mmseg.models import SegTTAModel

from tests.helpers import stock
from tests.helpers.sparse import config
from tests.models.test_blp_head import HEAD
from tests.models.test_sparse_encoder_decoder import sample_of


def build(**test_cfg):
    cfg = config()
    cfg.decode_head = HEAD
    cfg.test_cfg = dict(mode='whole') | test_cfg
    model = stock.build(cfg).eval()
    # distinct classes, so that what is aggregated shows
    with torch.no_grad():
        model.decode_head.conv_seg.weight.mul_(100)
    return model


def aggregated(model, images, aggregate=True):
    """The head's prediction of images, put together from its parts."""
    head = model.decode_head
    feats = model.extract_feat(images)
    deep = head.segmentation_branch(head._forward_feature(feats))
    logits = head.cls_seg(deep)
    if aggregate:
        logits = head.local_aggregation(logits, feats)
    return F.interpolate(logits, images.shape[2:], mode='bilinear')


def test_a_sliding_window_aggregates_in_each_crop():
    model = build(mode='slide', crop_size=(48, 48), stride=(16, 16))
    images, _ = stock.batch(n=1, height=64, width=48)

    def by_hand(**kwargs):
        total, count = torch.zeros(5, 64, 48), torch.zeros(64, 1)
        for top in (0, 16):
            rows = slice(top, top + 48)
            crop = aggregated(model, images[:, :, rows], **kwargs)
            total[:, rows] += crop[0]
            count[rows] += 1
        return total / count

    with torch.no_grad():
        found = model.predict(images)[0].seg_logits.data
        expected = by_hand()
        plain = by_hand(aggregate=False)
    assert torch.allclose(found, expected, atol=1e-4)
    assert (found - plain).abs().max() > 0.01


def test_several_scales_and_mirror_images_are_averaged():
    model = build()
    model.data_preprocessor.size_divisor = None
    images, samples = stock.batch()  # the first has no padding
    small = F.interpolate(images[:1], (48, 32), mode='bilinear')[0]
    views = [(images[0], False), (images[0].flip(-1), True),
             (small, False), (small.flip(-1), True)]  # fmt: skip
    data = dict(inputs=[], data_samples=[])
    for image, flip in views:
        sample = sample_of(samples[0], flip=flip)
        sample.set_metainfo(dict(img_shape=tuple(image.shape[1:])))
        data['inputs'].append([image])
        data['data_samples'].append([sample])
    with torch.no_grad():
        found = SegTTAModel(module=model).test_step(data)[0]
        total = plain = 0
        for image, flip in views:
            ready = model.data_preprocessor(dict(inputs=[image]))['inputs']
            for aggregate in (True, False):
                part = aggregated(model, ready, aggregate)
                part = F.interpolate(part, (64, 64), mode='bilinear')
                part = part.softmax(1)[0]
                part = part.flip(-1) if flip else part
                if aggregate:
                    total = total + part
                else:
                    plain = plain + part
    labels = found.pred_sem_seg.data[0]
    assert torch.equal(labels, total.argmax(0))
    assert not torch.equal(labels, plain.argmax(0))
