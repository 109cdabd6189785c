"""The refiner of SparseEncoderDecoder in training and in inference."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from torch import nn

from tests.helpers import stock
from tests.helpers.sparse import config
from tests.models.test_sparse_encoder_decoder import sample_of


@MODELS.register_module()
class MixingRefiner(nn.Module):
    """Mixes classes and adds a colour; keeps what it was given."""

    def __init__(self, feature_from=None, learns=True):
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        matrix = torch.randn(
            stock.NUM_CLASSES, stock.NUM_CLASSES, generator=generator
        )
        if learns:
            self.matrix = nn.Parameter(matrix)
        else:
            self.register_buffer('matrix', matrix, persistent=False)
        self.feature_from = feature_from
        self.calls = []

    def forward(self, logits, feats, labels=None, valid=None):
        self.calls.append((logits, feats, labels, valid))
        return self.refine(logits, feats)

    def refine(self, logits, feats):
        mixed = torch.einsum('nchw,cd->ndhw', logits, self.matrix)
        red = F.interpolate(feats.image[:, :1], logits.shape[2:])
        return mixed + red * torch.arange(5.0)[:, None, None]


REFINER = dict(type='MixingRefiner')
PLAIN = dict(type='MixingRefiner', learns=False)


def refined_by_hand(model, images, size):
    feats = model.extract_feat(images)
    logits = model.decode_head.forward(feats)
    logits = model.refiner.refine(logits, feats)
    return F.interpolate(
        logits, size, mode='bilinear', align_corners=model.align_corners
    )


def test_the_loss_is_that_of_refined_logits_and_trains_the_refiner():
    images, samples = stock.batch()
    keeping = dict(type='KeepingRegularizer')
    model = stock.build(config([keeping], refiner=REFINER))
    model.decode_head.loss_decode.avg_non_ignore = True
    losses = model.loss(images, samples)
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    logits = refined_by_hand(model, images, labels.shape[1:])
    expected = F.cross_entropy(logits, labels, ignore_index=255)
    assert losses['decode.loss_ce'].item() == pytest.approx(
        expected.item(), rel=1e-5
    )
    losses['decode.loss_ce'].backward()
    assert model.refiner.matrix.grad.abs().sum() > 0
    before, feats, given, valid = model.refiner.calls[0]
    assert torch.equal(given, labels)
    assert torch.equal(model.regularizers[0].logits, (
        model.refiner.refine(before, feats)
    ))  # fmt: skip
    assert not valid[1, 56:].any()
    assert not valid[1, :, 40:].any()
    assert valid[0].all()
    assert valid[1, :56, :40].all()


def test_without_regularizers_the_refiner_trains_too():
    images, samples = stock.batch()
    results = [
        stock.build(config(regularizers, refiner=REFINER)).loss(
            images, copy.deepcopy(samples)
        )['decode.loss_ce']
        for regularizers in ([], [dict(type='KeepingRegularizer')])
    ]
    assert torch.equal(*results)


@pytest.mark.parametrize('mode', ['whole', 'tensor'])
def test_inference_is_of_refined_logits(mode):
    model = stock.build(config(refiner=REFINER)).eval()
    images, _ = stock.batch(n=3, height=61, width=83)
    with torch.no_grad():
        expected = refined_by_hand(model, images, (61, 83))
        if mode == 'tensor':
            found = F.interpolate(
                model(images, mode='tensor'), (61, 83), mode='bilinear'
            )
        else:
            found = model.encode_decode(images, whole_metas(images))
    assert torch.allclose(found, expected, atol=1e-5)
    assert [call[2:] for call in model.refiner.calls] == [(None, None)]


def whole_metas(images):
    return [dict(img_shape=tuple(images.shape[2:]))] * len(images)


def test_a_sliding_window_refines_each_crop():
    cfg = config(refiner=REFINER)
    cfg.test_cfg = dict(mode='slide', crop_size=(48, 48), stride=(16, 16))
    model = stock.build(cfg).eval()
    images, _ = stock.batch(n=1, height=64, width=48)
    with torch.no_grad():
        found = model.predict(images)[0].seg_logits.data
        parts = [
            refined_by_hand(model, images[:, :, top : top + 48], (48, 48))
            for top in (0, 16)
        ]
    total = sum(
        F.pad(part[0], (0, 0, top, 16 - top))
        for part, top in zip(parts, (0, 16), strict=True)
    )
    count = torch.full((64, 1), 2.0)
    count[:16] = count[48:] = 1
    assert torch.allclose(found, total / count, atol=1e-4)


def test_test_time_augmentation_averages_refined_predictions():
    model = stock.build(config(refiner=REFINER))
    model.data_preprocessor.size_divisor = None
    images, samples = stock.batch()  # the first has no padding
    flipped = images.flip(-1)
    data = dict(
        inputs=[[images[0]], [flipped[0]]],
        data_samples=[
            [sample_of(samples[0], flip=False)],
            [sample_of(samples[0], flip=True)],
        ],
    )
    tta = SegTTAModel(module=model).eval()
    with torch.no_grad():
        found = tta.test_step(data)[0].pred_sem_seg.data[0]
        ready = [call[1].image for call in model.refiner.calls]
        maps = [refined_by_hand(model, x, (64, 64)).softmax(1) for x in ready]
    expected = (maps[0] + maps[1].flip(-1))[0].argmax(0)
    assert torch.equal(found, expected)


def test_padding_of_a_batch_for_inference_is_told():
    model = stock.build(config(refiner=REFINER)).eval()
    images, samples = stock.batch()
    for sample in samples:
        sample.set_metainfo(dict(img_padding_size=(0, 24, 0, 8)))
    with torch.no_grad():
        model.predict(images, samples)
    valid = model.refiner.calls[0][3]
    assert valid.shape == (2, 64, 64)
    assert valid[:, :56, :40].all()
    assert valid.sum() == 2 * 56 * 40


@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_the_refiner_of_test_cfg_refines_the_whole_prediction(mode):
    cfg = config()
    cfg.test_cfg = dict(mode=mode, crop_size=(48, 48), stride=(16, 16))
    plain = stock.build(cfg).eval()
    cfg.test_cfg.refiner = PLAIN
    model = stock.build(cfg).eval()
    assert model.state_dict().keys() == plain.state_dict().keys()
    model.load_state_dict(plain.state_dict())
    images, _ = stock.batch(n=1, height=64, width=80)
    with torch.no_grad():
        logits = plain.predict(images)[0].seg_logits.data
        found = model.predict(images)[0].seg_logits.data
    (call,) = model.test_refiner.calls
    assert torch.equal(call[0][0], logits)
    assert torch.equal(found, model.test_refiner.refine(*call[:2])[0])
    images, samples = stock.batch()
    model.train()
    model.loss(images, samples)
    assert len(model.test_refiner.calls) == 1


def test_a_refiner_of_test_cfg_must_not_need_training():
    cfg = config()
    cfg.test_cfg = dict(mode='whole', refiner=REFINER)
    with pytest.raises(ValueError, match='has parameters that nothing trai'):
        stock.build(cfg)
    cfg.test_cfg.refiner = dict(PLAIN, feature_from='decode_head.conv_seg')
    with pytest.raises(ValueError, match=r"feature_from='decode_head\.conv_"):
        stock.build(cfg)


@pytest.mark.parametrize('training', [True, False])
def test_a_refiner_gets_the_deep_feature_it_names(training):
    name = 'decode_head.conv_seg'
    model = stock.build(config(refiner=dict(REFINER, feature_from=name)))
    model.train(training)
    images, samples = stock.batch()
    if training:
        model.loss(images, samples)
    else:
        model.predict(images, samples)
    logits, feats, *_ = model.refiner.calls[0]
    deep = feats.module_inputs[name]
    assert torch.allclose(model.decode_head.conv_seg(deep), logits)


def test_a_cascade_refines_its_last_head_alone():
    cfg = config(name='ocrnet', refiner=REFINER)
    model = stock.build(cfg)
    images, samples = stock.batch()
    model.decode_head[1].loss_decode.avg_non_ignore = True
    losses = model.loss(images, samples)
    labels = torch.cat([s.gt_sem_seg.data for s in samples])
    logits, feats, *_ = model.refiner.calls[0]
    refined = F.interpolate(
        model.refiner.refine(logits, feats), (64, 64), mode='bilinear'
    )
    expected = F.cross_entropy(refined, labels, ignore_index=255)
    found = losses['decode_1.loss_ce'] / 1.0
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    model.eval()
    with torch.no_grad():
        feats = model.extract_feat(images)
        first = model.decode_head[0].forward(feats)
        second = model.decode_head[1].forward(feats, first)
        expected = model.refiner.refine(second, feats)
        assert torch.equal(model(images, mode='tensor'), expected)
        found = model.encode_decode(images, whole_metas(images))
    expected = F.interpolate(expected, (64, 64), mode='bilinear')
    assert torch.allclose(found, expected, atol=1e-5)
