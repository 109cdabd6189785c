"""HeatmapRefiner: image and heat map in, refined class map out."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS

from tests.helpers.dctn import (
    BACKBONE,
    CLASSES,
    FPN_HEAD,
    HEAD,
    config,
    sample,
)
from tests.helpers.dctn import build as build_model

SIZES = ((33, 50), (41, 30))


def build(**changes):
    return build_model(config(**changes))


def raw_batch(sizes=SIZES, tags=None):
    """As a data loader gives it: images of several sizes, not padded."""
    generator = torch.Generator().manual_seed(2)
    images, samples = [], []
    for index, size in enumerate(sizes):
        images.append(torch.randn(3, *size, generator=generator))
        labels = torch.randint(0, CLASSES, size, generator=generator)
        labels[5:] = 255
        heatmap = torch.rand(CLASSES, *size, generator=generator)
        samples.append(
            sample(
                labels, heatmap.half(), tags and tags[index],
                img_path=f'{index}.jpg',
            )
        )  # fmt: skip
    return dict(inputs=images, data_samples=samples)


def joined(data, size):
    """Images and heat maps, zeros at the right and below."""
    return torch.stack([
        F.pad(
            torch.cat([image, sample.heatmap.data.float()]),
            (0, size[1] - image.shape[2], 0, size[0] - image.shape[1]),
        )
        for image, sample in zip(*data.values(), strict=True)
    ])  # fmt: skip


def logits_of(model, inputs):
    return model.decode_head(model.backbone(inputs))


@pytest.mark.parametrize('head', [HEAD, FPN_HEAD])
def test_the_loss_is_cross_entropy_of_image_and_heat_map(head):
    model = build(head=head).train()
    data = raw_batch()
    wanted_inputs = joined(data, (48, 64))
    batch = model.data_preprocessor(data, True)
    labels = torch.cat([s.gt_sem_seg.data for s in batch['data_samples']])
    model.eval()  # batch norm as is, twice
    losses = model(**batch, mode='loss')
    wanted = F.cross_entropy(
        logits_of(model, wanted_inputs), labels, ignore_index=255
    )
    torch.testing.assert_close(losses['decode.loss_ce'], wanted)


@pytest.mark.parametrize('padding', [None, dict(size_divisor=32)])
def test_predicts_at_the_size_of_the_image(padding):
    cfg = config()
    cfg['data_preprocessor']['test_cfg'] = padding
    model = build_model(cfg).eval()
    data = raw_batch([(33, 50)])
    inputs = joined(data, (64, 64) if padding else (33, 50))
    with torch.no_grad():
        (found,) = model.test_step(data)
        wanted = logits_of(model, inputs)[0, :, :33, :50]
    torch.testing.assert_close(found.seg_logits.data, wanted)
    assert torch.equal(found.pred_sem_seg.data[0], wanted.argmax(0))


def test_a_sliding_window_moves_over_both():
    test_cfg = dict(mode='slide', crop_size=(32, 48), stride=(16, 48))
    model = build(test_cfg=test_cfg).eval()
    data = raw_batch([(48, 48)])
    inputs = joined(data, (48, 48))
    with torch.no_grad():
        (found,) = model.test_step(data)
        above = logits_of(model, inputs[:, :, :32])[0]
        below = logits_of(model, inputs[:, :, 16:])[0]
    wanted = F.pad(above, (0, 0, 0, 16)) + F.pad(below, (0, 0, 16, 0))
    wanted[:, 16:32] /= 2
    torch.testing.assert_close(found.seg_logits.data, wanted)


def test_augmented_testing_flips_both():
    refiner = dict(type='ClassLabelFilter')
    model = build(test_cfg=dict(mode='whole', refiner=refiner)).eval()
    plain, flipped = (raw_batch([(32, 48)], [[0, 1, 1]]) for _ in range(2))
    flipped['inputs'][0] = plain['inputs'][0].flip(-1)
    mirrored = flipped['data_samples'][0]
    mirrored.heatmap.data = mirrored.heatmap.data.flip(-1)
    mirrored.set_metainfo(dict(flip=True, flip_direction='horizontal'))
    data = {key: [plain[key], flipped[key]] for key in plain}
    inputs = joined(plain, (32, 48))
    with torch.no_grad():
        (found,) = SegTTAModel(module=model).test_step(data)
        maps = [logits_of(model, x)[0] for x in (inputs, inputs.flip(-1))]
    keep = [0, 2, 3]
    prob = [logits[keep].softmax(0) for logits in (maps[0], maps[1].flip(-1))]
    wanted = torch.tensor(keep)[sum(prob).argmax(0)]
    assert torch.equal(found.pred_sem_seg.data[0], wanted)


def test_the_filter_knows_the_tags_of_each_image():
    refiner = dict(type='ClassLabelFilter')
    model = build(test_cfg=dict(mode='whole', refiner=refiner)).eval()
    data = raw_batch([(32, 48)] * 2, [[0, 1, 0], [1, 0, 1]])
    inputs = joined(data, (32, 48))
    with torch.no_grad():
        found = model.test_step(data)
        logits = logits_of(model, inputs)
    for index, keep in enumerate(([0, 2], [0, 1, 3])):
        wanted = torch.tensor(keep)[logits[index, keep].argmax(0)]
        assert torch.equal(found[index].pred_sem_seg.data[0], wanted)
        torch.testing.assert_close(
            found[index].seg_logits.data.softmax(0)[keep],
            logits[index, keep].softmax(0),
        )
    assert not torch.equal(wanted, logits[1].argmax(0))
    with pytest.raises(ValueError, match=r'no tags of the images.*gt_label'):
        model.test_step(raw_batch([(32, 48)]))


def test_refiners_and_regularizers_see_the_image_alone():
    regularizer = dict(type='GatedCRFLoss', loss_weight=0.1)
    model = build(regularizers=[regularizer]).train()
    batch = model.data_preprocessor(raw_batch(), True)
    losses = model(**batch, mode='loss')
    assert sum(map(float, losses.values())) > 0
    feats = model.extract_feat(torch.randn(2, 7, 32, 32))
    assert feats.image.shape == (2, 3, 32, 32)


@MODELS.register_module()
class SpyingRefiner(torch.nn.Module):
    """Keeps what it is given."""

    def forward(self, logits, feats, labels=None, valid=None):
        self.given = feats, valid
        return logits


def test_the_refiner_of_test_cfg_is_told_image_padding_and_tags():
    test_cfg = dict(mode='slide', crop_size=(48, 48), stride=(16, 16))
    cfg = config(test_cfg=dict(test_cfg, refiner=dict(type='SpyingRefiner')))
    cfg.data_preprocessor.test_cfg = dict(size_divisor=16)
    model = build_model(cfg).eval()
    data = raw_batch([(33, 50)], [[0, 1, 0]])
    model.test_step(data)
    feats, valid = model.test_refiner.given
    wanted = F.pad(data['inputs'][0], (0, 14, 0, 15))[None]
    assert torch.equal(feats.image, wanted)
    assert feats.valid is valid
    assert valid[0, :33, :50].all()
    assert valid.sum() == 33 * 50
    assert feats.tags.tolist() == [[0, 1, 0]]
    model.test_step(raw_batch([(32, 48)]))
    feats, valid = model.test_refiner.given
    assert feats.tags is None
    assert valid is None


def test_the_image_stream_alone_needs_no_heat_map():
    model = build(backbone=dict(BACKBONE, streams=('image',))).eval()
    data = raw_batch([(32, 48)])
    del data['data_samples'][0].heatmap
    with torch.no_grad():
        (found,) = model.test_step(data)
        wanted = logits_of(model, data['inputs'][0][None])[0]
    torch.testing.assert_close(found.seg_logits.data, wanted)


def test_tensor_mode_takes_what_is_joined_already():
    model = build().eval()
    data = raw_batch([(33, 50)])
    inputs = joined(data, (33, 50))
    with torch.no_grad():
        wanted = logits_of(model, inputs)
        torch.testing.assert_close(model(inputs, mode='tensor'), wanted)
        found = model(inputs[:, :3], data['data_samples'], mode='tensor')
        torch.testing.assert_close(found, wanted)
        (predicted,) = model.predict(inputs)
        torch.testing.assert_close(predicted.seg_logits.data, wanted[0])


def test_heat_maps_that_do_not_fit_are_named():
    model = build().eval()
    data = raw_batch([(32, 48)])
    (found,) = data['data_samples']
    found.heatmap.data = found.heatmap.data[:3]
    with pytest.raises(ValueError, match=r'0\.jpg: .* 3 classes.*channels=4'):
        model.test_step(data)
    data = raw_batch([(32, 48)])
    data['data_samples'][0].set_metainfo(dict(img_shape=(32, 40)))
    with pytest.raises(ValueError, match=r'is \(32, 48\), its image \(32, 40'):
        model.test_step(data)
    data = raw_batch([(32, 48)])
    del data['data_samples'][0].heatmap
    with pytest.raises(ValueError, match=r'0\.jpg: has no heatmap: put Load'):
        model.test_step(data)
